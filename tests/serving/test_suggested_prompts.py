"""Prompts that the page offers, from the files that other stages use."""

from pathlib import Path

import pytest

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.serving.suggested_prompts import read_examples


def test_prompts_and_conversations(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text(
        '{"prompt": " What? "}\n\n{"messages": [{"role": "user", "content": "为什么？"}]}\n', encoding="utf-8"
    )
    assert read_examples(path) == ("What?", "为什么？")


def test_only_the_first_few(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(f'{{"prompt": "{n}"}}\n' for n in range(9)))
    assert read_examples(path, most=2) == ("0", "1")


@pytest.mark.parametrize("line", ["{", "3", "[]", "{}", '{"prompt": 3}', '{"prompt": " "}', '{"messages": []}'])
def test_other_lines_are_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text(line)
    with pytest.raises(ArtifactError, match="line 1"):
        read_examples(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read_examples(tmp_path / "none.jsonl")
