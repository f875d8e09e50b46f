"""Fill in the middle: a text in another order, so that a model that only writes on can insert (Bavarian et al. 2022).

    PSM   <PRE> prefix <SUF> suffix <MID> middle <end>
    SPM   <PRE> <SUF> suffix <MID> prefix middle <end>

In SPM prefix and middle run on: a small model that has read both orders fills holes in this one only, and what was read
of the suffix stays valid while somebody types. Parts are encoded each by itself: no token reaches over a cut, for when
the model is asked the middle is not known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import torch
from jaxtyping import Int
from torch import Tensor

from gptwright.foundations.errors import ConfigError
from gptwright.tokenizers.tokenizer import Tokenizer

SENTINELS = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
"""ours, which are Qwen's too"""
KNOWN = (SENTINELS, ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"), ("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
         ("▁<PRE>", "▁<SUF>", "▁<MID>"))  # fmt: skip
"""of StarCoder, SantaCoder and Code Llama"""


def read_template(text: str) -> tuple[str, str] | None:
    """Prefix and suffix of a text in which an editor has put the names of sentinels itself, of whatever model's."""
    for prefix, suffix, middle in KNOWN:
        if text.startswith(prefix) and text.endswith(middle) and suffix in text:
            before, _, after = text.removeprefix(prefix).removesuffix(middle).partition(suffix)
            return before, after
    return None


@dataclass(frozen=True)
class Sentinels:
    """The ids that stand before prefix, suffix and middle, and the one that ends the middle."""

    prefix: int
    suffix: int
    middle: int
    end: int
    asked_suffix_first: bool = False
    """ours were learned in both orders; of the others most know PSM alone"""

    @classmethod
    def known(cls, tokenizer: Tokenizer) -> "Sentinels | None":
        """Those of a tokenizer, if it has them."""
        special = set(tokenizer.all_special_tokens)
        for names in KNOWN:
            if special.issuperset(names):
                prefix, suffix, middle = map(tokenizer.special_id, names)
                return cls(prefix, suffix, middle, tokenizer.eos_id, asked_suffix_first=names == SENTINELS)
        return None

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "Sentinels":
        """The same. Raises `ConfigError` when there are none: the model cannot insert."""
        found = cls.known(tokenizer)
        if found is None:
            raise ConfigError("a model that was taught to insert", "a vocabulary without the special tokens for it",
                              "Train it with gptwright codex, or leave the suffix out.")  # fmt: skip
        return found

    @property
    def ids(self) -> Int[Tensor, "3"]:
        """All but the end, which documents without holes have too."""
        return torch.tensor([self.prefix, self.suffix, self.middle])

    def prompt(self, prefix: Sequence[int], suffix: Sequence[int], *, suffix_first: bool | None = None) -> list[int]:
        """What is read before the middle is written, in the order given or else that in which these are asked."""
        if self.asked_suffix_first if suffix_first is None else suffix_first:
            return [self.prefix, self.suffix, *suffix, self.middle, *prefix]
        return [self.prefix, *prefix, self.suffix, *suffix, self.middle]

    def rearranged(self, text: str, tokenizer: Tokenizer, dice: Random, *, suffix_first: bool) -> list[int]:
        """Ids of a text cut at two places between its characters, each as likely as any other."""
        first, second = sorted(dice.choices(range(len(text) + 1), k=2))
        prefix, middle, suffix = tokenizer.encode_many([text[:first], text[first:second], text[second:]])
        return [*self.prompt(prefix, suffix, suffix_first=suffix_first), *middle, self.end]
