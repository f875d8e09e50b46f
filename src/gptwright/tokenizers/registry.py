"""The kinds of tokenizer that can be learned here, by name."""

from collections.abc import Callable, Iterable

from gptwright.tokenizers import bytefallback, bytelevel, gpt1, wordpiece
from gptwright.tokenizers.tokenizer import Tokenizer

TRAINERS: dict[str, Callable[[Iterable[str], int], Tokenizer]] = {
    "byte-level": bytelevel.train,
    "byte-fallback": bytefallback.train,
    "gpt1": gpt1.train,
    "wordpiece": wordpiece.train,
}
"""What GPT-2 and GPT-3 use, what LLaMA uses, GPT-1, BERT: `train(texts, vocab)`."""
