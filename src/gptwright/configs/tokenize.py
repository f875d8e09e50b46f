"""Options of tokenize."""

from pathlib import Path
from typing import Annotated

from gptwright.configs.validation import known
from gptwright.configs.workers import WorkerOptions
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import Range, Size, settings
from gptwright.tokenizers.special_tokens import check_additional

KINDS = ("byte-level", "byte-fallback", "gpt1", "wordpiece")


@settings
class Tokenize(WorkerOptions):
    """Learn a vocabulary, or take a model's, and pack the text with it."""

    text: Path | None = None
    """folder of prepare; or give pairs"""
    pairs: Path | None = None
    """JSON Lines of {"source", "target"} to translate, instead of text"""
    vocab: Size = 2048
    """tokens to learn, the usual special tokens included, and the 256 bytes where the kind has them"""
    kind: str = "byte-level"
    """byte-level (GPT-2, GPT-3), byte-fallback (LLaMA), gpt1 or wordpiece (BERT)"""
    model: Path | None = None
    """model or imported vocabulary whose tokenizer is taken instead of learning one"""
    compare: Path | None = None
    """model or imported vocabulary, such as GPT-2's, of which the tokens a line are told beside those of this one"""
    mix: str | None = None
    """how much is read of each source: gpt3, or a .toml file of shares or epochs"""
    vocab_mix: str | None = None
    """what the vocabulary is learned from, so that languages with little text get tokens too: a .toml as for mix"""
    vocab_megabytes: Annotated[int, Range(1, 10**6)] = 40
    """of text that the vocabulary is learned from at most; documents are drawn by a hash"""
    special_tokens: tuple[str, ...] = ()
    """further special tokens, for fill-in-the-middle or images: their ids follow those of vocab, which stay the same"""

    def __post_init__(self) -> None:
        if (self.text is None) == (self.pairs is None):
            raise ConfigError("either text or pairs", "neither" if self.text is None else "both",
                              "Give one of them.")  # fmt: skip
        if self.mix and self.pairs:
            raise ConfigError("a mix of prepared text", "pairs", "Leave one of them out.")
        if self.vocab_mix and (self.pairs or self.model):
            got = "pairs" if self.pairs else f"the model {self.model}"
            raise ConfigError("vocab_mix where a vocabulary is learned from text", got, "Leave one of them out.")
        check_additional(self.special_tokens)
        if self.special_tokens and self.model is not None:
            raise ConfigError("special_tokens where a tokenizer is learned", f"the model {self.model}",
                              "Leave one of them out: its model has no weights for new tokens.")  # fmt: skip
        known(self.kind, KINDS, "kind of tokenizer")
