"""Byte-pair encoding as sentencepiece does it for LLaMA 1 and 2: characters are merged, unknown ones fall to bytes.

A space is ▁ and belongs to the word behind it; every text gets one in front, so that its first word is like the others,
and decoding takes it off. Digits stand alone. Only ▁ itself does not come back: it is read as a space.
"""

from collections.abc import Iterable, Sequence

from gptwright.tokenizers.bpe_training import Merges, check_vocab, common_characters, train_bpe
from gptwright.tokenizers.special_tokens import CHAT_TOKENS, SpecialTokens
from gptwright.tokenizers.token_bytes import SPACE
from gptwright.tokenizers.tokenizer import Tokenizer
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

UNKNOWN = "<unk>"
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
# No token goes beyond these words, so that merging a whole text gives the same as merging its words.
WORDS = rf"{SPACE}?\p{{L}}+|{SPACE}?[^\s\p{{L}}\p{{N}}{SPACE}]+|\p{{N}}|\s|{SPACE}"


def train(texts: Iterable[str], vocab: int, special_tokens: SpecialTokens = CHAT_TOKENS) -> Tokenizer:
    """Learns merges until there are `vocab` tokens, to which the additional special ones are added.

    Raises `ConfigError` when the text cannot fill so many, or when an additional one is already known.
    """
    texts = list(texts)
    first = [UNKNOWN, *special_tokens.tokens, *BYTES]
    check_vocab(vocab, len(first) + 2, "special tokens, 256 bytes, ▁ and a character")
    backend = _backend({}, [])
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(WORDS), "isolated")
    characters = sorted({SPACE, *common_characters(backend, texts, (vocab - len(first)) // 2)})
    return build(*train_bpe(backend, texts, vocab, first, characters, special_tokens.additional), special_tokens)


def build(
    vocab: dict[str, int],
    merges: Merges,
    special_tokens: SpecialTokens,
    special: Sequence[str] = (),
    *,
    spaced: bool = True,
) -> Tokenizer:
    """The tokenizer of a vocabulary with a token `<0xNN>` for every byte.

    `special` are further special tokens of the vocabulary, without a use; with `spaced` off no space is put before a
    text.
    """
    backend = _backend(vocab, merges, spaced)
    backend.add_special_tokens([UNKNOWN, *special])
    return Tokenizer(backend, special_tokens)


def _backend(vocab: dict[str, int], merges: Merges, spaced: bool = True) -> Backend:
    backend = Backend(models.BPE(vocab, merges, unk_token=UNKNOWN, fuse_unk=True, byte_fallback=True))
    front = [normalizers.Prepend(SPACE)] if spaced else []
    backend.normalizer = normalizers.Sequence([*front, normalizers.Replace(" ", SPACE)])
    spaces, bytes_, whole = decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()
    strip = [decoders.Strip(content=" ", left=1)] if spaced else []
    backend.decoder = decoders.Sequence([spaces, bytes_, whole, *strip])
    return backend
