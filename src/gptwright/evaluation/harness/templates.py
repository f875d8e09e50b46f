"""What a task's templates make of a document: contexts, choices or a target, and which of them are right.

Templates are Jinja in a sandbox, over the document's fields; a field's bare name gives the field as it is. How what
they give is read follows lm-evaluation-harness: a number is the place of a choice, "[…]" is a list.
"""

import ast
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gptwright.evaluation.detokenizers import DETOKENIZERS
from gptwright.evaluation.harness.task_config import TaskConfig
from gptwright.foundations.errors import InputError, nearest
from gptwright.text.jsonl import Line

_LIST = re.compile(r"\[.*\]", re.DOTALL)


@dataclass(frozen=True)
class Item:
    """A document as a question. What is asked of each choice are the pairs of a context and a continuation."""

    line: Line
    description: str
    contexts: Sequence[str]
    """one; or one for each choice, and then a single continuation follows them"""
    choices: Sequence[str]
    """of a multiple choice"""
    targets: Sequence[str]
    """texts that are right: the right choices, or what should follow"""
    right: Sequence[int] = ()
    """places of the right choices"""
    suffix: str | None = None
    """what comes after the answer"""
    instruction: str | None = None
    """what is to be done to the text"""
    raw: str = ""
    """a text to be read as a whole as the document has it, before any detokenizer"""

    @property
    def context(self) -> str:
        """The one that is right, as it stands in an example."""
        return self.contexts[self.right[0] if len(self.contexts) > 1 else 0]


class Templates:
    """Makes items of a task's documents, which have the fields called `columns`."""

    def __init__(self, task: TaskConfig, columns: Collection[str]) -> None:
        self.task, self.columns = task, columns
        if task.detokenizer is not None and task.detokenizer not in DETOKENIZERS:
            raise InputError(f"a detokenizer of {task.task}", f"'{task.detokenizer}'",
                             nearest(task.detokenizer, DETOKENIZERS))  # fmt: skip

    def item(self, line: Line) -> Item:
        """Raises `InputError` for a template that fails, a missing field, and a label that is none of the choices."""
        text, target = self._value(self.task.doc_to_text, line), self._target(line)
        description = self._render(self.task.description, line)
        if self.task.doc_to_choice is None:
            raw = [str(each) for each in _list(target)]
            suffix, instruction = (None if template is None else self._render(template, line)
                                   for template in (self.task.doc_to_suffix, self.task.doc_to_instruction))  # fmt: skip
            return Item(line, description, [self._read(text)], [], [self._read(each) for each in raw], suffix=suffix,
                        instruction=instruction, raw=raw[0])  # fmt: skip
        choices = self._choices(line)
        readable = [self._read(choice) for choice in choices]
        if isinstance(text, int):  # the choices are contexts, and one text follows each of them
            return Item(line, description, readable, readable, [self._read(target)], [self._place(text, choices, line)])
        right = [self._place(each, choices, line) for each in _list(target)]
        return Item(line, description, [self._read(text)], readable, [readable[place] for place in right], right)

    def _target(self, line: Line) -> object:
        target = self._value(self.task.doc_to_target, line)
        if isinstance(target, str) and self.task.doc_to_target not in self.columns and _LIST.fullmatch(target):
            target = _literal(target)
        if target is None or target == []:
            raise InputError(f"something that is right in {line.where}", f"{target!r}", "Mend or delete the document.")
        return target

    def _choices(self, line: Line) -> list[str]:
        given: Any = self.task.doc_to_choice
        if isinstance(given, dict):
            given = list(given.values())
        elif isinstance(given, str):
            given = self._field(given, line) if given in self.columns else _literal(self._render(given, line))
        if not isinstance(given, list) or not given:
            raise InputError(f"a list of choices in {line.where}", f"{given!r}"[:60], "Mend doc_to_choice.")
        return [str(choice) for choice in cast("list[object]", given)]

    def _place(self, label: object, choices: list[str], line: Line) -> int:
        """Of the choice that a label names by its number or by its text."""
        if isinstance(label, str) and label in choices:
            return choices.index(label)
        place = int(cast("int", label)) if isinstance(label, int) or str(label).isdecimal() else -1
        if not 0 <= place < len(choices):
            raise InputError(f"a label among the choices {', '.join(map(repr, choices))}"[:200] + f" in {line.where}",
                             f"{label!r}", "Mend the document, or the task's doc_to_target.")  # fmt: skip
        return place

    def _value(self, template: str | int | list[str], line: Line) -> Any:
        """A field as it is; else what is rendered, a number where there are choices."""
        if not isinstance(template, str):
            return template
        if template in self.columns:
            return self._field(template, line)
        if template.isidentifier():  # no text that anybody would give every document
            raise InputError(f"a field of the documents of {self.task.task}", f"'{template}'",
                             nearest(template, self.columns))  # fmt: skip
        text = self._render(template, line)
        return int(text) if text.isdecimal() and self.task.doc_to_choice is not None else text

    def _field(self, name: str, line: Line) -> Any:
        if name not in line:
            raise InputError(f"the field {name} in {line.where}", ", ".join(line), "Mend the document.")
        return line[name]

    def _render(self, template: str, line: Line) -> str:
        try:
            return _compiled(template).render(**line)
        except Exception as error:  # a template is a program: it may fail in any way
            raise InputError(f"a template of {self.task.task} that fits {line.where}, which has {', '.join(line)}",
                             f"{error}", f"It reads {template[:80]!r}: mend either.") from error  # fmt: skip

    def _read(self, text: object) -> str:
        """A text as the model is to read it."""
        return DETOKENIZERS[self.task.detokenizer](str(text)) if self.task.detokenizer else str(text)


def rendered(template: str, fields: Mapping[str, Any]) -> str:
    """What a template makes of some fields."""
    return _compiled(template).render(**fields)


@lru_cache(maxsize=256)
def _compiled(template: str) -> Template:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    filters: dict[str, Any] = environment.filters  # pyright: ignore[reportAssignmentType]
    filters["regex_replace"] = _regex_replace
    return environment.from_string(template)


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else [value]


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def _regex_replace(text: str, pattern: str, replacement: str, count: int = 0) -> str:
    return re.sub(pattern, replacement, text, count=count)
