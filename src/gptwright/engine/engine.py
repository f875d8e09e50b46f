"""The engine: requests come and go, and every step computes some tokens of many of them in one go.

    engine = Engine(network, tokenizer)
    request = engine.submit(ids, Sampling())     # any number of them, at any time
    engine.step()                                # the requests that went on
    engine.generate(prompts, sampling)           # all at once

The network may be trained between two steps; `refresh` then packs its matrices anew and forgets what was computed.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.engine import prepared
from gptwright.engine.arena import Arena, Span
from gptwright.engine.request import Finish, Request
from gptwright.engine.sampling import Sampling
from gptwright.engine.scheduler import Scheduler, Work
from gptwright.engine.slots import Slots
from gptwright.foundations.device import device_of
from gptwright.foundations.errors import InputError
from gptwright.models.decoder import Decoder

AT_ONCE = 128  # given tokens whose log-probabilities are computed together: V numbers each


@dataclass(frozen=True)
class Answer:
    """What was written, the stop id included when that ended it."""

    ids: list[int]
    logprobs: list[float]
    finish: Finish
    top: list[dict[int, float]]


class Engine:
    """Writes with `network`, in the format called `dtype`, within `memory_gb` of keys and values.

    `most` requests run at once; others wait. Raises `ConfigError` for an unknown format, and for memory in which not
    even one request of a token fits.
    """

    def __init__(
        self,
        network: Decoder,
        stop_ids: Sequence[int] = (),
        *,
        dtype: str = "auto",
        memory_gb: float = 1.0,
        most: int = 128,
    ) -> None:
        self.view = prepared.prepared(network, dtype)
        self.stop_ids = frozenset(stop_ids)
        self.context: int = network.config.context
        self.device = device_of(network)
        self.arena, addresses = self._room(memory_gb, most)
        self.memory = Slots(addresses)
        self.scheduler = Scheduler(self.memory, most=most)

    def submit(self, ids: Sequence[int], sampling: Sampling, *, seed: int | None = None) -> Request:
        """Puts a request in line. Raises `InputError` for an empty prompt, and one that leaves no room for an answer."""
        check_prompt(ids, self.context)
        seed = sampling.seed if seed is None else seed
        request = Request(list(ids), sampling, secrets.randbits(62) if seed is None else seed)
        request.limit = min(len(ids) + sampling.max_tokens, self.context)
        self.scheduler.add(request)
        return request

    def abort(self, request: Request) -> None:
        """The request ends here, and its memory is free."""
        if not request.finish:
            self._end(request, "abort")

    def refresh(self) -> None:
        """The network's parameters have changed."""
        prepared.refresh(self.view)
        self.memory.forget()

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Answer]:
        """`sampling.n` answers a prompt, in order; the i-th of all is drawn with the seed + i."""
        first = secrets.randbits(62) if sampling.seed is None else sampling.seed
        tries = sampling.best_of or sampling.n
        requests = [
            self.submit(prompt, sampling, seed=first + i * tries + j)
            for i, prompt in enumerate(prompts)
            for j in range(tries)
        ]
        self.run(requests)
        return [answer_of(request) for request in requests]

    def run(self, requests: Sequence[Request]) -> None:
        """Steps until these have ended."""
        while any(not request.finish for request in requests):
            self.step()
