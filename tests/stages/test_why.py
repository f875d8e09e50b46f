"""why: passages, demonstrations and rankings with where they stand; as text, JSON and a page; what cannot be shown."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gptwright.configs.codex import Codex
from gptwright.configs.dpo import DPO
from gptwright.configs.ppo import PPO
from gptwright.configs.verbs import VERBS
from gptwright.recipes.stage import execute_stage
from gptwright.reporting.why.unweighed import UNWEIGHED, WEIGHED

from .conftest import asked, said, write_lines


def test_an_answer_of_a_policy(gptwright: Callable[..., Any], improved: Path, tmp_path: Path) -> None:
    out = tmp_path / "why.html"
    done = gptwright("why", improved, "The rain fell.", "--prompt", "What fell?", "--json", "--out", out, "--most", "2")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert (
        found["asked"] == [["user", "What fell?"]] and "".join(text for text, _ in found["answer"]) == "The rain fell."
    )
    first = found["by_words"][0]
    assert first["origin"]["source"] == "talk.jsonl" and first["tokens"] >= 3
    assert "The rain fell." in "".join(text for text, mark in first["text"] if mark)
    assert any(mark for _, mark in found["answer"])
    assert len(found["by_state"]) == 2 and all(-1.01 <= each["similarity"] <= 1.01 for each in found["by_state"])
    assert found["by_state"][0]["similarity"] >= found["by_state"][1]["similarity"]
    shares = [each["share"] for each in found["demonstrations"]]
    assert max(abs(share) for share in shares) == 1.0 and shares[0] > 0
    assert found["demonstrations"][0]["origin"]["title"].startswith("line ")
    assert found["rankings"] and all(len(each["ranks"]) == 3 for each in found["rankings"])
    assert any(note.startswith("states were compared with all ") for note in found["notes"])
    assert any(note.startswith("ppo learned from rewards of answers that it gave") for note in found["notes"])
    page = out.read_text(encoding="utf-8")
    assert "<mark>" in page and "What fell?" in page and "<script" not in page


def test_as_text_and_with_the_models_own_answer(gptwright: Callable[..., Any], tuned: Path) -> None:
    done = gptwright("why", tuned, "--prompt", "Who walked?")
    assert done.code == 0 or "needed an answer" in done.err
    done = gptwright("why", tuned, "The old miller walked.", "--prompt", "Who walked?")
    assert done.code == 0, done.err
    assert "asked   Who walked?" in done.out and "answer  [The old miller walked.]" in done.out
    assert "the same words in a row" in done.out and "demonstrations with influence for the answer" in done.out
    assert "assistant The old miller walked." in done.out and "rankings" not in done.out


def test_a_base_model_has_passages_alone(gptwright: Callable[..., Any], pretrained: Path) -> None:
    done = gptwright("why", pretrained, "the old miller walked to a river", "--prompt", "the")
    assert done.code == 0, done.err
    assert "influence" not in done.out and "the same words in a row" in done.out
    assert "the model learned no demonstrations" in done.out


def test_rankings_that_moved_the_policy_itself(
    gptwright: Callable[..., Any], ppo_config: PPO, rankings: Path, run: Path, tmp_path: Path
) -> None:
    """A reward model that judges them in dpo teaches nothing."""
    shared = {name: getattr(ppo_config, name) for name in ("policy", "tokens", "conversations", "reward", "max_tokens",
              "ptx_batch_size", "sft_batch_size", "sequence_length", "threads", "heldout_prompts")}  # fmt: skip
    policy = execute_stage("dpo", DPO(rankings=(rankings,), steps=2, batch_size=2, **shared), run / "why-dpo").path
    words = ("The rain fell.", "--prompt", "What fell?", "--json")
    found = json.loads(gptwright("why", policy, *words).out)
    shares = [each["share"] for each in found["pairs"]]
    assert shares and max(abs(share) for share in shares) == 1.0 and not found["rankings"] and found["demonstrations"]
    assert all(len(each["ranks"]) == 3 and each["origin"]["title"] for each in found["pairs"])
    shown = gptwright("why", policy, *words[:-1], "--out", tmp_path / "why.html").out
    assert (
        "rankings with influence for the answer\n" in shown or "rankings with influence against the answer\n" in shown
    )
    assert "Rankings with influence" in (tmp_path / "why.html").read_text(encoding="utf-8")
    alone = shutil.copytree(policy, tmp_path / "run/05-dpo")
    record = json.loads((alone / "stage.json").read_text())
    record["config"]["policy"] = "gone"
    (alone / "stage.json").write_text(json.dumps(record))
    found = json.loads(gptwright("why", alone, *words).out)
    assert not found["pairs"] and any("began is not there" in note for note in found["notes"])


def test_rankings_of_improve(
    gptwright: Callable[..., Any], tokenized: Path, tuned: Path, rewarded: Path, tmp_path: Path
) -> None:
    """They moved the model itself, or where it left a reward model (by ppo) that; what is held out moved neither."""
    run, answers = tmp_path / "run", ["The cat saw a boat.", "Fell."]
    for number, stage in enumerate((tokenized, tuned), 1):
        shutil.copytree(stage, run / f"{number:02}-{stage.name}")
    given = write_lines(tmp_path / "given.jsonl", [{"messages": asked(f"Question {i}?"), "answers": answers,
                        "ranks": [1, 2]} for i in range(40)])  # fmt: skip
    done = gptwright("improve", run, "--rankings", given, "--minutes", 1, "--threads", 1)
    assert done.code == 0, done.err
    learned = map(json.loads, (run / "improve-1/rankings.jsonl").read_text(encoding="utf-8").splitlines())
    train = {line["messages"][-1]["content"] for line in learned if line["split"] == "train"}
    assert train < {f"Question {i}?" for i in range(40)}
    words = (run / "improve-1", answers[0], "--prompt", "Question 3?")
    for kind, other, whose in (("pairs", "rankings", "answer"), ("rankings", "pairs", "answer's reward")):
        found = json.loads(gptwright("why", *words, "--json", "--most", 99).out)
        assert found[kind] and not found[other]
        assert {each["turns"][-1][1] for each in found[kind]} <= train
        assert max(abs(each["share"]) for each in found[kind]) == 1.0
        assert {each["origin"]["source"] for each in found[kind]} == {"rankings.jsonl"}
        shown = gptwright("why", *words).out
        assert re.search(rf"^rankings with influence (for|against) the {whose}$", shown, re.MULTILINE)
        shutil.copytree(rewarded, run / "improve-1/reward", dirs_exist_ok=True)


def test_edits_of_code(gptwright: Callable[..., Any], codex_config: Codex, run: Path, tmp_path: Path) -> None:
    """What is asked, the code before and after it; those that are held out are not among them."""
    edits = [{"instruction": "take cat away", "input": f"the {word} cat sat", "output": f"the {word} sat"}
             for word in ("old", "grey", "mad", "red")]  # fmt: skip
    given = write_lines(tmp_path / "edits.jsonl", [*edits, edits[0] | {"input": "rain", "split": "heldout"}])
    editor = execute_stage("codex", replace(codex_config, edits=(given,)), run / "why-editor").path
    words = ("why", editor, "the grey sat", "--prompt", "the grey cat sat")
    found = json.loads(gptwright(*words, "--json", "--most", 99).out)
    of_edits = [each for each in found["demonstrations"] if each["origin"]["source"] == "edits.jsonl"]
    assert {each["origin"]["title"] for each in of_edits} <= {f"line {number}" for number in range(1, 5)} and of_edits
    for each in of_edits:
        line = edits[int(each["origin"]["title"].split()[1]) - 1]
        assert each["turns"] == [[role, line[role]] for role in ("instruction", "input", "output")]
    assert {each["origin"]["source"] for each in found["demonstrations"]} == {"edits.jsonl", "solutions.jsonl"}
    assert "    instruction take cat away" in gptwright(*words, "--most", 99).out


def test_solutions_of_code(gptwright: Callable[..., Any], codex_config: Codex, run: Path) -> None:
    """They are demonstrations of how a text goes on; those that are held out are not among them."""
    coder = execute_stage("codex", codex_config, run / "codex").path
    done = gptwright("why", coder, "sat on the cat", "--prompt", "the cat ", "--json", "--most", 99)
    found = json.loads(done.out)
    assert found["asked"] == [["prompt", "the cat "]] and found["demonstrations"] and "not taught" not in done.err
    assert {tuple(role for role, _ in each["turns"]) for each in found["demonstrations"]} == {("prompt", "completion")}
    assert ["prompt", "a "] not in [each["turns"][0] for each in found["demonstrations"]]
    assert found["by_words"][0]["origin"]["source"] == "solutions.jsonl"
    assert found["demonstrations"][0]["origin"]["title"].startswith("line ")
    shown = gptwright("why", coder, "sat on the cat", "--prompt", "the cat ").out
    assert shown.startswith("asked   the cat\nanswer  [") and "    completion sat on the " in shown


def test_a_conversation_of_several_turns(gptwright: Callable[..., Any], tuned: Path, tmp_path: Path) -> None:
    """As chat saves it; the answer is its last, or the command's."""
    turns = [*said("Who walked?", "The old miller walked."), *said("What fell?", "The rain fell.")]
    whole, waiting = (write_lines(tmp_path / f"{name}.jsonl", [{"messages": some}])
                      for name, some in (("whole", turns), ("waiting", turns[:-1])))  # fmt: skip
    found, same = (json.loads(gptwright("why", tuned, *words, "--json").out)
                   for words in (("--conversation", whole), ("The rain fell.", "--conversation", waiting)))  # fmt: skip
    alone = json.loads(gptwright("why", tuned, "The rain fell.", "--prompt", "What fell?", "--json").out)
    assert found == same and len(found["asked"]) == 3 and found["demonstrations"] != alone["demonstrations"]
    out = gptwright("why", tuned, "--conversation", whole, "--out", tmp_path / "why.html").out
    assert out.startswith("user      Who walked?\nassistant The old miller walked.\nasked     What fell?\nanswer    ")
    assert "<b>assistant</b> The old miller walked." in (tmp_path / "why.html").read_text(encoding="utf-8")


def test_files_that_are_gone_are_told_and_the_rest_is_shown(
    gptwright: Callable[..., Any], tuned: Path, tmp_path: Path
) -> None:
    alone = shutil.copytree(tuned, tmp_path / "run/04-sft")
    record = json.loads((alone / "stage.json").read_text())
    record["config"] |= {"tokens": "gone", "base": "gone", "text": "gone"}
    (alone / "stage.json").write_text(json.dumps(record))
    done = gptwright("why", alone, "The rain fell.", "--prompt", "What fell?")
    assert done.code == 0, done.err
    assert "read gone, which is not there" in " ".join(done.out.split()) and "demonstrations with influence" in done.out
    record["config"]["conversations"] = ["gone"]
    (alone / "stage.json").write_text(json.dumps(record))
    done = gptwright("why", alone, "The rain fell.")
    assert done.code == 1 and "needed text, demonstrations or rankings" in done.err and "gptwright see" in done.err


@pytest.mark.parametrize("words", [(), ("", "--prompt", ""), ("  ",)])
def test_no_answer(refused: Callable[..., str], tuned: Path, words: tuple[str, ...]) -> None:
    assert "an answer" in refused("why", tuned, *words)


def test_conversations_that_cannot_be_asked_about(
    refused: Callable[..., str], gptwright: Callable[..., Any], tuned: Path, pretrained: Path, tmp_path: Path
) -> None:
    whole = write_lines(tmp_path / "whole.jsonl", [{"messages": said("What fell?", "The rain fell.")}])
    assert "needed one answer" in refused("why", tuned, "The rain.", "--conversation", whole)
    assert "taught to answer" in refused("why", pretrained, "--conversation", whole)
    assert "--prompt or --conversation" in refused("why", tuned, "x", "--conversation", whole, "--prompt", "What fell?")
    answered = write_lines(tmp_path / "answer.jsonl", [{"messages": said("What fell?", "The rain fell.")[1:]}])
    assert "a question before the answer in line 1" in refused("why", tuned, "--conversation", answered)
    text = write_lines(tmp_path / "text.jsonl", [{"text": "x"}])
    assert "a list of messages in line 1" in refused("why", tuned, "--conversation", text)
    assert "nothing there" in refused("why", tuned, "--conversation", tmp_path / "gone.jsonl")
    long = gptwright("why", tuned, "The rain fell.", "--prompt", "rain fell " * 99)
    assert long.code == 0 and "nothing is weighed" in " ".join(long.out.split())


def test_what_every_stage_learned_is_weighed_or_said() -> None:
    kinds = {verb.name for verb in VERBS.values() if verb.leaves_folder}
    assert {*WEIGHED, *UNWEIGHED} == kinds | {"improve"} and not {*WEIGHED} & {*UNWEIGHED}


def test_what_is_refused(refused: Callable[..., str], tuned: Path, tmp_path: Path) -> None:
    assert "at most 96 tokens, the model's context" in refused("why", tuned, "rain fell " * 99)
    foreign = shutil.copytree(tuned / "model", tmp_path / "foreign")
    assert "tells what it was made of" in refused("why", foreign, "The rain fell.")
    begun = shutil.copytree(tuned, tmp_path / "begun")
    record = json.loads((begun / "stage.json").read_text())
    (begun / "stage.json").write_text(json.dumps(record | {"state": "unfinished"}))
    assert "one that was stopped" in refused("why", begun, "The rain fell.")
    assert "nothing there" in refused("why", tmp_path / "nothing", "The rain fell.")
