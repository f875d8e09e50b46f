"""A Transformer and its tokenizer: texts in one language become texts in another."""

from collections.abc import Sequence
from typing import Any, NoReturn

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.foundations.errors import InputError
from gptwright.generation.beam import Search, length_penalty, search_all
from gptwright.models.transformer import Transformer
from gptwright.tokenizers.tokenizer import Tokenizer


class Translator:
    """Sources end with the token `end`, as in training; targets begin after `start` and end with `end`."""

    def __init__(
        self,
        network: Transformer,
        tokenizer: Tokenizer,
        name: str,
        *,
        start: int | None = None,
        end: int | None = None,
        search: Search | None = None,
    ) -> None:
        self.network, self.tokenizer, self.name = network, tokenizer, name
        self.context: int = network.config.context
        self.end = tokenizer.end if end is None else end
        self.start = self.end if start is None else start
        self.search = search or Search()

    @torch.inference_mode()
    def logits(
        self,
        source_ids: Int[Tensor, "B S"],
        target_ids: Int[Tensor, "B T"],
        lengths: Int[Tensor, "B"] | None = None,
    ) -> Float[Tensor, "B T V"]:
        """Raw scores of the next token at every place of the targets, in float32.

        `lengths` are the real tokens of each source, all of them when not given. Raises `InputError` beyond the
        context.
        """
        longest = max(source_ids.shape[1], target_ids.shape[1])
        if longest > self.context:
            raise InputError(f"at most {self.context} tokens, the model's context", f"{longest}", "Shorten the text.")
        whole = torch.full((len(source_ids),), source_ids.shape[1])
        self.network.eval()
        return self.network(source_ids, whole if lengths is None else lengths, target_ids)

    def translate(self, texts: Sequence[str], *, beams: int | None = None, alpha: float | None = None) -> list[str]:
        """One translation a text, by the folder's search unless asked otherwise; 1 beam is greedy, `alpha` is GNMT's.

        Raises `InputError` for a text that is longer than the context.
        """
        search = Search(
            beams=self.search.beams if beams is None else beams,
            penalty=self.search.penalty if alpha is None else length_penalty(alpha),
            extra=self.search.extra,
        )
        return [self.tokenizer.decode(ids) for ids in self.translated(self.sources(texts), search)]

    def generate(self, prompt: str, *, beams: int | None = None, alpha: float | None = None) -> str:
        """The translation of one text."""
        return self.translate([prompt], beams=beams, alpha=alpha)[0]

    def chat(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `InputError`."""
        raise InputError("a model that answers", f"{self.name}, a translator", "Use generate, or give a chat model.")

    def sources(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids that the encoder reads."""
        return [[*ids, self.end] for ids in self.tokenizer.encode_many(texts)]

    def translated(self, sources: Sequence[Sequence[int]], search: Search) -> list[list[int]]:
        """The ids of the targets, without their end token."""
        self.network.eval()
        return [found.ids for found in search_all(self.network, sources, search, start=self.start, end=self.end)]
