"""To whoever looks, the true text; to whoever writes, one that spells no special token."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.foundations.errors import InputError
from gptwright.tokenizers.chat_templates import special_token_escaping
from gptwright.tokenizers.chat_templates.special_token_escaping import EscapedText, Escaping, joined, unescape

TOKENS = ["<|user|>", "</s>", "</think>", "\n\n"]
parts = st.sampled_from([*TOKENS, "<|us", "er|>", "<", "|", "user", " ", "\n", "\r\n", "a", "é", "", "7", "\ue000"])
texts = st.lists(parts, max_size=6).map("".join)
METHODS: dict[str, Any] = {
    "split": lambda t, u: t.split(u) if u else t.split(), "rsplit": lambda t, u: t.rsplit(None, 1),
    "rsplit by": lambda t, u: t.rsplit(u or "a", 1), "partition": lambda t, u: t.partition(u or "a"),
    "rpartition": lambda t, u: t.rpartition(u or "a"), "lines": lambda t, u: t.splitlines(),
    "kept lines": lambda t, u: t.splitlines(True), "strip": lambda t, u: t.strip(), "lstrip": lambda t, u: t.lstrip(u),
    "rstrip": lambda t, u: t.rstrip(u or None), "prefix": lambda t, u: t.removeprefix(u),
    "suffix": lambda t, u: t.removesuffix(u), "replace": lambda t, u: t.replace(u, "</s>", 2),
    "slice": lambda t, u: t[1:-1], "characters": list, "reversed": lambda t, u: t[::-1],
    "upper": lambda t, u: t.upper(),
    "starts": lambda t, u: t.startswith(u), "starts with any": lambda t, u: t.startswith((u, "<")),
    "ends": lambda t, u: t.endswith(u), "in": lambda t, u: u in t, "find": lambda t, u: t.find(u),
    "count": lambda t, u: t.count(u), "length": lambda t, u: len(t), "equal": lambda t, u: (t == u, t != u, t < u),
    "key": lambda t, u: {t: 1}.get(u), "listed": lambda t, u: t in [u, "a"], "times": lambda t, u: (t * 2, 2 * t),
    "sum": lambda t, u: (t + u, u + t), "join": lambda t, u: t.join([u, "a", u]), "title": lambda t, u: t.title(),
    "kind": lambda t, u: (t.isspace(), t.isdigit(), t.isalpha()), "centre": lambda t, u: t.center(9),
}  # fmt: skip


def shown(value: Any) -> Any:
    value = unescape(value)
    return tuple(value) if isinstance(value, list) else value


@pytest.mark.parametrize("name", METHODS)
@given(text=texts, other=texts, both=st.booleans())
def test_it_looks_like_the_text(name: str, text: str, other: str, both: bool) -> None:
    method, escaping = METHODS[name], Escaping(TOKENS, [text, other])
    use = (lambda t, _: list(t)) if name == "characters" else method
    expected = use(text, other)
    found = use(escaping.escape(text), escaping.escape(other) if both else other)
    assert shown(found) == shown(expected)
    parts = found if isinstance(found, (list, tuple)) else [found]
    assert not any(type(part) is str and part.strip() for part in parts), "nothing is forgotten"


@given(texts, texts, texts)
def test_nothing_that_is_written_of_it_spells_a_control_token(before: str, text: str, after: str) -> None:
    escaping = Escaping(TOKENS, [before, text, after])
    hidden = str.__str__(escaping.escape(text))
    for part in (hidden, "%s" % hidden, "".join([hidden]), f"{hidden}", hidden.encode().decode()):  # noqa: UP031
        whole = before + str.translate(part, {}) + after
        for token in (t for t in TOKENS if not t.isspace()):
            spelt = [at for at in range(len(whole)) if str.startswith(whole, token, at)]
            assert all(at + len(token) <= len(before) or at >= len(before) + len(part) for at in spelt)
    assert hidden.translate(escaping.originals) == text


def test_numbers_in_it() -> None:
    found = Escaping(["<7>"], []).escape("77")
    assert (int(found), float(found), isinstance(found, str)) == (77, 77.0, True)


def test_texts_put_together() -> None:
    escaping = Escaping(TOKENS, [])
    assert (
        isinstance(joined(["a", escaping.escape("user"), 3]), EscapedText)
        and unescape(joined(["a", escaping.escape("user"), 3])) == "auser3"
    )
    assert type(joined(["a", "b"])) is str


def test_escapes_that_are_in_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(Escaping(["ab"], ["\ue000", "x\ue002"]).originals) == {0xE001, 0xE003}
    monkeypatch.setattr(special_token_escaping, "_CANDIDATES", [0xE000, 0xE001])
    with pytest.raises(InputError, match="private-use"):
        Escaping(["ab"], ["\ue001"])
