"""What a tokenizer puts around a text: its post-processor, read and stated.

The begin token of a model is what stands there, not what is merely called bos_token: GPT-2 has one of that name and
puts none before a text.
"""

import json
from collections.abc import Sequence
from typing import cast

from tokenizers import Tokenizer as Backend
from tokenizers import processors


def tokens_around(backend: Backend) -> tuple[list[str], list[str]]:
    """The tokens that are put before a text, and those behind it."""
    found = backend.encode("a", add_special_tokens=True)
    text = [at for at, special in enumerate(found.special_tokens_mask) if not special]
    first, last = (text[0], text[-1] + 1) if text else (len(found.tokens), len(found.tokens))
    return found.tokens[:first], found.tokens[last:]


def with_bos(backend: Backend, begin: str | None) -> Backend:
    """The same with a post-processor that puts `begin` before a text, or nothing, so that other tools do."""
    before, after = tokens_around(backend)
    wanted = [begin] if begin else []
    if before == wanted:
        return backend
    copy = Backend.from_str(backend.to_str())
    copy.post_processor = _around(copy, wanted, after)
    return copy


def without_bos(backend: Backend, begin: str | None) -> Backend:
    """The way back: it loses a post-processor that says no more than `begin` does."""
    if begin and tokens_around(backend) == ([begin], []) and _kind(backend) == "TemplateProcessing":
        backend.post_processor = None
    return backend


def _around(backend: Backend, before: Sequence[str], after: Sequence[str]) -> processors.PostProcessor:
    single = [*before, "$A", *after]
    pair = [*single, *(f"{token}:1" for token in before), "$B:1", *(f"{token}:1" for token in after)]
    special = [(token, cast(int, backend.token_to_id(token))) for token in dict.fromkeys([*before, *after])]
    template = processors.TemplateProcessing(single=" ".join(single), pair=" ".join(pair), special_tokens=special)
    if backend.post_processor is not None and _kind(backend) == "ByteLevel":  # it says where tokens stand in the text
        return cast(processors.PostProcessor, processors.Sequence([backend.post_processor, template]))
    return template


def _kind(backend: Backend) -> str:
    return str(json.loads(backend.post_processor.__getstate__())["type"]) if backend.post_processor else ""
