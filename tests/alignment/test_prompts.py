import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gptwright.alignment.prompts import prompts_within, read_asked, text_of
from gptwright.foundations.errors import InputError
from gptwright.foundations.intake import Intake
from gptwright.tokenizers.chat_templates.chat import prompt_ids
from gptwright.tokenizers.tokenizer import Tokenizer


def write(path: Path, *lines: Any) -> Path:
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return path


def test_prompts_keep_their_lines_and_long_ones_are_dropped(tokenizer: Tokenizer, tmp_path: Path) -> None:
    asked = [{"role": "user", "content": "the cat"}]
    path = write(
        tmp_path / "p.jsonl",
        {"prompt": "the cat", "split": "Test", "id": 7},
        {"prompt": "the dog " * 30},
        {"messages": asked, "prompt": None, "split": None},
        {"messages": asked, "prompt": "the cat "},
    )
    intake = Intake("ppo")
    found = prompts_within(read_asked(path), partial(prompt_ids, tokenizer=tokenizer), 12, intake)
    assert [prompt.messages for prompt in found] == [asked] * 3
    assert [list(prompt) for prompt in found] == [prompt_ids(asked, tokenizer)] * 3  # pyright: ignore
    assert [prompt.line.split for prompt in found] == ["heldout", None, None] and found[0].line["id"] == 7
    assert str(intake.dropped) == f"1 dropped (1 of more than 12 tokens, the first on line 2 of {path})"
    assert len({text_of(prompt.messages) for prompt in found}) == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"question": "x"}, "got the fields question"),
        ({}, r"\(none\)"),
        ({"prompt": None}, "line 2"),
        ({"prompt": 5}, "a list of messages in line 2"),
        ({"messages": []}, "a list of messages in line 2"),
        ({"messages": [{"role": "user", "content": None}]}, "text as content"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "ends with its answer"),
        ({"prompt": "a", "messages": [{"role": "user", "content": "b"}]}, "that differ"),
    ],
)
def test_lines_that_ask_nothing(tmp_path: Path, line: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=r"(?s)line 2 of .*p\.jsonl.*") as error:
        read_asked(write(tmp_path / "p.jsonl", {"prompt": "a"}, line))
    with pytest.raises(InputError, match=said):
        raise error.value
