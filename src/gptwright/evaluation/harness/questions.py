"""Questions for the model: a document with as many examples before it as fit, in ids.

What does not fit gives way in this order: examples that are longer than the context by themselves, then as few as
possible of the others from the front, then the beginning of the question. Each time it is counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gptwright.evaluation.harness.requests import Encoder, Row
from gptwright.evaluation.harness.scoring import metrics_of
from gptwright.evaluation.harness.task_config import TaskConfig
from gptwright.evaluation.harness.templates import Item
from gptwright.foundations.intake import Intake
from gptwright.images.named import named_image


@dataclass(frozen=True)
class Question:
    """An item, what the model reads of it, and the text of the first prompt."""

    item: Item
    prompt: str
    rows: Sequence[Row]
    """one a choice; the target's, or a text's windows; for an answer its prompt, of which nothing is scored"""
    unconditional: Sequence[Row] = ()
    dropped: int = 0
    """examples that did not fit"""


class Questions:
    """Makes questions of a task's items, and tells `intake` what did not fit."""

    def __init__(self, task: TaskConfig, encoder: Encoder, intake: Intake) -> None:
        self.task, self.intake = task, intake
        self._encoder = encoder
        self.answer = min(task.generation_kwargs.max_gen_toks, encoder.context // 2)
        """tokens of an answer at most: half of the context is the prompt's"""
        self._room = encoder.context - self.answer if task.output_type == "generate_until" else encoder.context + 1
        self._against_unconditional = any(metric.metric == "acc_mutual_info" for metric in metrics_of(task))

    def of(self, item: Item, examples: Sequence[Item]) -> Question | None:
        """None where nothing can be scored, which is counted."""
        if self.task.output_type == "loglikelihood_rolling":
            question = Question(item, item.targets[0], self._encoder.windows(item.targets[0]))
            return checked(question, self._encoder.context, self.intake)
        if self.task.doc_to_image:
            return self._about_images(item)
        texts = [example(each, self.task) for each in examples]
        fitting = [text for text in texts if len(self._encoder.ids(text)) <= self._encoder.context]
        if len(fitting) < len(texts):
            self.intake.cut("without an example that is longer than the context", item.line.where)
        kept, rows = self._fit(item, fitting)
        if len(kept) < len(fitting):
            self.intake.cut("with fewer examples, as the context holds no more", item.line.where)
        prompt = self._prompts(item, kept)[0]
        question = Question(item, prompt, rows, self._alone(item), len(texts) - len(kept))
        if item.instruction is not None and len(rows[0].ids) > self._room:
            self.intake.drop("whose text is longer than the context holds beside an answer", item.line.where)
            return None
        if self.task.output_type == "generate_until":
            ids = self._shortened(prompt, item, rows[0].ids)
            return _with_rows(question, [Row(ids, len(ids))], self.intake)
        return checked(question, self._encoder.context, self.intake)

    def _about_images(self, item: Item) -> Question | None:
        """Its images and its text are what the user says, and the choices answers."""
        images = [named_image(name, Path()) for name in item.line[self.task.doc_to_image]]
        asked, rows = self._encoder.conversation(item.contexts[0], images), list[Row]()
        if images and not asked.images:
            self.intake.cut("without images, for the model cannot see", item.line.where)
        for choice in item.choices if self.task.output_type == "multiple_choice" else ():
            rows.append(replace(asked, ids=asked.ids + self._encoder.answer(choice)))
        rows = rows or [asked]
        if max(len(row.ids) for row in rows) > self._room:
            self.intake.drop("whose images are longer than the context holds beside an answer", item.line.where)
            return None
        return Question(item, item.contexts[0], rows)

    def _shortened(self, prompt: str, item: Item, ids: tuple[int, ...]) -> tuple[int, ...]:
        """A prompt that leaves an answer its room: its end, or what is nearest to the hole that is to be filled."""
        if len(ids) <= self._room:
            return ids
        return self._encoder.insertion(prompt, item.suffix, self._room) or ids[-self._room :]

    def _fit(self, item: Item, examples: list[str]) -> tuple[list[str], list[Row]]:
        """Most examples, from the last one on, with which every row fits; if none does, the rows without examples."""
        rows = self._rows(item, examples)
        while examples and max(len(row.ids) for row in rows) > self._room:
            examples = examples[1:]
            rows = self._rows(item, examples)
        return examples, rows

    def _prompts(self, item: Item, examples: Sequence[str]) -> list[str]:
        before = item.description + "".join(examples)
        return [before + context for context in item.contexts]

    def _rows(self, item: Item, examples: Sequence[str]) -> list[Row]:
        prompts = self._prompts(item, examples)
        if self.task.output_type == "generate_until":
            ids = (self._encoder.edit(prompts[0], item.instruction)
                   or self._encoder.insertion(prompts[0], item.suffix)
                   or self._encoder.prompt(prompts[0]))  # fmt: skip
            return [Row(ids, len(ids))]
        return [self._encoder.pair(prompt, text) for prompt in prompts for text in self._continuations(item)]

    def _alone(self, item: Item) -> list[Row]:
        """The choices after the neutral context."""
        if not self._against_unconditional:
            return []
        return [self._encoder.pair(self.task.unconditional or "", text) for text in self._continuations(item)]

    def _continuations(self, item: Item) -> list[str]:
        """What is scored. In a log-likelihood task the template writes the blank before the target itself."""
        if self.task.output_type == "loglikelihood":
            return [item.targets[0]]
        texts = item.targets if len(item.contexts) > 1 else item.choices
        return [self.task.target_delimiter + text for text in texts]


def checked(question: Question, context: int, intake: Intake) -> Question | None:
    """The question with rows that the context holds; None where nothing can be scored. `intake` counts both."""
    where, counts = question.item.line.where, [row.count for row in (*question.rows, *question.unconditional)]
    if not counts or not all(counts) or not all(question.item.choices):
        intake.drop("without a token to score", where)
    elif max(counts) > context:
        intake.drop("whose target is longer than the context", where)
    else:
        return _with_rows(question, [row.cut(context) for row in question.rows], intake)
    return None


def _with_rows(question: Question, rows: Sequence[Row], intake: Intake) -> Question:
    if list(rows) != list(question.rows):
        intake.cut("at the beginning, as the context holds no more", question.item.line.where)
    return replace(question, rows=rows)


def example(item: Item, task: TaskConfig) -> str:
    """How a document stands among the examples: with its answer, and what divides it from the next."""
    return f"{item.context}{task.target_delimiter}{item.targets[0]}{task.fewshot_delimiter}"
