"""Other readings of one vocabulary: of text that is only text, of its middle, and of a rendered chat template."""

import json
from typing import Any, NamedTuple, cast

from gptwright.foundations.errors import ArtifactError
from tokenizers import Tokenizer as Backend
from tokenizers import models

NO_TOKEN = "\0"


class Token(NamedTuple):
    """An id and the characters of a text that it stands for."""

    id: int
    start: int
    end: int


def text_only(backend: Backend, template: str | None) -> tuple[Backend, frozenset[int]]:
    """The backend that never reads a special token in text, and the ids of all special tokens.

    Special tokens are those that the vocabulary calls special, and those that the chat template writes. Raises
    `ArtifactError` when plain text still becomes one.
    """
    added = backend.get_added_tokens_decoder()
    written = [
        token.content
        for token in added.values()
        if not token.special and not token.content.isspace() and token.content in (template or "")
    ]
    if written:
        backend = _copy(backend)
        backend.add_special_tokens(written)
    backend.encode_special_tokens = True
    unknown: str | None = getattr(backend.model, "unk_token", None)
    special = {i: t.content for i, t in added.items() if (t.special or t.content in written) and t.content != unknown}
    for token in special.values():
        for text in (token, f" {token}", f"a{token}a"):
            if not special.keys().isdisjoint(backend.encode(text, add_special_tokens=False).ids):
                raise ArtifactError("a tokenizer that keeps text and special tokens apart",
                                    f"a {_model(backend)} vocabulary that reads '{token}' in a text as special",
                                    "Use a model whose tokenizer is a BPE or WordPiece.")  # fmt: skip
    return backend, frozenset(special)


def _model(backend: Backend) -> str:
    return type(backend.model).__name__


def without_prefix_space(plain: Backend) -> Backend:
    """The same, for text that stands in the middle of another: no space is put in front of it."""
    state: dict[str, Any] = json.loads(plain.to_str())
    parts = {name: _without_prefix(state[name]) for name in ("normalizer", "pre_tokenizer")}
    if parts == {name: state[name] for name in parts}:
        return plain
    copy = Backend.from_str(json.dumps(state | parts))
    copy.encode_special_tokens = True
    return copy


def parsing_special_tokens(plain: Backend) -> Backend:
    """The same, for rendered templates: special tokens in the text become their ids."""
    copy = _copy(plain)
    copy.encode_special_tokens = False
    return copy


def special_token_finder(plain: Backend) -> Backend:
    """The same for finding special tokens in a rendered template: whatever stands between them is one `NO_TOKEN`."""
    state: dict[str, Any] = json.loads(plain.to_str())
    special = [token for token in plain.get_added_tokens_decoder().values() if token.special]
    finder = Backend(models.WordLevel({NO_TOKEN: 0}, unk_token=NO_TOKEN))
    if state["normalizer"] is not None and any(token.normalized for token in special):
        finder.normalizer = plain.normalizer
    finder.add_special_tokens(special)
    return finder


def after_special_token(plain: Backend, token: str) -> Backend:
    """The backend for text that follows a special token; some vocabularies put a space in front there, some do not."""
    rendered = parsing_special_tokens(plain).encode(f"{token}a", add_special_tokens=False).ids[1:]
    return plain if rendered == plain.encode("a", add_special_tokens=False).ids else without_prefix_space(plain)


def _copy(backend: Backend) -> Backend:
    return Backend.from_str(backend.to_str())


def _without_prefix(part: dict[str, Any] | None) -> dict[str, Any] | None:
    if part is None or part["type"] == "Prepend":
        return None
    if part["type"] == "Metaspace":
        return part | {"prepend_scheme": "never"}
    if part["type"] == "ByteLevel":
        return part | {"add_prefix_space": False}
    for list_name in ("normalizers", "pretokenizers"):
        if list_name in part:
            kept = [_without_prefix(each) for each in cast("list[dict[str, Any]]", part[list_name])]
            return part | {list_name: [each for each in kept if each is not None]}
    return part
