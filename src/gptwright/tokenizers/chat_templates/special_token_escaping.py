"""What people say, inside a chat template: to the template it is the true text, where it is written out it cannot be
read as a control token.

Every character that some control token is made of has a private-use twin that stands in no message and no template.
`EscapedText` holds the twins in place of the characters, one for one, so that nothing that is written, cut or joined of
it can spell a control token, alone or with what stands beside it; whoever compares, searches, splits or counts it sees
the characters. What escapes this class, in C code say, is still made of twins: inspection may then miss a text, but no
text ever becomes control.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any, SupportsIndex, cast

from gptwright.foundations.errors import InputError

_CANDIDATES = [*range(0xE000, 0xF900), *range(0xF0000, 0xFFFFE), *range(0x100000, 0x10FFFE)]


class Escaping:
    """The characters of control tokens and their twins."""

    def __init__(self, tokens: Iterable[str], texts: Sequence[str]) -> None:
        """Twins that occur in none of the `texts`. Raises `InputError` when those use too many private characters.

        Spaces need none, as templates strip them, unless a token is made of nothing else.
        """
        letters = {c for token in tokens for c in (token if token.isspace() else "".join(token.split()))}
        used = set[str]().union(*texts)
        free = (code for code in _CANDIDATES if chr(code) not in used)
        twins = dict(zip(sorted(letters), free, strict=False))
        if len(twins) < len(letters):
            raise InputError(f"messages with {len(letters)} private-use characters unused", "fewer", "Shorten them.")
        self.hide = {ord(letter): code for letter, code in twins.items()}
        self.show = {code: ord(letter) for letter, code in twins.items()}

    def escape(self, text: str) -> "EscapedText":
        """A text of people."""
        return EscapedText.of(text.translate(self.hide), self)


class EscapedText(str):
    """A text that people wrote, or that holds some of theirs."""

    escaping: Escaping

    @staticmethod
    def of(written: str, twins: Escaping) -> "EscapedText":
        found = EscapedText(written)
        found.escaping = twins
        return found

    @property
    def true(self) -> str:
        return str.translate(self, self.escaping.show)

    def _cut(self, start: int, end: int) -> "EscapedText":
        return EscapedText.of(str.__getitem__(self, slice(start, end)), self.escaping)

    def _pieces(self, pieces: Iterable[str]) -> "list[EscapedText]":
        """The parts of this text that are equal to these, one after the other."""
        found, at, true = list[EscapedText](), 0, self.true
        for piece in pieces:
            at = true.index(piece, at)
            found.append(self._cut(at, at + len(piece)))
            at += len(piece)
        return found

    def __str__(self) -> str:
        return self

    def __hash__(self) -> int:
        return hash(self.true)

    def __eq__(self, other: object) -> bool:
        return self.true == _unescaped(other)

    def __ne__(self, other: object) -> bool:
        return self.true != _unescaped(other)

    def __contains__(self, other: Any) -> bool:
        return _unescaped(other) in self.true

    def __int__(self) -> int:
        return int(self.true)

    def __float__(self) -> float:
        return float(self.true)

    def __getitem__(self, key: SupportsIndex | slice) -> "EscapedText":
        return EscapedText.of(str.__getitem__(self, key), self.escaping)

    def __iter__(self) -> Iterator["EscapedText"]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return (self._cut(at, at + 1) for at in range(len(self)))

    def __add__(self, other: str) -> "EscapedText":
        return EscapedText.of(str.__add__(self, other), self.escaping)

    def __radd__(self, other: str) -> "EscapedText":
        return EscapedText.of(str.__add__(other, self), self.escaping)

    def __mul__(self, times: SupportsIndex) -> "EscapedText":
        return EscapedText.of(str.__mul__(self, times), self.escaping)

    def __rmul__(self, times: SupportsIndex) -> "EscapedText":  # pyright: ignore
        return self * times

    def join(self, texts: Iterable[str], /) -> "EscapedText":
        return EscapedText.of(str.join(self, texts), self.escaping)

    def lstrip(self, chars: str | None = None, /) -> "EscapedText":
        return self._cut(len(self) - len(self.true.lstrip(_unescaped(chars))), len(self))

    def rstrip(self, chars: str | None = None, /) -> "EscapedText":
        return self._cut(0, len(self.true.rstrip(_unescaped(chars))))

    def strip(self, chars: str | None = None, /) -> "EscapedText":
        return self.lstrip(chars).rstrip(chars)

    def removeprefix(self, prefix: str, /) -> "EscapedText":
        return self._cut(len(self) - len(self.true.removeprefix(_unescaped(prefix))), len(self))

    def removesuffix(self, suffix: str, /) -> "EscapedText":
        return self._cut(0, len(self.true.removesuffix(_unescaped(suffix))))

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> "list[EscapedText]":  # pyright: ignore
        return self._between(self.true.split(_unescaped(sep), maxsplit), sep)

    def rsplit(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> "list[EscapedText]":  # pyright: ignore
        return self._between(self.true.rsplit(_unescaped(sep), maxsplit), sep)

    def _between(self, pieces: list[str], sep: str | None) -> "list[EscapedText]":
        if sep is None:
            return self._pieces(pieces)
        whole = [text for piece in pieces for text in (piece, _unescaped(sep))][:-1]
        return self._pieces(whole)[::2]

    def splitlines(self, keepends: bool = False) -> "list[EscapedText]":  # pyright: ignore
        lines = self._pieces(self.true.splitlines(True))
        return lines if keepends else [line._cut(0, len(line.true.splitlines()[0])) for line in lines]

    def partition(self, sep: str, /) -> "tuple[EscapedText, EscapedText, EscapedText]":  # pyright: ignore
        before, middle, after = self._pieces(self.true.partition(_unescaped(sep)))
        return before, middle, after

    def rpartition(self, sep: str, /) -> "tuple[EscapedText, EscapedText, EscapedText]":  # pyright: ignore
        before, middle, after = self._pieces(self.true.rpartition(_unescaped(sep)))
        return before, middle, after

    def replace(self, old: str, new: str, count: SupportsIndex = -1, /) -> "EscapedText":
        if not _unescaped(old):
            return self.escaping.escape(self.true.replace("", _unescaped(new), count))
        return EscapedText.of(str(new), self.escaping).join(self.split(old, count))


def _unescaped(value: Any) -> Any:
    return value.true if isinstance(value, EscapedText) else value


def _on_unescaped(name: str) -> Callable[..., Any]:
    """A method of `str` that looks at the true text; a text that it makes is people's again."""
    method = getattr(str, name)

    def look(self: EscapedText, *args: Any, **kwargs: Any) -> Any:
        # startswith takes several texts as a tuple
        shown = [
            tuple(map(_unescaped, cast("tuple[Any, ...]", a))) if isinstance(a, tuple) else _unescaped(a) for a in args
        ]
        found = method(self.true, *shown, **{key: _unescaped(value) for key, value in kwargs.items()})
        return self.escaping.escape(found) if isinstance(found, str) else found

    look.__name__ = name
    return look


_METHODS = """
    __lt__ __le__ __gt__ __ge__ startswith endswith find rfind index rindex count isalnum isalpha isascii isdecimal
    isdigit isidentifier islower isnumeric isprintable isspace istitle isupper lower upper title capitalize swapcase
    casefold center ljust rjust zfill expandtabs
"""
for _name in _METHODS.split():
    setattr(EscapedText, _name, _on_unescaped(_name))


def unescape(value: Any) -> Any:
    """The value with the true texts in it."""
    if isinstance(value, Mapping):
        return {unescape(key): unescape(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [unescape(item) for item in cast("Sequence[Any]", value)]
    return _unescaped(value)


def escaping_of(value: Any) -> Escaping | None:
    """Those of the first text in the value that people said."""
    if isinstance(value, EscapedText):
        return value.escaping
    parts: Any = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return next((found for part in parts if (found := escaping_of(part))), None)


def on_unescaped_text(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of texts that sees the true ones; a text that it makes of people's is people's again."""

    @wraps(function)
    def look(*args: Any, **kwargs: Any) -> Any:
        twins = escaping_of([*args, *kwargs.values()])
        if twins is None:
            return function(*args, **kwargs)
        found = function(*map(unescape, args), **{key: unescape(value) for key, value in kwargs.items()})
        return twins.escape(str(found)) if isinstance(found, str) else found

    return look


def joined(parts: Iterable[Any]) -> str:
    """`"".join`, which forgets nothing of what people said."""
    texts = [part if isinstance(part, str) else str(part) for part in parts]
    twins = next((text.escaping for text in texts if isinstance(text, EscapedText)), None)
    whole = "".join(texts)
    return whole if twins is None else EscapedText.of(whole, twins)
