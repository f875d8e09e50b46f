"""GPT-1's byte-pair encoding: lower case, words split at spaces and punctuation, `</w>` on the last token of a word.

The reference library stands in for ftfy and spaCy, which the paper used to clean and split, with BERT's simple rules;
ours are the same. What was never seen is the unknown token; capitals and the width of spaces do not come back.
"""

from collections.abc import Iterable

from gptwright.tokenizers.bpe_training import ASCII, Merges, check_vocab, common_characters, train_bpe
from gptwright.tokenizers.special_tokens import CHAT_TOKENS, SpecialTokens
from gptwright.tokenizers.tokenizer import Tokenizer
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers, pre_tokenizers

UNKNOWN = "<unk>"
END_OF_WORD = "</w>"


def train(texts: Iterable[str], vocab: int, special_tokens: SpecialTokens = CHAT_TOKENS) -> Tokenizer:
    """Learns merges until there are `vocab` tokens, to which the additional special ones are added.

    Raises `ConfigError` when the text cannot fill so many, or when an additional one is already known.
    """
    texts = list(texts)
    backend = _backend({}, [])
    characters = sorted({*ASCII, *common_characters(backend, texts)})
    first = [UNKNOWN, *special_tokens.tokens, *characters, *(c + END_OF_WORD for c in characters)]
    check_vocab(vocab, len(first), "special tokens, and each common character inside and at the end of a word")
    return build(*train_bpe(backend, texts, vocab, first, characters, special_tokens.additional), special_tokens)


def build(vocab: dict[str, int], merges: Merges, special_tokens: SpecialTokens) -> Tokenizer:
    """The tokenizer of a vocabulary whose words end in `</w>`."""
    backend = _backend(vocab, merges)
    backend.add_special_tokens([UNKNOWN])
    return Tokenizer(backend, special_tokens)


def _backend(vocab: dict[str, int], merges: Merges) -> Backend:
    backend = Backend(models.BPE(vocab, merges, unk_token=UNKNOWN, end_of_word_suffix=END_OF_WORD))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.BPEDecoder(suffix=END_OF_WORD)
    return backend
