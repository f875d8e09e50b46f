"""The tokenizer inside a GGUF file: its values say every token, what kind it is, and how texts are cut and merged.

Two kinds: "gpt2", byte-level merges in order, and "llama", SentencePiece's pieces, where the better score merges first
and a character without a piece becomes its bytes. Either way text never becomes a special token.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gptwright.foundations.errors import ArtifactError
from gptwright.tokenizers.formats.pretokenizers import PRETOKENIZERS, PreTokenizerSpec
from gptwright.tokenizers.special_tokens import SpecialTokens
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

GGML = "tokenizer.ggml."
NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
LONGEST_PIECE = 256  # characters; the merges that a piece implies cost its length squared
# Where a reply ends, under the names that models gave it; a file names one or two of them at most.
EOS_TOKENS = (
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|end|>",
    "<end_of_turn>",
    "<EOT>",
    "</s>",
)
REMEDY = "Make the file anew with llama.cpp's converter, or fetch it again."


@dataclass(frozen=True, kw_only=True)
class GGUFVocabulary:
    """Every token with its type, in the order of their ids, and the ids by token."""

    tokens: tuple[str, ...]
    types: tuple[int, ...]
    ids: dict[str, int]

    def of(self, *types: int) -> list[str]:
        """The tokens of these types."""
        return [token for token, type_ in zip(self.tokens, self.types, strict=True) if type_ in types]


def tokenizer_of(metadata: Mapping[str, object]) -> tuple[Backend, SpecialTokens]:
    """The tokenizer that a file's values describe, and its special tokens.

    Bytes that a "gpt2" vocabulary has no character for are left out of a text, as in the original.
    Raises `ArtifactError` naming the value that is missing, damaged or unknown.
    """
    name = metadata.get(f"{GGML}model")
    makers = {"gpt2": _byte_level, "llama": _byte_fallback}
    if not isinstance(name, str) or name not in makers:
        raise ArtifactError(f"a tokenizer.ggml.model among {', '.join(makers)}", ascii(name)[:60],
                            "Fetch the model as a Hugging Face folder.")  # fmt: skip
    spec = _pre_tokenizer(metadata) if name == "gpt2" else PreTokenizerSpec(add_bos=True)
    vocabulary = _vocabulary(metadata)
    special_tokens, vocabulary = _special_tokens(metadata, vocabulary, spec)
    try:
        backend = makers[name](metadata, vocabulary, spec)
        backend.add_special_tokens([_added_token(token, True) for token in vocabulary.of(CONTROL, UNKNOWN)])
        backend.add_tokens([_added_token(token, False) for token in vocabulary.of(USER)])
    except ArtifactError:
        raise
    except Exception as error:  # the Rust library raises plain Exception
        raise ArtifactError("a vocabulary that tokenizers can hold", str(error)[:200], REMEDY) from error
    _check_special_tokens(backend, vocabulary)
    return backend, special_tokens


def _added_token(token: str, special: bool) -> AddedToken:
    return AddedToken(token, normalized=False, special=special)


def _vocabulary(metadata: Mapping[str, object]) -> GGUFVocabulary:
    tokens = _array(metadata, "tokens", str)
    types = _array(metadata, "token_type", int, len(tokens))
    ids = {token: i for i, token in enumerate(tokens)}
    if len(ids) < len(tokens):
        i, token = next((i, token) for i, token in enumerate(tokens) if ids[token] != i)
        raise ArtifactError("each token once in tokenizer.ggml.tokens", f"{ascii(token)[:60]} as {i} and {ids[token]}",
                            REMEDY)  # fmt: skip
    if "" in ids:
        raise ArtifactError("no empty token in tokenizer.ggml.tokens", f"one as {ids['']}", REMEDY)
    if strange := set(types) - {NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE}:
        raise ArtifactError("numbers from 1 to 6 as tokenizer.ggml.token_type", str(min(strange)), REMEDY)
    return GGUFVocabulary(tokens=tokens, types=types, ids=ids)


def _array(metadata: Mapping[str, object], name: str, kind: type, length: int | None = None) -> tuple[Any, ...]:
    found: Any = metadata.get(GGML + name)
    if not isinstance(found, tuple) or not found or any(type(entry) is not kind for entry in found):
        got = "no such value" if found is None else ascii(found)[:60]
        raise ArtifactError(f"a list of {kind.__name__} as {GGML}{name}", got, REMEDY)
    if length is not None and len(found) != length:
        raise ArtifactError(f"{length} entries in {GGML}{name}, one for each token", str(len(found)), REMEDY)
    return found


def _pre_tokenizer(metadata: Mapping[str, object]) -> PreTokenizerSpec:
    name = metadata.get(f"{GGML}pre")
    if not isinstance(name, str) or name not in PRETOKENIZERS:
        got = "none" if name is None else ascii(name)[:60]
        raise ArtifactError("a known way to cut texts as tokenizer.ggml.pre", got,
                            f"Known: {', '.join(PRETOKENIZERS)}. Fetch a Hugging Face folder.")  # fmt: skip
    return PRETOKENIZERS[name]


def _byte_level(metadata: Mapping[str, object], vocabulary: GGUFVocabulary, spec: PreTokenizerSpec) -> Backend:
    characters = set(pre_tokenizers.ByteLevel.alphabet())
    for token, type_ in zip(vocabulary.tokens, vocabulary.types, strict=True):
        if type_ == NORMAL and not characters.issuperset(token):
            raise ArtifactError("ordinary tokens in the characters of bytes", ascii(token)[:60], REMEDY)
    special = set(vocabulary.of(CONTROL, UNKNOWN))
    merges: list[tuple[str, str]] = []
    for i, text in enumerate(_array(metadata, "merges", str)):
        left, _, right = text.partition(" ")
        if left not in vocabulary.ids or right not in vocabulary.ids or left + right not in vocabulary.ids:
            raise ArtifactError(f"two tokens that make a third as merge {i}", ascii(text)[:60], REMEDY)
        if left + right not in special:
            merges.append((left, right))
    backend = Backend(models.BPE(vocab=vocabulary.ids, merges=merges, ignore_merges=spec.ignore_merges))
    backend.pre_tokenizer = spec.build()
    backend.decoder = decoders.ByteLevel()
    return backend


def _byte_fallback(metadata: Mapping[str, object], vocabulary: GGUFVocabulary, spec: PreTokenizerSpec) -> Backend:
    # A space before every text, as SentencePiece and llama.cpp put it; transformers leaves it out before another space.
    spaced = metadata.get(f"{GGML}add_space_prefix", True) is not False
    unknown = vocabulary.of(UNKNOWN)
    backend = Backend(
        models.BPE(
            vocab=vocabulary.ids,
            merges=_implied_merges(metadata, vocabulary),
            unk_token=unknown[0] if unknown else None,
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    front = [normalizers.Prepend("▁")] if spaced else []
    backend.normalizer = normalizers.Sequence([*front, normalizers.Replace(" ", "▁")])
    start = [decoders.Strip(" ", 1, 0)] if spaced else []
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *start])
    return backend


def _implied_merges(metadata: Mapping[str, object], vocabulary: GGUFVocabulary) -> list[tuple[str, str]]:
    """Every way to make a piece of two others: the best score first, as SentencePiece merges."""
    scores = _array(metadata, "scores", float, len(vocabulary.tokens))
    if not all(math.isfinite(score) for score in scores):
        raise ArtifactError("finite numbers as tokenizer.ggml.scores", "others", REMEDY)
    ids = {vocabulary.tokens[i]: i for i, type_ in enumerate(vocabulary.types) if type_ in (NORMAL, USER)}
    found: list[tuple[float, int, int, str, str]] = []
    for piece, i in ids.items():
        if len(piece) > LONGEST_PIECE:
            raise ArtifactError(f"pieces of at most {LONGEST_PIECE} characters", f"one of {len(piece)}", REMEDY)
        halves = [(piece[:at], piece[at:]) for at in range(1, len(piece))]
        known = sorted((ids[left], ids[right], left, right) for left, right in halves if left in ids and right in ids)
        found += [(scores[i], len(left), len(right), left, right) for _, _, left, right in known]
    found.sort(key=lambda merge: merge[:3], reverse=True)
    return [(left, right) for *_, left, right in found]


def _special_tokens(
    metadata: Mapping[str, object], vocabulary: GGUFVocabulary, spec: PreTokenizerSpec
) -> tuple[SpecialTokens, GGUFVocabulary]:
    """The special tokens by their use, and the vocabulary with all of those marked as special."""
    # The file spells separator so.
    ids = {"bos": "bos", "eos": "eos", "unk": "unknown", "sep": "seperator", "pad": "padding", "cls": "cls",
           "mask": "mask"}  # fmt: skip
    found = {ours: _token(metadata, f"{theirs}_token_id", vocabulary) for ours, theirs in ids.items()}
    bos, eos = found["bos"], found["eos"]
    if eos is None:
        raise ArtifactError("tokenizer.ggml.eos_token_id", "no such value", REMEDY)
    stop = _stop_tokens(metadata, vocabulary, eos)
    named = {*stop, bos or eos}
    types = [CONTROL if token in named else type_
             for token, type_ in zip(vocabulary.tokens, vocabulary.types, strict=True)]  # fmt: skip
    special_tokens = SpecialTokens(
        bos=bos if metadata.get(f"{GGML}add_bos_token", spec.add_bos) is True else None,
        eos=eos,
        pad=found["pad"] or eos,
        stop=stop,
        chat_template=_chat_template(metadata),
        names={f"{name}_token": token for name, token in found.items() if token},
    )
    for token in named:
        if vocabulary.types[vocabulary.ids[token]] not in (CONTROL, USER, UNKNOWN):
            raise ArtifactError("special tokens to begin and end texts", f"the ordinary {ascii(token)[:60]}", REMEDY)
    return special_tokens, replace(vocabulary, types=tuple(types))


def _chat_template(metadata: Mapping[str, object]) -> str | None:
    found = metadata.get("tokenizer.chat_template")
    if found is not None and not isinstance(found, str):
        raise ArtifactError("a text as tokenizer.chat_template", ascii(found)[:60], REMEDY)
    return found


def _stop_tokens(metadata: Mapping[str, object], vocabulary: GGUFVocabulary, eos: str) -> tuple[str, ...]:
    """What ends a text and what ends a turn: as the file says, and tokens with the usual names."""
    turns = [_token(metadata, name, vocabulary) for name in ("eot_token_id", "eom_token_id")]
    special = set(vocabulary.of(CONTROL, USER))
    known = [token for token in EOS_TOKENS if token in special]
    return tuple(dict.fromkeys([eos, *(token for token in turns if token), *known]))


def _token(metadata: Mapping[str, object], name: str, vocabulary: GGUFVocabulary) -> str | None:
    """The token whose id the file gives under this name."""
    i = metadata.get(GGML + name)
    if i is None:
        return None
    if type(i) is not int or not 0 <= i < len(vocabulary.tokens):
        raise ArtifactError(f"an id below {len(vocabulary.tokens)} as {GGML}{name}", ascii(i)[:60], REMEDY)
    return vocabulary.tokens[i]


def _check_special_tokens(backend: Backend, vocabulary: GGUFVocabulary) -> None:
    """No text may become a special token: not even that token's own text."""
    backend.encode_special_tokens = True
    for token in vocabulary.of(CONTROL):
        if vocabulary.ids[token] in backend.encode(token, add_special_tokens=False).ids:
            raise ArtifactError("special tokens that no text can become", f"{ascii(token)[:60]}, a word of its own",
                                REMEDY)  # fmt: skip
