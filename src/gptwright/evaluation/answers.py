"""Right answers to questions.

Where a question's line says what is `right`, the reply must hold one of these phrases, and none that is right for
another question of its `relation`: who names two villagers has not answered. Elsewhere it must be the expected
sentence, spaces aside.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gptwright.evaluation.intervals import Estimate, share_by_group
from gptwright.foundations.errors import InputError
from gptwright.foundations.intake import Intake
from gptwright.inference.sampling import Sampling
from gptwright.pipelines.model import Model
from gptwright.text.friendly_rule import holds
from gptwright.text.jsonl import Line, read_objects
from gptwright.tokenizers.chat_templates.chat import Message, prompt_ids, read_prompt
from gptwright.tokenizers.tokenizer import Tokenizer


@dataclass(frozen=True)
class Question:
    """A conversation that ends with the user, the answer expected, and what kind of question it is.

    `right` holds the phrases of which any makes an answer right, `relation` what is asked for.
    """

    messages: list[Message]
    answer: str
    kind: str
    right: tuple[str, ...] = ()
    relation: str = ""
    where: str = field(default="", compare=False)


def read_questions(path: Path) -> list[Question]:
    """The questions of a file. Raises `InputError` naming the first line that lacks something."""
    return [_question(line) for line in read_objects(path)]


def _question(line: Line) -> Question:
    messages, answer = read_prompt(line, line.where), line.get("answer")
    if not isinstance(answer, str) or not answer.strip():
        raise InputError(f"a text as 'answer' of {line.where}", repr(answer), 'Add "answer": "…".')
    right: Any = line.get("right") or []
    if not isinstance(right, list) or not all(isinstance(phrase, str) for phrase in right):
        raise InputError(f"a list of phrases as 'right' of {line.where}", repr(right), 'Write "right": ["…"].')
    kind, relation = (str(line.get(name) or "") for name in ("kind", "relation"))
    return Question(messages, answer, kind, tuple(right), relation, line.where)


def answerable(questions: Sequence[Question], tokenizer: Tokenizer, context: int, intake: Intake) -> list[Question]:
    """Those that fit into the context with the answer that is expected; `intake` is told of the others."""
    found: list[Question] = []
    for question in questions:
        with intake.dropping(question.where):
            needed = len(prompt_ids(question.messages, tokenizer)) + _length(question, tokenizer)
            if needed > context:
                intake.drop(f"of more than {context:,} tokens with the answer", question.where)
            else:
                found.append(question)
    return found


def open_questions(path: Path | None, model: Model, intake: Intake) -> list[Question]:
    """The questions of a file that the model can answer, asked for before the training that they measure; says so
    when some are left out. Raises `InputError` when all are."""
    if path is None:
        return []
    asked = read_questions(path)
    found = answerable(asked, model.tokenizer, model.context, intake)
    intake.require(found, f"questions that the model can answer in {path}", "Shorten them, or raise the context.")
    if len(found) < len(asked):
        intake.report(f"{len(found):,} of {len(asked):,} questions to measure with")
    return found


def _length(question: Question, tokenizer: Tokenizer) -> int:
    """Tokens of the expected answer and its end."""
    return len(tokenizer.encode(question.answer)) + 1


def right_answers(model: Model, questions: Sequence[Question], *, max_tokens: int = 40) -> dict[str, Estimate]:
    """Share of right greedy answers for every kind of question."""
    found: dict[str, list[tuple[str, float, int]]] = {}
    for question, right in zip(questions, rightly_answered(model, questions, max_tokens=max_tokens), strict=True):
        asked = str(prompt_ids(question.messages, model.tokenizer))
        found.setdefault(question.kind, []).append((asked, float(right), 1))
    return {kind: share_by_group(hits) for kind, hits in sorted(found.items())}


def rightly_answered(model: Model, questions: Sequence[Question], *, max_tokens: int = 40) -> list[bool]:
    """Whether the model's greedy answer to each is right; none is cut that is as long as one expected."""
    max_tokens = max([max_tokens, *(_length(question, model.tokenizer) for question in questions)])
    prompts = [prompt_ids(question.messages, model.tokenizer) for question in questions]
    replies = model.answers(prompts, Sampling(temperature=0, max_tokens=max_tokens))
    asked = zip(questions, candidates(questions), replies, strict=True)
    return [is_right(question, others, reply) for question, others, reply in asked]


def is_right(question: Question, others: Iterable[str], reply: str) -> bool:
    """`others` are the phrases that would be right for other questions."""
    if not question.right:
        return reply.split() == question.answer.split()
    return holds(reply, question.right) and not holds(reply, others)


def candidates(questions: Sequence[Question]) -> list[set[str]]:
    """For every question the phrases that are right for others of its relation; what stands in it may be repeated."""
    known: dict[str, set[str]] = defaultdict(set)
    for question in questions:
        known[question.relation].update(question.right)
    return [
        {phrase for phrase in known[question.relation].difference(question.right)
         if not holds(" ".join(message["content"] for message in question.messages), [phrase])}
        for question in questions
    ]  # fmt: skip
