"""`export --to openrlhf`: what transformers opens, and files that read back under the names of the other tools."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from gptwright.alignment.demonstrations import read_conversations
from gptwright.foundations.intake import Intake
from gptwright.models.formats.huggingface import read_model
from gptwright.pipelines.load import load_decoder
from gptwright.store.ranking_lines import read_rankings
from gptwright.tokenizers.chat_templates.chat import prompt_ids

Command = Callable[..., Any]
IDS = [5, 9, 20, 33, 7]


@pytest.fixture(scope="module")
def left(run: Path, tuned: Path, rewarded: Path, ranked: Path, rankings: Path, material: Path) -> Path:
    from gptwright.configs.export import Export
    from gptwright.stages import export

    out = run / "openrlhf"
    export.run(Export(model=tuned, out=out, to="openrlhf", reward=rewarded, prompts=(ranked / "prompts.jsonl",),
                      rankings=(rankings,), conversations=(material / "talk.jsonl",)))  # fmt: skip
    return out


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_transformers_opens_the_policy_and_the_reward_model(left: Path, tuned: Path, rewarded: Path) -> None:
    policy = transformers.AutoModelForCausalLM.from_pretrained(left / "policy")
    reward = transformers.AutoModelForSequenceClassification.from_pretrained(left / "reward")
    mine, judge = load_decoder(tuned).network, read_model(rewarded / "model")
    ids = torch.tensor([IDS])
    with torch.inference_mode():
        torch.testing.assert_close(policy(ids).logits, mine(ids), atol=1e-5, rtol=1e-4)
        theirs = reward(ids).logits[0, 0]
        torch.testing.assert_close(theirs, judge(ids, torch.tensor([len(IDS) - 1]))[0], atol=1e-5, rtol=1e-4)
    assert reward.config.num_labels == 1 and hasattr(reward, "score"), "the name of its head, by which it is read"


def test_both_models_have_a_card(left: Path) -> None:
    for name, stage in (("policy", "sft"), ("reward", "reward")):
        card = (left / name / "README.md").read_text("utf-8")
        assert f"# {name}" in card and f"by {stage} on" in card and "library_name: transformers" in card


def test_a_prompt_is_written_by_the_template_as_here(left: Path, tuned: Path, ranked: Path) -> None:
    theirs = transformers.AutoTokenizer.from_pretrained(left / "policy")
    ours = load_decoder(tuned).tokenizer
    found = [*lines(left / "prompts.jsonl"), *lines(left / "prompts-heldout.jsonl")]
    assert len(found) == len(lines(ranked / "prompts.jsonl"))
    for line in found[::50]:
        text = theirs.apply_chat_template(line["prompt"], tokenize=False, add_generation_prompt=True)
        assert theirs(text, add_special_tokens=False)["input_ids"] == prompt_ids(line["prompt"], ours)
        assert line["datasource"] == line["data_source"] == "prompts"


def test_rankings_become_all_their_pairs(left: Path, rankings: Path) -> None:
    pairs, whole = read_rankings(left / "rankings.jsonl"), read_rankings(rankings)
    assert len(pairs) == 3 * len(whole), "of three answers without a tie"
    for pair in pairs:
        of = next(ranking for ranking in whole if ranking.messages == pair.messages)
        better, worse = (of.ranks[of.answers.index(answer)] for answer in pair.answers)
        assert better < worse


def test_conversations_are_as_they_were(left: Path, material: Path) -> None:
    one, other = (read_conversations(path, Intake("test")) for path in
                  (left / "conversations.jsonl", material / "talk.jsonl"))  # fmt: skip
    assert one == other


def test_the_command_names_what_is_there(left: Path) -> None:
    words = (left / "ppo.sh").read_text().split()
    for option in ("--pretrain", "--reward_pretrain", "--prompt_data"):
        assert (left / words[words.index(option) + 1]).exists()
    assert words[words.index("--input_key") + 1] in lines(left / "prompts.jsonl")[0]


def test_data_is_for_openrlhf_alone(gptwright: Command, tuned: Path, rankings: Path, tmp_path: Path) -> None:
    said = gptwright("export", tuned, "--rankings", rankings, "--out", tmp_path / "out")
    assert said.code == 1 and "--to openrlhf beside rankings" in said.err
