"""What a prompt's line says beside its messages, for a rule to judge the answers by."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from gptwright.foundations.errors import InputError
from gptwright.text.jsonl import Line

T = TypeVar("T", str, int, list[Any])


def rule_field(line: Mapping[str, Any], name: str, example: T) -> T:
    """The field of this name. Raises `InputError` unless it is of the kind of `example`, and not empty."""
    value = line.get(name)
    if type(value) is not type(example) or value in ("", []):
        where = f" on {line.where}" if isinstance(line, Line) else ""
        raise InputError(f'"{name}" beside a prompt, to judge its answers by', f"{value!r:.60}{where}",
                         f"Write {json.dumps({name: example})}.")  # fmt: skip
    return cast("T", value)
