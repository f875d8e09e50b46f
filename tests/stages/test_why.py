"""why: passages, demonstrations and rankings with where they stand; as text, JSON and a page; what cannot be shown."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_an_answer_of_a_policy(gptwright: Callable[..., Any], improved: Path, tmp_path: Path) -> None:
    out = tmp_path / "why.html"
    done = gptwright("why", improved, "The rain fell.", "--prompt", "What fell?", "--json", "--out", out, "--most", "2")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["prompt"] == "What fell?" and "".join(text for text, _ in found["answer"]) == "The rain fell."
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
    page = out.read_text(encoding="utf-8")
    assert "<mark>" in page and "What fell?" in page and "<script" not in page


def test_as_text_and_with_the_models_own_answer(gptwright: Callable[..., Any], tuned: Path) -> None:
    done = gptwright("why", tuned, "--prompt", "Who walked?")
    assert done.code == 0 or "needed an answer" in done.err
    done = gptwright("why", tuned, "The old miller walked.", "--prompt", "Who walked?")
    assert done.code == 0, done.err
    assert "asked   Who walked?" in done.out and "answer  [The old miller walked.]" in done.out
    assert "the same words in a row" in done.out and "demonstrations that push for the answer" in done.out
    assert "assistant The old miller walked." in done.out and "rankings" not in done.out


def test_a_base_model_has_passages_alone(gptwright: Callable[..., Any], pretrained: Path) -> None:
    done = gptwright("why", pretrained, "the old miller walked to a river", "--prompt", "the")
    assert done.code == 0, done.err
    assert "push" not in done.out and "the same words in a row" in done.out and "not taught to answer" in done.err


def test_files_that_are_gone_are_told_and_the_rest_is_shown(
    gptwright: Callable[..., Any], tuned: Path, tmp_path: Path
) -> None:
    alone = shutil.copytree(tuned, tmp_path / "run/04-sft")
    record = json.loads((alone / "stage.json").read_text())
    record["config"] |= {"tokens": "gone", "base": "gone", "text": "gone"}
    (alone / "stage.json").write_text(json.dumps(record))
    done = gptwright("why", alone, "The rain fell.", "--prompt", "What fell?")
    assert done.code == 0, done.err
    assert "read gone, which is not there" in " ".join(done.out.split()) and "demonstrations that push" in done.out
    record["config"]["conversations"] = ["gone"]
    (alone / "stage.json").write_text(json.dumps(record))
    done = gptwright("why", alone, "The rain fell.")
    assert done.code == 1 and "needed text, conversations or rankings" in done.err and "gptwright see" in done.err


@pytest.mark.parametrize("words", [(), ("", "--prompt", ""), ("  ",)])
def test_no_answer(refused: Callable[..., str], tuned: Path, words: tuple[str, ...]) -> None:
    assert "an answer" in refused("why", tuned, *words)


def test_what_is_refused(refused: Callable[..., str], tuned: Path, tmp_path: Path) -> None:
    assert "at most 96 tokens, the model's context" in refused("why", tuned, "rain fell " * 99)
    foreign = shutil.copytree(tuned / "model", tmp_path / "foreign")
    assert "tells what it was made of" in refused("why", foreign, "The rain fell.")
    begun = shutil.copytree(tuned, tmp_path / "begun")
    record = json.loads((begun / "stage.json").read_text())
    (begun / "stage.json").write_text(json.dumps(record | {"state": "unfinished"}))
    assert "one that was stopped" in refused("why", begun, "The rain fell.")
    assert "nothing there" in refused("why", tmp_path / "nothing", "The rain fell.")
