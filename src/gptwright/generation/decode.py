"""The decoding loop: prompts are read once into a cache, then every row takes one token a step."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.engine.penalties import Penalties
from gptwright.engine.sampler import Row, draw, seed_of
from gptwright.engine.sampling import Sampling
from gptwright.foundations.device import device_of
from gptwright.foundations.errors import InputError
from gptwright.models.decoder import Decoder
from gptwright.models.heads import ScalarHead

ROWS = 128


@dataclass(frozen=True)
class Drawn:
    """One step of the loop, for the rows that still run."""

    rows: Int[Tensor, "R"]
    tokens: Int[Tensor, "R"]
    logprobs: Float[Tensor, "R"]
    hidden: Float[Tensor, "R C"]


@dataclass
class Answer:
    """What the model said, the stop id included when it `ended`, and what was noted on the way."""

    ids: list[int] = field(default_factory=list[int])
    logprobs: list[float] = field(default_factory=list[float])
    values: list[float] = field(default_factory=list[float])
    ended: bool = False


def check_prompt(ids: Sequence[int], context: int) -> None:
    """Raises `InputError` when a prompt is empty or leaves no room for an answer."""
    if not ids:
        raise InputError("a prompt with at least one token", "an empty one", "Write something.")
    if len(ids) >= context:
        raise InputError(f"a prompt of fewer than {context} tokens, the model's context", f"{len(ids)}",
                         "Shorten it, or begin a new conversation.")  # fmt: skip


@torch.inference_mode()
def decode(
    model: Decoder,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    stop_ids: Sequence[int],
    seeds: Sequence[int],
) -> Iterator[Drawn]:
    """Yields a step at a time until every row has drawn a stop id, its share of tokens, or filled the context. Each row
    has its seed: what it draws depends on nothing else."""
    context = model.config.context
    for prompt in prompts:
        check_prompt(prompt, context)
    device = device_of(model)
    lengths = torch.tensor([len(p) for p in prompts], device=device)
    widest = int(lengths.max())
    cache = model.new_cache(len(prompts), min(widest + sampling.max_tokens, context))
    ids = torch.tensor([[*p, *[0] * (widest - len(p))] for p in prompts], device=device)
    hidden = model.hidden(ids, cache)[torch.arange(len(prompts), device=device), lengths - 1]
    cache.advance(lengths)
    rows = torch.arange(len(prompts), device=device)
    stops = torch.tensor([*stop_ids, *sampling.stop_ids], device=device)
    noting = sampling if sampling.notes else replace(sampling, logprobs=0)
    penalties = [Penalties.of(sampling, prompt) for prompt in prompts]
    for step in range(sampling.max_tokens):
        drawn = draw(model.logits(hidden), [Row(noting, seeds[i], step, penalties[i]) for i in rows.tolist()])
        for row, token in zip(rows.tolist(), drawn.tokens, strict=True):
            if told := penalties[row]:
                told.said(token)
        tokens = torch.tensor(drawn.tokens, device=device)
        yield Drawn(rows, tokens, torch.tensor(drawn.logprobs, device=device), hidden)
        running = ~torch.isin(tokens, stops) & (cache.lengths + 1 < context)
        if step + 1 == sampling.max_tokens or not running.any():
            return
        if not running.all():
            kept = running.nonzero().squeeze(1)
            rows, tokens = rows[kept], tokens[kept]
            cache.keep(kept)
        hidden = model.hidden(tokens[:, None], cache)[:, 0]
        cache.advance(torch.ones_like(tokens))


@torch.inference_mode()
def answer_all(
    model: Decoder,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    stop_ids: Sequence[int],
    *,
    value_head: ScalarHead | None = None,
) -> list[Answer]:
    """One answer a prompt, in order; prompts of like length share a batch. Deterministic for a given `sampling.seed`.

    With `value_head`, the value of every state in which a token was drawn is noted beside its log-probability.
    """
    answers = [Answer() for _ in prompts]
    seed = secrets.randbits(62) if sampling.seed is None else sampling.seed
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    for start in range(0, len(order), ROWS):
        group = order[start : start + ROWS]
        seeds = [seed_of(seed, i) for i in group]
        for drawn in decode(model, [prompts[i] for i in group], sampling, stop_ids, seeds):
            values = value_head(drawn.hidden).tolist() if value_head else [0.0] * len(drawn.rows)
            for row, token, logprob, value in zip(
                drawn.rows.tolist(), drawn.tokens.tolist(), drawn.logprobs.tolist(), values, strict=True
            ):
                answer = answers[group[row]]
                answer.ids.append(token)
                answer.logprobs.append(logprob)
                answer.values.append(value)
                answer.ended = token in stop_ids or token in sampling.stop_ids
    return answers
