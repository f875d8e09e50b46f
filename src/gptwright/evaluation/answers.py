"""Exact answers to questions: the reply must be the expected sentence, spaces aside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gptwright.engine.sampling import Sampling
from gptwright.evaluation.intervals import Estimate, share
from gptwright.foundations.errors import InputError
from gptwright.generation.model import Model
from gptwright.tokenizers.chat import Message, prompt_ids, read_messages


@dataclass(frozen=True)
class Question:
    """A conversation that ends with the user, the answer expected, and what kind of question it is."""

    messages: list[Message]
    answer: str
    kind: str


def read_questions(lines: Sequence[dict[str, Any]]) -> list[Question]:
    """Questions from the objects of a JSON Lines file. Raises `InputError` naming the first that lacks something."""
    return [_question(line, f"question {number}") for number, line in enumerate(lines, 1)]


def _question(line: dict[str, Any], where: str) -> Question:
    messages, answer = read_messages(line.get("messages"), where), line.get("answer")
    if not isinstance(answer, str):
        raise InputError(f"a text as 'answer' of {where}", repr(answer), 'Add "answer": "…".')
    return Question(messages, answer, str(line.get("kind", "")))


def exact_answers(model: Model, questions: Sequence[Question], *, max_tokens: int = 40) -> dict[str, Estimate]:
    """Share of exact greedy answers for every kind of question."""
    prompts = [prompt_ids(question.messages, model.tokenizer) for question in questions]
    replies = model.answers(prompts, Sampling(temperature=0, max_tokens=max_tokens))
    right: dict[str, list[bool]] = {}
    for question, reply in zip(questions, replies, strict=True):
        right.setdefault(question.kind, []).append(reply.split() == question.answer.split())
    return {kind: share(sum(hits), len(hits)) for kind, hits in sorted(right.items())}
