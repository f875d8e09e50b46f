"""Byte-level byte-pair encoding, as GPT-2 and GPT-3 use it: no text is unknown, every byte string comes back."""

from collections.abc import Iterable, Sequence

from gptwright.tokenizers.bpe_training import Merges, check_vocab, train_bpe
from gptwright.tokenizers.chat_templates.chat import CHAT_TOKENS, SPECIAL_TOKENS
from gptwright.tokenizers.special_tokens import SpecialTokens
from gptwright.tokenizers.tiktoken_backend import GPT2_PATTERN
from gptwright.tokenizers.tokenizer import Tokenizer
from tokenizers import Regex, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as Backend

SMALLEST_VOCAB = 256 + len(SPECIAL_TOKENS)


def train(texts: Iterable[str], vocab: int) -> Tokenizer:
    """Learns merges until there are `vocab` tokens. Raises `ConfigError` when the text cannot fill so many."""
    check_vocab(vocab, SMALLEST_VOCAB, "256 bytes and the control tokens")
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return build(*train_bpe(backend, texts, vocab, SPECIAL_TOKENS, pre_tokenizers.ByteLevel.alphabet()), CHAT_TOKENS)


def build(
    vocab: dict[str, int],
    merges: Merges,
    special_tokens: SpecialTokens,
    *,
    pattern: str = GPT2_PATTERN,
    special: Sequence[str] = (),
) -> Tokenizer:
    """The tokenizer of a vocabulary in GPT-2's letters.

    `pattern` says what a word is; `special` are control tokens besides those that `special_tokens` names.
    """
    backend = Backend(models.BPE(vocab, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if pattern != GPT2_PATTERN:
        cut = pre_tokenizers.Split(Regex(pattern), "isolated")
        letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        backend.pre_tokenizer = pre_tokenizers.Sequence([cut, letters])
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(list(special))
    return Tokenizer(backend, special_tokens)
