"""What people say, inside a chat template: to the template it is the true text, where it is written out it cannot be
read as a special token.

Every character that some special token is made of is escaped: replaced by a private-use character that is in no message
and no template. `EscapedText` holds these, so that nothing that is written, cut or joined of it can spell a special
token, alone or with what stands beside it; whoever compares, searches, splits or counts it sees the true characters.
Code that does not go through this class, in C say, sees the escaped ones: it may miss a text, but no text becomes a
special token.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any, SupportsIndex, cast

from gptwright.foundations.errors import InputError

_CANDIDATES = [*range(0xE000, 0xF900), *range(0xF0000, 0xFFFFE), *range(0x100000, 0x10FFFE)]


class Escaping:
    """The characters of special tokens and what stands for them."""

    def __init__(self, tokens: Iterable[str], texts: Sequence[str]) -> None:
        """Finds private-use characters that are in none of the `texts`. Raises `InputError` when too few are left.

        Spaces need none, as templates strip them, unless a token is made of nothing else.
        """
        characters = {c for token in tokens for c in (token if token.isspace() else "".join(token.split()))}
        used = set[str]().union(*texts)
        free = (code for code in _CANDIDATES if chr(code) not in used)
        escapes = dict(zip(sorted(characters), free, strict=False))
        if len(escapes) < len(characters):
            raise InputError(f"messages with {len(characters)} private-use characters unused", "fewer", "Shorten them.")
        self.escapes = {ord(character): code for character, code in escapes.items()}
        self.originals = {code: ord(character) for character, code in escapes.items()}

    def escape(self, text: str) -> "EscapedText":
        """A text of people."""
        return EscapedText.of(text.translate(self.escapes), self)

    def escape_all(self, value: Any) -> Any:
        """A value with every text in it as people's, keys too."""
        if isinstance(value, str):
            return self.escape(value)
        if isinstance(value, Mapping):
            items = cast("Mapping[str, Any]", value).items()
            return {self.escape(key): self.escape_all(item) for key, item in items}
        return [self.escape_all(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


class EscapedText(str):
    """A text that people wrote, or that holds some of theirs."""

    escaping: Escaping

    @staticmethod
    def of(written: str, escaping: Escaping) -> "EscapedText":
        found = EscapedText(written)
        found.escaping = escaping
        return found

    @property
    def unescaped(self) -> str:
        return str.translate(self, self.escaping.originals)

    def _cut(self, start: int, end: int) -> "EscapedText":
        return EscapedText.of(str.__getitem__(self, slice(start, end)), self.escaping)

    def _substrings(self, parts: Iterable[str]) -> "list[EscapedText]":
        """The parts of this text that are equal to these, one after the other."""
        found, at, unescaped = list[EscapedText](), 0, self.unescaped
        for part in parts:
            at = unescaped.index(part, at)
            found.append(self._cut(at, at + len(part)))
            at += len(part)
        return found

    def __str__(self) -> str:
        return self

    def __hash__(self) -> int:
        return hash(self.unescaped)

    def __eq__(self, other: object) -> bool:
        return self.unescaped == _unescaped(other)

    def __ne__(self, other: object) -> bool:
        return self.unescaped != _unescaped(other)

    def __contains__(self, other: Any) -> bool:
        return _unescaped(other) in self.unescaped

    def __int__(self) -> int:
        return int(self.unescaped)

    def __float__(self) -> float:
        return float(self.unescaped)

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
        return self._cut(len(self) - len(self.unescaped.lstrip(_unescaped(chars))), len(self))

    def rstrip(self, chars: str | None = None, /) -> "EscapedText":
        return self._cut(0, len(self.unescaped.rstrip(_unescaped(chars))))

    def strip(self, chars: str | None = None, /) -> "EscapedText":
        return self.lstrip(chars).rstrip(chars)

    def removeprefix(self, prefix: str, /) -> "EscapedText":
        return self._cut(len(self) - len(self.unescaped.removeprefix(_unescaped(prefix))), len(self))

    def removesuffix(self, suffix: str, /) -> "EscapedText":
        return self._cut(0, len(self.unescaped.removesuffix(_unescaped(suffix))))

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> "list[EscapedText]":  # pyright: ignore
        return self._between(self.unescaped.split(_unescaped(sep), maxsplit), sep)

    def rsplit(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> "list[EscapedText]":  # pyright: ignore
        return self._between(self.unescaped.rsplit(_unescaped(sep), maxsplit), sep)

    def _between(self, parts: list[str], sep: str | None) -> "list[EscapedText]":
        if sep is None:
            return self._substrings(parts)
        whole = [text for part in parts for text in (part, _unescaped(sep))][:-1]
        return self._substrings(whole)[::2]

    def splitlines(self, keepends: bool = False) -> "list[EscapedText]":  # pyright: ignore
        lines = self._substrings(self.unescaped.splitlines(True))
        return lines if keepends else [line._cut(0, len(line.unescaped.splitlines()[0])) for line in lines]

    def partition(self, sep: str, /) -> "tuple[EscapedText, EscapedText, EscapedText]":  # pyright: ignore
        before, middle, after = self._substrings(self.unescaped.partition(_unescaped(sep)))
        return before, middle, after

    def rpartition(self, sep: str, /) -> "tuple[EscapedText, EscapedText, EscapedText]":  # pyright: ignore
        before, middle, after = self._substrings(self.unescaped.rpartition(_unescaped(sep)))
        return before, middle, after

    def replace(self, old: str, new: str, count: SupportsIndex = -1, /) -> "EscapedText":
        if not _unescaped(old):
            return self.escaping.escape(self.unescaped.replace("", _unescaped(new), count))
        return EscapedText.of(str(new), self.escaping).join(self.split(old, count))


def _unescaped(value: Any) -> Any:
    return value.unescaped if isinstance(value, EscapedText) else value


def _on_unescaped(name: str) -> Callable[..., Any]:
    """A method of `str` that looks at the true text; a text that it makes is people's again."""
    method = getattr(str, name)

    def look(self: EscapedText, *args: object, **kwargs: object) -> object:
        # startswith takes several texts as a tuple
        shown = [
            tuple(map(_unescaped, cast("tuple[Any, ...]", a))) if isinstance(a, tuple) else _unescaped(a) for a in args
        ]
        found = method(self.unescaped, *shown, **{key: _unescaped(value) for key, value in kwargs.items()})
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


def unescape(value: object) -> object:
    """The value with the true texts in it."""
    if isinstance(value, Mapping):
        return {unescape(key): unescape(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [unescape(item) for item in cast("Sequence[Any]", value)]
    return _unescaped(value)


def escaping_of(value: object) -> Escaping | None:
    """The escaping of the first escaped text in the value."""
    if isinstance(value, EscapedText):
        return value.escaping
    parts: Any = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return next((found for part in parts if (found := escaping_of(part))), None)


def on_unescaped_text(function: Callable[..., object]) -> Callable[..., object]:
    """A function of texts that sees the true ones; a text that it makes of people's is people's again."""

    @wraps(function)
    def look(*args: object, **kwargs: object) -> object:
        escaping = escaping_of([*args, *kwargs.values()])
        if escaping is None:
            return function(*args, **kwargs)
        found = function(*map(unescape, args), **{key: unescape(value) for key, value in kwargs.items()})
        return escaping.escape(str(found)) if isinstance(found, str) else found

    return look


def joined(parts: Iterable[object]) -> str:
    """`"".join` that keeps escaped text escaped."""
    texts = [part if isinstance(part, str) else str(part) for part in parts]
    escaping = next((text.escaping for text in texts if isinstance(text, EscapedText)), None)
    whole = "".join(texts)
    return whole if escaping is None else EscapedText.of(whole, escaping)
