from gptwright.evaluation.intervals import Estimate
from gptwright.reporting.scores import ModelScores, PolicyScores, RewardScores, answering_models

HALF = {"value": 0.5, "low": 0.4, "high": 0.6, "count": 96}


def test_scores_are_read_and_what_is_missing_is_none() -> None:
    scores = ModelScores.of({"heldout_nats": 3.9, "exact_answers": {"held-out form": HALF}, "examples": ["a", 1]})
    assert (scores.heldout_nats, scores.judge_score, scores.examples) == (3.9, None, ("a", "1"))
    assert scores.exact == {"held-out form": Estimate(0.5, 0.4, 0.6, 96)}


def test_a_policy_is_read_with_both_models() -> None:
    scores = PolicyScores.of({"win_rate": HALF, "kl_nats": 2.0, "rule": "r", "models": {"sft": {}, "ppo": {}}})
    assert scores.wins == Estimate(0.5, 0.4, 0.6, 96) and set(scores.models) == {"sft", "ppo"} and scores.prompts == ()


def test_nothing_measured_is_nothing_claimed() -> None:
    assert RewardScores.of({}) == RewardScores(before=None, after=None)
    assert answering_models(None) == {}
