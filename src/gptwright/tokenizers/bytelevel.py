"""Byte-level byte-pair encoding, as GPT-2 and GPT-3 use it: no text is unknown, every byte string comes back."""

from collections.abc import Iterable, Sequence

from gptwright.tokenizers.bpe_training import Merges, check_vocab, train_bpe
from gptwright.tokenizers.special_tokens import CHAT_TOKENS, SpecialTokens
from gptwright.tokenizers.tiktoken_backend import GPT2_PATTERN
from gptwright.tokenizers.tokenizer import Tokenizer
from tokenizers import Regex, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as Backend


def train(texts: Iterable[str], vocab: int, special_tokens: SpecialTokens = CHAT_TOKENS) -> Tokenizer:
    """Learns merges until there are `vocab` tokens, to which the additional special ones are added.

    Raises `ConfigError` when the text cannot fill so many, or when an additional one is already known.
    """
    first, alphabet = special_tokens.tokens, pre_tokenizers.ByteLevel.alphabet()
    check_vocab(vocab, len(first) + len(alphabet), "256 bytes and the special tokens")
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return build(*train_bpe(backend, texts, vocab, first, alphabet, special_tokens.additional), special_tokens)


def build(
    vocab: dict[str, int],
    merges: Merges,
    special_tokens: SpecialTokens,
    *,
    pattern: str = GPT2_PATTERN,
    special: Sequence[str] = (),
) -> Tokenizer:
    """The tokenizer of a vocabulary in GPT-2's characters for bytes.

    `pattern` says what a word is; `special` are further special tokens of the vocabulary, without a use.
    """
    backend = Backend(models.BPE(vocab, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if pattern != GPT2_PATTERN:
        split = pre_tokenizers.Split(Regex(pattern), "isolated")
        to_characters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        backend.pre_tokenizer = pre_tokenizers.Sequence([split, to_characters])
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(list(special))
    return Tokenizer(backend, special_tokens)
