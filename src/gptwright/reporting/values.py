"""JSON as it may come: a value of the wrong kind counts as absent, so that half a run can still be shown."""

from collections.abc import Mapping
from math import isfinite
from typing import Any, cast


def table(value: object) -> dict[str, object]:
    """The value when it is a table with text keys, else an empty one."""
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else {}


def items(value: object) -> list[object]:
    """The value when it is a list, else an empty one."""
    return list(cast("list[Any]", value)) if isinstance(value, list) else []


def number(value: object) -> float | None:
    """The value when it is a finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value)


def whole(value: object) -> int:
    """The value when it is a count, else 0."""
    found = number(value)
    return 0 if found is None else int(found)


def hashes(value: object) -> dict[str, str]:
    """Hashes by name; what is no text is left out."""
    return {name: item for name, item in table(value).items() if isinstance(item, str)}
