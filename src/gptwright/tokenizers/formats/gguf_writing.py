"""What a GGUF file says of a tokenizer: the way back from `tokenizers.gguf`.

llama.cpp knows no merges for SentencePiece's kind, only scores of pieces: an earlier merge gets a better score.
"""

import json
from collections.abc import Mapping
from typing import Any

from gptwright.foundations.errors import ArtifactError
from gptwright.tokenizers.formats.gguf import BYTE, CONTROL, GGML, NORMAL, UNKNOWN, UNUSED, USER
from gptwright.tokenizers.formats.pretokenizers import PRETOKENIZERS
from gptwright.tokenizers.tokenizer import Tokenizer

REMEDY = "Export it with --to hf."


def values_of(tokenizer: Tokenizer, vocab: int) -> dict[str, object]:
    """The values, with a filler for every id below `vocab`, the rows of the model's embedding, that has no token.

    Raises `ArtifactError` for a kind, or a way to cut texts, that llama.cpp does not know.
    """
    state: dict[str, Any] = json.loads(tokenizer.backend.to_str())
    model: dict[str, Any] = state["model"]
    decoder = json.dumps(state["decoder"])
    tokens = _tokens(tokenizer, vocab)
    if model["type"] == "BPE" and model.get("byte_fallback"):
        values = {"model": "llama", "scores": _scores(tokens, model["merges"]),
                  "add_space_prefix": "Strip" in decoder or "Metaspace" in decoder}  # fmt: skip
    elif model["type"] == "BPE" and '"ByteLevel"' in decoder:
        values = {"model": "gpt2", "pre": _pre_tokenizer_name(state["pre_tokenizer"]),
                  "merges": tuple(f"{left} {right}" for left, right in model["merges"])}  # fmt: skip
    else:
        raise ArtifactError("a byte-level or byte-fallback tokenizer, to leave as GGUF", "another kind", REMEDY)
    kinds = _token_types(tokenizer, tokens, model)
    values |= {"tokens": tuple(tokens), "token_type": kinds, **_special_ids(tokenizer)}
    named: dict[str, object] = {GGML + key: value for key, value in values.items()}
    template = tokenizer.special_tokens.chat_template
    return named if template is None else named | {"tokenizer.chat_template": template}


def _tokens(tokenizer: Tokenizer, vocab: int) -> list[str]:
    known = {i: token for token, i in tokenizer.backend.get_vocab(with_added_tokens=True).items()}
    return [known.get(i, f"[PAD{i}]") for i in range(vocab)]


def _token_types(tokenizer: Tokenizer, tokens: list[str], model: Mapping[str, Any]) -> tuple[int, ...]:
    added = tokenizer.backend.get_added_tokens_decoder()
    bytes_ = {f"<0x{byte:02X}>" for byte in range(256)} if model.get("byte_fallback") else set[str]()

    def kind(i: int, token: str) -> int:
        if bytes_ and token == model["unk_token"]:
            return UNKNOWN
        if i in tokenizer.all_special_ids or (i in added and added[i].special):
            return CONTROL
        if i in added:
            return USER
        if tokenizer.backend.id_to_token(i) is None:
            return UNUSED
        return BYTE if token in bytes_ else NORMAL

    return tuple(kind(i, token) for i, token in enumerate(tokens))


def _special_ids(tokenizer: Tokenizer) -> dict[str, Any]:
    """A reply ends with either of two tokens: what ends a text, and what ends a turn."""
    values: dict[str, Any] = {"eos_token_id": tokenizer.eos_id, "padding_token_id": tokenizer.pad_id}
    if tokenizer.stop_ids[0] != tokenizer.eos_id:
        values["eot_token_id"] = tokenizer.stop_ids[0]
    begin = tokenizer.special_tokens.bos or tokenizer.special_tokens.named.get("bos_token")
    if begin is not None:
        values["bos_token_id"] = tokenizer.special_id(begin)
    return values | {"add_bos_token": tokenizer.bos_id is not None}


def _scores(tokens: list[str], merges: list[list[str]]) -> tuple[float, ...]:
    """The earlier a piece is merged, the better; then those that no merge makes."""
    order = dict[str, int]()
    for left, right in merges:
        order.setdefault(left + right, len(order))
    return tuple(-float(order.get(token, len(order) + i)) for i, token in enumerate(tokens))


def _pre_tokenizer_name(pre_tokenizer: Any) -> str:
    found = _without_offsets(pre_tokenizer)
    for name, spec in PRETOKENIZERS.items():
        if _without_offsets(json.loads(spec.build().__getstate__())) == found:
            return name
    raise ArtifactError(f"a way to cut texts among {', '.join(PRETOKENIZERS)}, to leave as GGUF", "another", REMEDY)


def _without_offsets(part: Any) -> Any:
    """Without what changes no ids: the places of tokens in the text."""
    if isinstance(part, dict):
        return {key: _without_offsets(value) for key, value in part.items() if key != "trim_offsets"}
    return [_without_offsets(each) for each in part] if isinstance(part, list) else part
