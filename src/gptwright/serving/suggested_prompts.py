"""Questions that the page offers to somebody who does not know what to ask."""

import json
from pathlib import Path
from typing import Any, cast

from gptwright.foundations.errors import ArtifactError, InputError, found_at

EXAMPLES = "examples.jsonl"
"""in a run's folder"""


def read_examples(path: Path, most: int = 6) -> tuple[str, ...]:
    """The first `most` prompts of a JSON Lines file: `{"prompt": "…"}`, or `{"messages": […]}` ending with the user.

    Raises `InputError` when there is no such file and `ArtifactError` naming a line of another kind.
    """
    if not path.is_file():
        raise InputError(f"a file of prompts at {path}", found_at(path), "Correct the path.")
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return tuple(_prompt(line, f"{path}, line {number}") for number, line in enumerate(lines[:most], start=1))


def _prompt(line: str, where: str) -> str:
    try:
        record = cast("dict[str, Any]", json.loads(line))
        prompt = record["prompt"] if "prompt" in record else record["messages"][-1]["content"]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise _not_a_prompt(where) from error
    if not isinstance(prompt, str) or not prompt.strip():
        raise _not_a_prompt(where)
    return prompt.strip()


def _not_a_prompt(where: str) -> ArtifactError:
    return ArtifactError(f'{{"prompt": "…"}} in {where}', "a line of another kind", "Correct or delete that line.")
