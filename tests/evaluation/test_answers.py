import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gptwright.evaluation.answers import is_right, open_questions, read_questions, right_answers
from gptwright.foundations.errors import InputError
from gptwright.foundations.intake import Intake
from gptwright.inference.sampling import Sampling
from gptwright.models.gpt2 import GPT2
from gptwright.pipelines.model import Model
from gptwright.tokenizers.chat_templates.chat import prompt_ids
from gptwright.tokenizers.tokenizer import Tokenizer


class Scripted(Model):
    """Answers from a list and notes what it was asked."""

    replies: tuple[str, ...] = ()

    def answers(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[str]:
        self.asked = prompts
        assert sampling.temperature == 0
        return list(self.replies)


def line(question: str, answer: str, kind: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}], "answer": answer, "kind": kind}


def written(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in lines))
    return path


def test_a_reply_must_be_the_sentence_spaces_aside(network: GPT2, tokenizer: Tokenizer, tmp_path: Path) -> None:
    model = Scripted(network, tokenizer, "scripted")
    model.replies = ("A  cat\nsat.", "a cat sat.", "A cat sat. Yes.", "yes")
    lines = [
        line("q1", "A cat sat.", "b"),
        line("q2", "A cat sat.", "b"),
        line("q3", "A cat sat.", "b"),
        line("q4", "yes", "a"),
    ]
    questions = read_questions(written(tmp_path / "q.jsonl", *lines))
    found = right_answers(model, questions)
    assert {kind: (e.value, e.count) for kind, e in found.items()} == {"a": (1.0, 1), "b": (1 / 3, 3)}
    assert list(found) == ["a", "b"]
    assert model.asked == [prompt_ids(q.messages, tokenizer) for q in questions]


def test_a_right_phrase_decides_and_no_other_candidate(network: GPT2, tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Word by word, in any dress; what the question names may be repeated, another answer to the same may not."""

    def fact(asked: str, right: str, relation: str = "friend") -> dict[str, Any]:
        return line(asked, f"It is {right}.", "k") | {"right": [right], "relation": relation}

    lines = [fact("Who is Mira's friend?", "Otto"), fact("Who is Otto's friend?", "Mira"),
             fact("What does Mira do?", "a baker", "job"), fact("What does Otto do?", "a cook", "job")]  # fmt: skip
    questions = read_questions(written(tmp_path / "q.jsonl", *lines))
    model = Scripted(network, tokenizer, "scripted")
    for replies, right in [
        (("You ask about Mira. OTTO!", "Otto, it is Mira.", "Mira is a baker.", "A cook, not like Mira."), 4),
        (("Ottos", "Otto's friend", "A bakery.", "A cook or a baker."), 0),
    ]:
        model.replies = replies
        assert right_answers(model, questions)["k"].value == right / 4
    found = read_questions(written(tmp_path / "q.jsonl", line("q", "a", "k") | {"right": ["x", "y"]}))
    assert (
        found[0].right == ("x", "y") and is_right(found[0], ["z"], "y, then") and not is_right(found[0], ["z"], "y z")
    )


def test_no_questions_have_no_figures(network: GPT2, tokenizer: Tokenizer) -> None:
    assert right_answers(Model(network, tokenizer, "tiny"), []) == {}


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"answer": "x"}, "a list of messages in line 2 of"),
        ({"messages": [{"role": "user", "content": "q"}]}, "line 2 of"),
        ({"prompt": "q", "answer": "a", "right": "a"}, "a list of phrases as 'right' of line 2 of"),
        ({"prompt": "q", "answer": "a", "right": [1]}, "a list of phrases as 'right' of line 2 of"),
    ],
)
def test_what_a_question_lacks_is_named(item: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        read_questions(written(tmp_path / "q.jsonl", line("q", "a", ""), item))


@pytest.mark.parametrize(
    "item",
    [
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "answer": "a"},
        {"prompt": "q", "answer": None},
        {"prompt": "q", "answer": "  "},
    ],
)
def test_questions_that_cannot_be_asked(item: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text("\n" + json.dumps(item))
    with pytest.raises(InputError, match=r"line 2 of .*q\.jsonl"):
        read_questions(path)


def test_null_is_no_kind(tmp_path: Path) -> None:
    assert read_questions(written(tmp_path / "q.jsonl", {"prompt": "q", "answer": "a", "kind": None}))[0].kind == ""


def test_questions_that_do_not_fit_are_named_counted_and_passed_over(
    network: GPT2, tokenizer: Tokenizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Model(network, tokenizer, "tiny")
    room = model.context - len(prompt_ids([{"role": "user", "content": "q"}], tokenizer)) - 1
    answers = ["cat", "x" * room, "x" * (room + 1)]
    assert [len(tokenizer.encode(a)) for a in answers[1:]] == [room, room + 1]
    path = written(tmp_path / "q.jsonl", *({"prompt": "q", "answer": a} for a in answers))
    found = open_questions(path, model, Intake("sft"))
    assert [question.answer for question in found] == answers[:2]
    assert (
        f"sft: 2 of 3 questions to measure with; 1 dropped (1 of more than {model.context} tokens with the answer, the "
        f"first on line 3 of {path})"
    ) in capsys.readouterr().err
    assert right_answers(model, found)[""].count == 2
    path.write_text(json.dumps({"prompt": "q", "answer": answers[2]}))
    with pytest.raises(InputError, match="questions that the model can answer"):
        open_questions(path, model, Intake("sft"))
    assert open_questions(None, model, Intake("sft")) == []


def test_no_answer_is_cut_that_is_as_long_as_the_one_expected(
    network: GPT2, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    class Noted(Scripted):
        def answers(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[str]:
            self.most = sampling.max_tokens
            return super().answers(prompts, sampling)

    model = Noted(network, tokenizer, "noted")
    model.replies = ("x" * 50,)
    questions = read_questions(written(tmp_path / "q.jsonl", line("q", "x" * 50, "k")))
    assert right_answers(model, questions)["k"].value == 1
    assert model.most == 51
