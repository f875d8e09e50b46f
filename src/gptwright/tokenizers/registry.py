"""The kinds of tokenizer that can be learned here, by name."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from gptwright.tokenizers import bytefallback, bytelevel, gpt1, wordpiece
from gptwright.tokenizers.special_tokens import CHAT_TOKENS, SpecialTokens
from gptwright.tokenizers.tokenizer import Tokenizer


class Train(Protocol):
    """Learns a tokenizer of `vocab` tokens; the additional ones of `special_tokens` come on top."""

    def __call__(self, texts: Iterable[str], vocab: int, special_tokens: SpecialTokens = ...) -> Tokenizer: ...


TRAINERS: dict[str, Train] = {
    "byte-level": bytelevel.train,
    "byte-fallback": bytefallback.train,
    "gpt1": gpt1.train,
    "wordpiece": wordpiece.train,
}
"""What GPT-2 and GPT-3 use, what LLaMA uses, GPT-1, BERT."""


def train(kind: str, texts: Iterable[str], vocab: int, additional: Sequence[str] = ()) -> Tokenizer:
    """Learns a tokenizer of a kind with its usual special tokens and `additional` ones, whose ids follow all others."""
    usual = wordpiece.BERT_TOKENS if kind == "wordpiece" else CHAT_TOKENS
    return TRAINERS[kind](texts, vocab, replace(usual, additional=tuple(additional)))
