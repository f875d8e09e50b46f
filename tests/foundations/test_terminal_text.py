"""A model's text cannot steer a terminal, and is otherwise shown as it is."""

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.foundations.terminal_text import for_terminal, spell_controls


@pytest.mark.parametrize(("text", "shown"), [
    ("plain, 你好 😀 é\n\tx", "plain, 你好 😀 é\n\tx"), ("\x1b[2J", r"\x1b[2J"), ("a\rb", r"a\rb"), ("\x07", r"\x07"),
    ("\x1b]0;title\x07", r"\x1b]0;title\x07"), ("\x9b31m", r"\x9b31m"), ("\u202eabc", r"\u202eabc"), ("\x7f", r"\x7f"),
    ("\x00", r"\x00"),
])  # fmt: skip
def test_what_would_steer_is_spelled_out(text: str, shown: str) -> None:
    assert spell_controls(text) == shown


@given(st.text(), st.integers(0, 50))
def test_nothing_steers_however_it_is_cut(text: str, at: int) -> None:
    shown = spell_controls(text)
    assert shown == spell_controls(text[:at]) + spell_controls(text[at:])
    assert not set(shown) & {chr(code) for code in [*range(9), *range(11, 32), *range(127, 160), 0x202E]}


def test_a_pipe_gets_every_character(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    assert for_terminal("\x1b[1m") == r"\x1b[1m"
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert for_terminal("\x1b[1m") == "\x1b[1m"
