"""Logit bias, and penalties for tokens that occurred before."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.inference.sampling import Sampling

PenaltyTable = np.ndarray
"""a row for each token concerned: id, bias, count in the response, and whether it occurs in prompt or response"""
_ENTRY = np.dtype([("id", np.int64), ("bias", np.float32), ("count", np.float32), ("met", np.bool_)])


class Penalties:
    """The tokens of one request whose logits are changed. Another token of the response costs O(1)."""

    def __init__(self, sampling: Sampling, prompt: Sequence[int]) -> None:
        self._counts = sampling.has_penalties
        self._place: dict[int, int] = {}
        self._entries: PenaltyTable = np.zeros(64, _ENTRY)
        for token, bias in sampling.logit_bias.items():
            self._entry(token)["bias"] = bias
        for token in dict.fromkeys(prompt if self._counts else ()):
            self._entry(token)["met"] = True

    @classmethod
    def of(cls, sampling: Sampling, prompt: Sequence[int]) -> "Penalties | None":
        """None when the settings ask for no penalty and no bias."""
        return cls(sampling, prompt) if sampling.has_penalties or sampling.logit_bias else None

    def add(self, token: int) -> None:
        """Counts the next token of the response."""
        if self._counts:
            entry = self._entry(token)
            entry["met"], entry["count"] = True, entry["count"] + 1

    def after(self, drafts: Sequence[int]) -> PenaltyTable:
        """The table with these tokens counted too."""
        known = self._entries[: len(self._place)]
        if not drafts or not self._counts:
            return known
        new = [token for token in dict.fromkeys(drafts) if token not in self._place]
        entries = np.concatenate([known, np.zeros(len(new), _ENTRY)])
        entries["id"][len(known) :] = new
        for token in drafts:
            place = self._place[token] if token in self._place else len(known) + new.index(token)
            entries["met"][place], entries["count"][place] = True, entries["count"][place] + 1
        return entries

    def _entry(self, token: int) -> PenaltyTable:
        """The entry of a token, to be written to."""
        place = self._place.setdefault(token, len(self._place))
        if place == len(self._entries):
            self._entries = np.concatenate([self._entries, np.zeros_like(self._entries)])
        self._entries[place]["id"] = token
        return self._entries[place : place + 1]


def penalise(logits: Float[Tensor, "R V"], changes: Sequence[tuple[int, Sampling, PenaltyTable]]) -> None:
    """Changes the logits in place, for each (row, settings, entries): the bias is added, then come CTRL's penalty and
    OpenAI's, as in vLLM. An id beyond the vocabulary changes nothing."""
    entries = np.concatenate([part for *_, part in changes])
    many = [len(part) for *_, part in changes]

    def spread(values: list[float]) -> Tensor:
        return torch.from_numpy(np.repeat(np.array(values, np.float32), many)).to(logits.device)

    def column(name: str) -> Tensor:
        return torch.from_numpy(entries[name].copy()).to(logits.device)

    rows = torch.from_numpy(np.repeat([row for row, *_ in changes], many)).to(logits.device)
    settings = [sampling for _, sampling, _ in changes]
    repetition = spread([s.repetition_penalty for s in settings])
    ids, count = column("id"), column("count")
    inside = ids < logits.shape[1]
    ids = ids.clamp(max=logits.shape[1] - 1)
    old = logits[rows, ids]
    new = old + column("bias")
    new = torch.where(column("met"), torch.where(new > 0, new / repetition, new * repetition), new)
    new -= spread([s.frequency_penalty for s in settings]) * count
    new -= spread([s.presence_penalty for s in settings]) * (count > 0)
    logits[rows[inside], ids[inside]] = new[inside]
