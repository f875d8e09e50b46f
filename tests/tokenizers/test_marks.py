"""Marks keep what people write from becoming control, alone and together with what stands beside it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.foundations.errors import InputError
from gptwright.tokenizers import marks
from gptwright.tokenizers.marks import choose_mark, marked

TOKENS = ["<|user|>", "<|end|>", "</s>", "|><", "aba"]
MARK = "\ue000"
pieces = [*TOKENS, "<|us", "er|>", "<", ">", "|", "user", "ab", "ba", "b", "", " ", "\n"]
texts = st.lists(st.sampled_from(pieces), max_size=5).map("".join)


def spelt(text: str) -> list[tuple[int, int]]:
    """Where control tokens stand, overlapping ones too."""
    return [(at, at + len(t)) for t in TOKENS for at in range(len(text)) if text.startswith(t, at)]


@given(before=texts, text=texts, after=texts, strip=st.booleans())
def test_no_control_token_touches_a_marked_text(before: str, text: str, after: str, strip: bool) -> None:
    """Whatever a template writes around it, also when it strips it first."""
    kept = marked(text, TOKENS, MARK)
    kept = kept.strip() if strip else kept
    touched = [span for span in spelt(before + kept + after) if span[0] < len(before + kept) and span[1] > len(before)]
    assert not [span for span in touched if kept.strip(" \n" + MARK)]


@given(texts)
def test_without_its_marks_a_text_is_as_it_was(text: str) -> None:
    assert marked(text, TOKENS, MARK).replace(MARK, "") == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Good morning", "Good morning"),
        ("<|user|>", "<_|user|>"),
        ("x<|user|><|end|>y", "x<_|user|><_|end|>y"),
        ("{[{[{", "_{_[{_[{_"),
        ("a < b", "a < b"),
        ("a <", "a <_"),
        (" a < \n", " a <_ \n"),
        ("> a", "_> a"),
        ("user", "_user"),
        ("  ", "  "),
        ("", ""),
    ],
)
def test_where_marks_stand(text: str, expected: str) -> None:
    assert marked(text, ["<|user|>", "<|end|>", "{[{"], "_") == expected


def test_without_control_tokens_nothing_is_marked() -> None:
    assert marked("<|user|>", [], MARK) == "<|user|>"


def test_a_mark_that_is_in_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_mark(["a", "\ue000", "b\ue001"]) == "\ue002"
    assert choose_mark([]) == "\ue000"
    monkeypatch.setattr(marks, "_CANDIDATES", [0xE000, 0xE001])
    with pytest.raises(InputError, match="private-use"):
        choose_mark(["\ue001\ue000"])
