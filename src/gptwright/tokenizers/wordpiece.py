"""WordPiece as BERT uses it: the longest known piece first, `##` on pieces that continue a word.

Pieces are learned by merging the most frequent neighbours, as the reference library does; Google's own trainer was
never released. What was never seen is [UNK]; the width of spaces does not come back, nor, in the uncased kind that is
learned here, capitals and accents.
"""

from collections.abc import Iterable

from gptwright.tokenizers.bpe_training import ASCII, check_vocab, common_characters, train_bpe
from gptwright.tokenizers.special_tokens import SpecialTokens
from gptwright.tokenizers.tokenizer import Tokenizer
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

PAD, UNKNOWN, CLS, SEP, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
SPECIAL_TOKENS = (PAD, UNKNOWN, CLS, SEP, MASK)
BERT_TOKENS = SpecialTokens(bos=CLS, eos=SEP, pad=PAD, stop=(SEP,), chat_template=None)
CONTINUES = "##"


def train(texts: Iterable[str], vocab: int, special_tokens: SpecialTokens = BERT_TOKENS) -> Tokenizer:
    """Learns pieces until there are `vocab` tokens, to which the additional special ones are added.

    Raises `ConfigError` when the text cannot fill so many, or when an additional one is already known.
    """
    texts = list(texts)
    backend = Backend(models.BPE(continuing_subword_prefix=CONTINUES))
    _split_words(backend)
    characters = sorted({*ASCII, *common_characters(backend, texts)})
    first = [*SPECIAL_TOKENS, *characters, *(CONTINUES + c for c in characters)]
    check_vocab(vocab, len(first), "special tokens, and each common character at the beginning and inside of a word")
    learned, _ = train_bpe(backend, texts, vocab, first, characters, special_tokens.additional)
    return build(learned, special_tokens)


def build(
    vocab: dict[str, int],
    special_tokens: SpecialTokens = BERT_TOKENS,
    *,
    lowercase: bool = True,
    strip_accents: bool | None = None,
    chinese: bool = True,
) -> Tokenizer:
    """The tokenizer of a vocabulary with BERT's five special tokens.

    Uncased unless `lowercase` is off; accents go with the capitals unless said. With `chinese`, every Chinese character
    is a word.
    """
    backend = Backend(models.WordPiece(vocab, unk_token=UNKNOWN, max_input_chars_per_word=100))
    _split_words(backend)
    backend.normalizer = normalizers.BertNormalizer(
        lowercase=lowercase, strip_accents=strip_accents, handle_chinese_chars=chinese
    )
    backend.decoder = decoders.WordPiece(prefix=CONTINUES)
    backend.add_special_tokens(list(SPECIAL_TOKENS))
    backend.post_processor = processors.TemplateProcessing(
        single=f"{CLS}:0 $A:0 {SEP}:0",
        pair=f"{CLS}:0 $A:0 {SEP}:0 $B:1 {SEP}:1",
        special_tokens=[(token, vocab[token]) for token in (CLS, SEP)],
    )
    return Tokenizer(backend, special_tokens)


def _split_words(backend: Backend) -> None:
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
