"""A byte-level tokenizer and its chat template as the script of a page reads them."""

import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from gptwright.foundations.errors import ArtifactError
from gptwright.tokenizers.byte_unicode import bytes_to_unicode
from gptwright.tokenizers.special_tokens import CHAT_TEMPLATE, END_OF_TURN, ROLES
from gptwright.tokenizers.tiktoken_backend import pattern_of
from gptwright.tokenizers.tokenizer import Tokenizer
from tokenizers import Regex, pre_tokenizers

POINTS = (*range(0xD800), *range(0xE000, 0x40000), *range(0xE0000, 0xE1000))
"""of Unicode, but surrogates, what is private, and planes in which nothing is"""
_CLASS = re.compile(r"\\p\{\w+\}|\\[sS]")
_OTHER_DIALECT = re.compile(r"\(\?[a-z]|[+*?]\+|\d\}\+|\\[^psSrn]")  # what JavaScript reads otherwise, or not at all


def page_tokenizer(tokenizer: Tokenizer) -> dict[str, Any]:
    """What each id says, in GPT-2's characters for bytes; how text is cut and merged; what stands around the messages
    of a conversation.

    Raises `ArtifactError` for a tokenizer of another kind, or a chat template that is not the one of models trained
    here.
    """
    state: dict[str, Any] = json.loads(tokenizer.text_backend.to_str())
    model, pattern = state["model"], pattern_of(state)
    bytes_of = [tokenizer.token_bytes(id) for id in range(tokenizer.vocab)]
    id_of = {data: id for id, data in enumerate(bytes_of) if data is not None}
    singles = [id_of.get(bytes([byte]), -1) for byte in range(256)]
    if model["type"] != "BPE" or pattern is None or _OTHER_DIALECT.search(pattern) or -1 in singles:
        raise ArtifactError("a byte-level BPE tokenizer, such as those that are learned here",
                            f"a {model['type']} of another kind", "Serve the model with gptwright serve.")  # fmt: skip
    return {
        "tokens": ["" if data is None else bytes_to_unicode(data) for data in bytes_of],
        "special": {tokenizer.special_id(token): token for token in tokenizer.all_special_tokens},
        "bytes": singles,
        "pattern": javascript_pattern(pattern),
        "merges": [id for pair in _merges(model["merges"]) for id in map(model["vocab"].__getitem__, pair)],
        "wholeWords": bool(model.get("ignore_merges")),
        "roles": _roles(tokenizer),
    }


def _merges(merges: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for merge in merges:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        yield left, right


def _roles(tokenizer: Tokenizer) -> dict[str, Any]:
    """Ids before and behind what each role says; an answer begins with those before the assistant's."""
    if tokenizer.special_tokens.chat_template != CHAT_TEMPLATE:
        raise ArtifactError("a model with the chat template of those trained here", "one with another, or none",
                            "Teach it to chat with gptwright sft, or serve it with gptwright serve.")  # fmt: skip
    end = tokenizer.special_id(END_OF_TURN)
    return {role: {"before": [tokenizer.special_id(token)], "behind": [end]} for role, token in ROLES.items()}


def javascript_pattern(pattern: str) -> str:
    """The same words by JavaScript's flag u, with every class of characters written out: which characters are letters
    changes with Unicode's versions, and a browser's need not be that of the tokenizer."""
    made, at, inside = list[str](), 0, False
    for found in _CLASS.finditer(pattern):
        before = pattern[at : found.start()]
        inside = _in_brackets(before, inside)
        ranges, negated = characters(found[0].lower() if found[0] == r"\S" else found[0]), found[0] == r"\S"
        assert not (inside and negated), "a class of all that is no space, inside another"
        made += [before, ranges if inside else f"[{'^' * negated}{ranges}]"]
        at = found.end()
    return "".join([*made, pattern[at:]])


def _in_brackets(text: str, inside: bool) -> bool:
    for character in re.sub(r"\\.", "", text):
        inside = character == "[" or (inside and character != "]")
    return inside


@lru_cache
def characters(name: str) -> str:
    r"""Ranges of a class such as \p{L}, as `tokenizers` knows it, for a class of JavaScript's."""
    text = "".join(map(chr, POINTS))
    split = pre_tokenizers.Split(Regex(name), behavior="removed", invert=True)
    runs = list[list[int]]()
    for _, (start, end) in split.pre_tokenize_str(text):
        first, last = POINTS[start], POINTS[end - 1]
        if runs and runs[-1][1] == first - 1:
            runs[-1][1] = last
        else:
            runs.append([first, last])
    return "".join(f"\\u{{{first:x}}}" + (f"-\\u{{{last:x}}}" if last > first else "") for first, last in runs)
