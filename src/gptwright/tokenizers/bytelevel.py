"""Byte-level byte-pair encoding, as GPT-2 and GPT-3 use it: no text is unknown, every byte string comes back."""

from collections.abc import Iterable, Sequence

from gptwright.tokenizers.bpe_training import Merges, at_least, learn
from gptwright.tokenizers.chat_templates.chat import CONTROL_TOKENS, CONTROLS
from gptwright.tokenizers.special_tokens import Controls
from gptwright.tokenizers.tiktoken_backend import GPT2_PATTERN
from gptwright.tokenizers.tokenizer import Tokenizer
from tokenizers import Regex, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as Backend

SMALLEST_VOCAB = 256 + len(CONTROL_TOKENS)


def train(texts: Iterable[str], vocab: int) -> Tokenizer:
    """Learns merges until there are `vocab` tokens. Raises `ConfigError` when the text cannot fill so many."""
    at_least(vocab, SMALLEST_VOCAB, "256 bytes and the control tokens")
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return build(*learn(backend, texts, vocab, CONTROL_TOKENS, pre_tokenizers.ByteLevel.alphabet()), CONTROLS)


def build(
    vocab: dict[str, int],
    merges: Merges,
    controls: Controls,
    *,
    pattern: str = GPT2_PATTERN,
    special: Sequence[str] = (),
) -> Tokenizer:
    """The tokenizer of a vocabulary in GPT-2's letters.

    `pattern` says what a word is; `special` are control tokens besides those that `controls` names.
    """
    backend = Backend(models.BPE(vocab, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if pattern != GPT2_PATTERN:
        cut = pre_tokenizers.Split(Regex(pattern), "isolated")
        letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        backend.pre_tokenizer = pre_tokenizers.Sequence([cut, letters])
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(list(special))
    return Tokenizer(backend, controls)
