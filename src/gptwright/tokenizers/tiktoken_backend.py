"""Faster encoding of byte-level vocabularies through tiktoken, where it is installed and gives the same ids.

tiktoken merges the neighbours whose union has the lowest rank. A learned vocabulary numbers its tokens in the order of
its merges, so the ids themselves are such ranks: 256 bytes first, every merge above its parts.
"""

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any, cast

from gptwright.tokenizers import edge_cases
from gptwright.tokenizers.byte_unicode import unicode_to_bytes
from tokenizers import Tokenizer as Backend

# GPT-2's words, as its released encoder.py cuts them.
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


LONGEST = 200_000  # characters; where a million spaces follow each other, tiktoken's search for words fails


def tiktoken_encoder(backend: Backend) -> Callable[[str], list[int]] | None:
    """A function that encodes as `backend` does; None when tiktoken is missing or cannot be told to give equal ids.

    The function raises `UnicodeEncodeError` for halves of surrogate pairs.
    """
    try:
        tiktoken: Any = import_module("tiktoken")
    except ImportError:
        return None
    state: dict[str, Any] = json.loads(backend.to_str())
    pattern, ranks = pattern_of(state), _ranks(state)
    if pattern is None or ranks is None:
        return None
    encoding: Any = tiktoken.Encoding("", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})

    def encode(text: str) -> list[int]:
        text.encode()
        if len(text) > LONGEST:
            return backend.encode(text, add_special_tokens=False).ids
        return cast("list[int]", encoding.encode_ordinary(text))

    same = all(encode(text) == backend.encode(text, add_special_tokens=False).ids for text in edge_cases.TEXTS)
    return encode if same else None


def pattern_of(state: dict[str, Any]) -> str | None:
    """How the vocabulary cuts text into words, when one pattern says all of it."""
    cutter = state["pre_tokenizer"]
    if state["normalizer"] or not cutter or any(not token["special"] for token in state["added_tokens"]):
        return None
    if cutter == _byte_level(True):
        return GPT2_PATTERN
    match cutter.get("pretokenizers"):
        case [{"type": "Split", "pattern": {"Regex": str(regex)}, "behavior": "Isolated", "invert": False}, last]:
            return regex if last == _byte_level(False) else None
        case _:
            return None


def _byte_level(cuts: bool) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": cuts}


def _ranks(state: dict[str, Any]) -> dict[bytes, int] | None:
    """Ids by bytes, when they rise in the order of the merges and every token comes from a merge."""
    model, added = state["model"], {token["content"] for token in state["added_tokens"]}
    if model["type"] != "BPE" or model.get("dropout") or model.get("end_of_word_suffix"):
        return None
    learned: dict[str, int] = {token: i for token, i in model["vocab"].items() if token not in added}
    if not _rise_with_merges(learned, model["merges"]):
        return None
    ranks = {data: i for token, i in learned.items() if (data := unicode_to_bytes(token)) is not None}
    return ranks if len(ranks) == len(learned) and all(bytes([byte]) in ranks for byte in range(256)) else None


def _rise_with_merges(learned: dict[str, int], merges: list[str | list[str]]) -> bool:
    """Whether the merges make all tokens but the single characters, in the order of their ids."""
    merged = ["".join(pair.split(" ") if isinstance(pair, str) else pair) for pair in merges]
    ids = [learned.get(token, -1) for token in merged]
    return ids == sorted(ids) and learned.keys() - {*merged} == {token for token in learned if len(token) == 1}
