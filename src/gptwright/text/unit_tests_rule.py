"""Tests as reward: an answer is the body of the function that its prompt begins, and passes or fails its examples."""

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, cast

from gptwright.foundations.errors import InputError
from gptwright.sandbox.sandbox import Check, Sandbox
from gptwright.text.rule_field import rule_field

EXAMPLE = [["double(2)", "4"]]


def unit_tests(line: Mapping[str, Any], answer: str) -> float:
    """1 where the last message, the answer as its body, passes all `examples` of the line in the sandbox; otherwise 0.

    `examples` are pairs of what is typed and what is printed; `beside` is code that stands before the function. Blanks
    around an answer do not count: it begins below the description; blanks alone pass nothing. Raises `InputError` for a
    line without examples, `ResourceError` where this machine has no sandbox: nothing is run without one.
    """
    examples = [_example(each) for each in rule_field(line, "examples", EXAMPLE)]
    if not answer.strip():
        _sandbox()
        return 0.0
    head = str(line["messages"][-1]["content"]).rstrip()
    last = head.rpartition("\n")[2]
    blanks = last[: len(last) - len(last.lstrip())]
    program = f"{line.get('beside', '')}\n{head}\n{blanks}{answer.strip()}\n"
    return float(_passes(program, tuple(examples)))


def _example(pair: Any) -> tuple[str, str]:
    if not isinstance(pair, list) or len(cast("list[Any]", pair)) != len(EXAMPLE[0]):
        raise InputError("pairs of what is typed and what is printed as examples", f"{pair!r:.60}",
                         f"Write {EXAMPLE[0]}.")  # fmt: skip
    typed, printed = cast("list[Any]", pair)
    return str(typed), str(printed)


@lru_cache(maxsize=4096)
def _passes(program: str, examples: tuple[tuple[str, str], ...]) -> bool:
    """Once for each program: several answers to a prompt are often the same."""
    return _sandbox().run(Check.examples(program, examples)).passed


@cache
def _sandbox() -> Sandbox:
    return Sandbox()
