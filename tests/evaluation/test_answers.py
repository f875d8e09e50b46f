from collections.abc import Sequence
from typing import Any

import pytest

from gptwright.engine.sampling import Sampling
from gptwright.evaluation.answers import exact_answers, read_questions
from gptwright.foundations.errors import InputError
from gptwright.generation.model import Model
from gptwright.models.gpt2 import GPT2
from gptwright.tokenizers.chat import prompt_ids
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


def test_a_reply_must_be_the_sentence_spaces_aside(network: GPT2, tokenizer: Tokenizer) -> None:
    model = Scripted(network, tokenizer, "scripted")
    model.replies = ("A  cat\nsat.", "a cat sat.", "A cat sat. Yes.", "yes")
    lines = [
        line("q1", "A cat sat.", "b"),
        line("q2", "A cat sat.", "b"),
        line("q3", "A cat sat.", "b"),
        line("q4", "yes", "a"),
    ]
    questions = read_questions(lines)
    found = exact_answers(model, questions)
    assert {kind: (e.value, e.count) for kind, e in found.items()} == {"a": (1.0, 1), "b": (1 / 3, 3)}
    assert list(found) == ["a", "b"]
    assert model.asked == [prompt_ids(q.messages, tokenizer) for q in questions]


def test_no_questions_have_no_figures(network: GPT2, tokenizer: Tokenizer) -> None:
    assert exact_answers(Model(network, tokenizer, "tiny"), []) == {}


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"answer": "x"}, "a list of messages in question 2"),
        ({"messages": [{"role": "user", "content": "q"}]}, "question 2"),
    ],
)
def test_what_a_question_lacks_is_named(item: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_questions([line("q", "a", ""), item])
