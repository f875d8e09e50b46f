"""score: lines as they came with a number for each answer; what does not fit is null, what is no answer is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gptwright.pipelines.load import load
from gptwright.pipelines.sequence_scorer import SequenceScorer
from gptwright.tokenizers.chat_templates.chat import Message, render

ASK: list[Message] = [{"role": "user", "content": "Who?"}]
ANSWERS = ["The cat.", "A boat fell.", "River."]


def lines(path: Path, *objects: Any) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in objects), encoding="utf-8")
    return path


def expected(rewarded: Path) -> list[float]:
    """Of each answer read by itself."""
    scorer = load(rewarded)
    assert isinstance(scorer, SequenceScorer)
    rows = [render([*ASK, {"role": "assistant", "content": text}], scorer.tokenizer)[0] for text in ANSWERS]
    return [float(scorer.logits([row])) for row in rows]


@pytest.mark.parametrize("verb", [("score",), ("reward", "score")])
def test_every_kind_of_line(
    gptwright: Callable[..., Any], rewarded: Path, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    one, two, three = expected(rewarded)
    given = [
        {"prompt": "Who?", "answers": ANSWERS, "ranks": [1, 2, 2], "labeller": "Ann", "id": 7},
        {"messages": ASK, "answers": ANSWERS[:1]},
        {"prompt": "Who?", "chosen": ANSWERS[1], "rejected": ANSWERS[2]},
        {"messages": [*ASK, {"role": "assistant", "content": ANSWERS[0]}]},
    ]
    done = gptwright(*verb, rewarded, lines(tmp_path / "a.jsonl", *given))
    assert done.code == 0, done.err
    found = [json.loads(line) for line in done.out.splitlines()]
    numbers = [[one, two, three], [one], [two, three], [one]]
    for line, before, own in zip(found, given, numbers, strict=True):
        scores = line.pop("scores") if "scores" in line else [line.pop("score")]
        assert line == before
        torch.testing.assert_close(torch.tensor(scores), torch.tensor(own), atol=1e-5, rtol=1e-4)
    assert "4 prompts, 7 answers" in done.err and "of 3 pairs right" in done.err


def test_what_does_not_fit_is_null_and_counted(gptwright: Callable[..., Any], rewarded: Path, tmp_path: Path) -> None:
    long, out = "the dog ran " * 100, tmp_path / "out.jsonl"
    path = lines(tmp_path / "a.jsonl", {"prompt": "Who?", "answers": [long, "The cat."]},
                 {"prompt": "Who?", "answers": [long]}, {"prompt": long, "answers": ["The cat."]})  # fmt: skip
    done = gptwright("score", rewarded, path, "--out", out)
    assert done.code == 0 and done.out == ""
    first, second = (json.loads(line)["scores"] for line in out.read_text().splitlines())
    assert first[0] is None and first[1] is not None and len(second) == 1
    assert (
        "1 dropped (1 emptied by answers" in done.err and "2 cut" in done.err and "the prompt's beginning" in done.err
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"messages": ASK}, "a prompt alone"),
        ({"prompt": "Who?"}, "a list of messages"),
        ({"prompt": "Who?", "answers": []}, "a list of texts as 'answers' in line 1"),
        ({"prompt": "Who?", "answers": ["a", None]}, "a list of texts as 'answers' in line 1"),
        ({"prompt": "Who?", "answers": ["a", "b"], "ranks": [1]}, "two or more answers and as many ranks"),
        ({"prompt": "Who?", "answers": ["the dog ran " * 100]}, "answers to score; got none; 1 dropped"),
    ],
)
def test_what_is_no_answer(
    refused: Callable[..., str], rewarded: Path, tmp_path: Path, line: dict[str, Any], says: str
) -> None:
    assert says in refused("score", rewarded, lines(tmp_path / "a.jsonl", line))


def test_only_a_reward_model_whose_scores_are_numbers(
    refused: Callable[..., str], rewarded: Path, tuned: Path, tmp_path: Path
) -> None:
    path = lines(tmp_path / "a.jsonl", {"prompt": "Who?", "answers": ANSWERS})
    assert "a reward model in" in refused("score", tuned, path)
    broken: Any = load(rewarded)
    with torch.no_grad():
        broken.network.head.score.weight.fill_(3e38)  # which a sum of them overflows
    broken.save(tmp_path / "broken")
    assert "NaN" in refused("score", tmp_path / "broken", path)
