from dataclasses import replace
from pathlib import Path

import pytest

from gptwright.alignment.demonstrations import Demonstration, demonstrations, read_conversations
from gptwright.configs.ppo import PPO
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.intake import Intake
from gptwright.models.heads import RewardModel
from gptwright.pipelines.load import load_decoder
from gptwright.pipelines.model import Model
from gptwright.pipelines.sequence_scorer import SequenceScorer
from gptwright.recipes.stage import execute_stage
from gptwright.stages.reward_model import best_demonstrations, demonstration_scores, open_reward_model


@pytest.fixture(scope="module")
def policy(tuned: Path) -> Model:
    return load_decoder(tuned)


@pytest.fixture(scope="module")
def judge(rewarded: Path, policy: Model) -> RewardModel:
    return open_reward_model(rewarded, policy)


@pytest.fixture(scope="module")
def shown(policy: Model, material: Path) -> list[Demonstration]:
    talks = read_conversations(material / "talk.jsonl", Intake(""))
    return demonstrations(talks, policy.tokenizer, policy.context, Intake(""))


def test_each_is_scored_at_its_end_whatever_is_read_beside_it(
    judge: RewardModel, policy: Model, shown: list[Demonstration]
) -> None:
    assert all(each.whole[-1] in policy.tokenizer.stop_ids for each in shown)
    scorer = SequenceScorer(judge, policy.tokenizer, "")
    alone = [float(scorer.logits([each.whole])) for each in shown]
    assert demonstration_scores(judge, policy.tokenizer, shown).tolist() == pytest.approx(alone, abs=1e-5)


@pytest.mark.parametrize("share", [0.001, 0.33, 0.5, 1.0])
def test_no_other_scores_higher_and_their_order_stays(
    judge: RewardModel, policy: Model, shown: list[Demonstration], share: float
) -> None:
    best = best_demonstrations(judge, policy.tokenizer, shown, share)
    assert len(best) == max(1, round(share * len(shown)))
    places = [next(at for at, each in enumerate(shown) if each is one) for one in best]
    assert places == sorted(set(places))
    scores = demonstration_scores(judge, policy.tokenizer, shown)
    others = [float(score) for at, score in enumerate(scores) if at not in places]
    assert min(float(scores[at]) for at in places) >= max(others, default=-1e9)


def test_ppo_mixes_in_what_the_reward_model_likes(
    ppo_config: PPO, shown: list[Demonstration], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = replace(ppo_config, best_conversations=0.5, updates=1, questions=None)
    execute_stage("ppo", config, tmp_path / "out")
    assert f"{round(len(shown) / 2)} conversations mixed in" in capsys.readouterr().err


def test_without_a_reward_model_or_conversations_there_is_no_best(ppo_config: PPO) -> None:
    with pytest.raises(ConfigError, match="beside best_conversations; got no reward model"):
        replace(ppo_config, best_conversations=0.5, reward=None, rule="plain-words")
    with pytest.raises(ConfigError, match="beside best_conversations; got no conversations"):
        replace(ppo_config, best_conversations=0.5, conversations=())
