"""How logits become tokens.

The order is that of vLLM and Hugging Face: bias and penalties, grammar, temperature, top-k, top-p, min-p. A cut is a
probability below which nothing is drawn, so tokens that are equally likely stay or go together.

Tokens are drawn by the inverse of the cumulative distribution at uniform numbers that depend on the seed and on the
token's place in the answer, and on nothing else. So a text does not depend on what is written beside it, and proposed
tokens are checked by drawing: a proposal that equals what is drawn in its place is right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from gptwright.foundations.errors import ArtifactError
from gptwright.inference.grammar import Matcher
from gptwright.inference.penalties import Penalties, penalise
from gptwright.inference.request import Request
from gptwright.inference.sampling import Sampling

DAMAGED = "The weights are damaged, or the training diverged."
_TOGETHER = 16
"""rows that a processor takes at once: their distributions stay in its cache and in memory that it has already"""
_BLOCK = 256
_COLDEST = 1e-20
"""below it quotients could leave float32; the likeliest alone is drawn long before"""
_WORD = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One token to be drawn."""

    sampling: Sampling
    seed: int
    number: int
    """which of the answer's tokens it is, from 0"""
    penalties: Penalties | None = None
    drafts: tuple[int, ...] = ()
    """proposed tokens in front of it that `penalties` has not been told"""
    allowed: NDArray[np.bool_] | None = None
    """which ids the grammar lets through; it lets none through beyond its end"""


@dataclass(frozen=True, slots=True)
class SampleOutput:
    """What each row drew. Log-probabilities are the model's own: at temperature 1, before anything was added, forbidden
    or cut. `sampled` are those of the tokens under the row's temperature, from which they were drawn. 0.0 and {} where
    none were asked for."""

    tokens: list[int]
    logprobs: list[float]
    top: list[dict[int, float]]
    sampled: list[float]


def rows_of(
    request: Request, drafts: Sequence[int], penalties: Penalties | None, matcher: Matcher | None
) -> list[SampleRow]:
    """The request's next token, and one behind each of the drafts. Raises `InputError` when the grammar lets nothing
    through."""
    number = len(request.ids) - request.prompt
    allowed = matcher.allowed(drafts) if matcher else [None] * (len(drafts) + 1)
    return [
        SampleRow(request.sampling, request.seed, number + i, penalties, tuple(drafts[:i]), mask)
        for i, mask in enumerate(allowed)
    ]


def checked(tokens: Sequence[int], drafts: Sequence[int]) -> list[int]:
    """What is certain of the tokens that the rows of one request drew: up to the first that is not as proposed."""
    right = next((i for i, draft in enumerate(drafts) if tokens[i] != draft), len(drafts))
    return list(tokens[: right + 1])


def derive_seed(seed: int, answer: int) -> int:
    """The seed of one of many answers; the first has that of a single one."""
    return (seed + answer * _STEP) & _WORD


def uniform(seed: int, number: int, attempt: int = 0) -> float:
    """A number of [0, 1 - 2^-52], by the hash of SplitMix64 (Steele et al. 2014)."""
    word = _mixed(seed & _WORD)
    word = _mixed(word + number)
    return (_mixed(word + attempt) >> 12) * 2.0**-52


def _mixed(word: int) -> int:
    word = (word + _STEP) & _WORD
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _WORD
    return word ^ (word >> 31)


def draw(logits: Float[Tensor, "R V"], rows: Sequence[SampleRow]) -> SampleOutput:
    """One token a row, from float32 logits, which are overwritten where a row has penalties, a bias or a grammar.

    Raises `ArtifactError` when logits are not numbers.
    """
    together = _TOGETHER if logits.device.type == "cpu" else max(len(rows), 1)
    drawn = SampleOutput([], [], [], [])
    for start in range(0, len(rows), together):
        part = _draw(logits[start : start + together], rows[start : start + together])
        drawn.tokens.extend(part.tokens)
        drawn.logprobs.extend(part.logprobs)
        drawn.top.extend(part.top)
        drawn.sampled.extend(part.sampled)
    return drawn


def _draw(logits: Float[Tensor, "R V"], rows: Sequence[SampleRow]) -> SampleOutput:
    drawn = SampleOutput([0] * len(rows), [0.0] * len(rows), [{} for _ in rows], [0.0] * len(rows))
    noted = [i for i, row in enumerate(rows) if row.sampling.notes]
    compared = [i for i, row in enumerate(rows) if row.sampling.sampled_logprobs]
    own = _some(logits, noted).log_softmax(-1)
    under_temperature = _tempered(logits, rows, compared).log_softmax(-1)
    _change(logits, rows)
    greedy = [i for i, row in enumerate(rows) if row.sampling.temperature == 0]
    if greedy:
        likeliest = _some(logits, greedy).max(-1)
        if likeliest.values.isnan().any():
            raise ArtifactError("logits that are numbers", "others", DAMAGED)
        _put(drawn.tokens, greedy, likeliest.indices.tolist())
    warm = [i for i, row in enumerate(rows) if row.sampling.temperature > 0]
    if warm:
        _put(drawn.tokens, warm, _sampled(_tempered(logits, rows, warm).softmax(-1), [rows[i] for i in warm]))
    if noted:
        asked = [rows[i].sampling.logprobs or 0 for i in noted]
        logprobs, top = _noted(own, [drawn.tokens[i] for i in noted], asked)
        _put(drawn.logprobs, noted, logprobs)
        _put(drawn.top, noted, top)
    if compared:
        _put(drawn.sampled, compared, _chosen(under_temperature, [drawn.tokens[i] for i in compared]))
    return drawn


def prompt_logprobs(
    logits: Float[Tensor, "N V"], targets: Sequence[int], most: int = 0
) -> tuple[list[float], list[dict[int, float]]]:
    """The model's own log-probabilities of the tokens that follow, and of the `most` likeliest there."""
    logprobs: list[float] = []
    top: list[dict[int, float]] = []
    for start in range(0, len(targets), _TOGETHER):  # the distributions of a whole prompt would be much memory
        scores = logits[start : start + _TOGETHER].log_softmax(-1)
        found = _noted(scores, targets[start : start + _TOGETHER], [most] * len(scores))
        logprobs, top = logprobs + found[0], top + found[1]
    return logprobs, top


def _some(logits: Float[Tensor, "R V"], rows: list[int]) -> Float[Tensor, "S V"]:
    """These rows, without a copy when they are all."""
    return logits if len(rows) == len(logits) else logits[torch.tensor(rows, device=logits.device, dtype=torch.long)]


def _put(into: list[Any], rows: list[int], values: Sequence[Any]) -> None:
    for i, value in zip(rows, values, strict=True):
        into[i] = value


def _column(values: Sequence[float], like: Tensor) -> Float[Tensor, "R 1"]:
    return torch.tensor(values, device=like.device, dtype=torch.float32)[:, None]


def _tempered(logits: Float[Tensor, "R V"], rows: Sequence[SampleRow], which: list[int]) -> Float[Tensor, "S V"]:
    divisors = [max(rows[i].sampling.temperature or 1.0, _COLDEST) for i in which]
    return _some(logits, which) / _column(divisors, logits)


def _change(logits: Float[Tensor, "R V"], rows: Sequence[SampleRow]) -> None:
    """Bias, penalties and grammar, in place, of the rows that have them."""
    changes = [(i, row.sampling, row.penalties.after(row.drafts)) for i, row in enumerate(rows) if row.penalties]
    if changes:
        penalise(logits, changes)
    for i, row in enumerate(rows):
        if row.allowed is not None:
            allowed = torch.from_numpy(row.allowed[: logits.shape[1]].astype(np.float32)).to(logits.device)
            logits[i, : len(allowed)] += 1 - allowed.reciprocal()  # 0 or -inf, in a fifth of the time of masked_fill
            logits[i, len(allowed) :] = float("-inf")


def _noted(
    scores: Float[Tensor, "R V"], tokens: Sequence[int], asked: list[int]
) -> tuple[list[float], list[dict[int, float]]]:
    chosen = _chosen(scores, tokens)
    if not any(asked):
        return chosen, [{} for _ in asked]
    values, ids = scores.topk(min(max(asked), scores.shape[1]))
    top = zip(asked, ids.tolist(), values.tolist(), strict=True)
    return chosen, [dict(zip(places[:most], found[:most], strict=True)) for most, places, found in top]


def _chosen(scores: Float[Tensor, "R V"], tokens: Sequence[int]) -> list[float]:
    return scores.gather(1, torch.tensor(tokens, device=scores.device)[:, None])[:, 0].tolist()


def _sampled(weights: Float[Tensor, "R V"], rows: list[SampleRow]) -> list[int]:
    """Draws from probabilities, after the cuts of each row."""
    ks = [row.sampling.top_k for row in rows]
    ps = [row.sampling.top_p for row in rows]
    ms = [row.sampling.min_p for row in rows]
    if any(ks):
        weights = _from(weights, _kth(weights, ks))
    enough = _total(weights) * _column([max(p, 1e-30) for p in ps], weights) if min(ps) < 1 else weights
    if any(ms):
        weights = _from(weights, weights.amax(-1, keepdim=True) * _column(ms, weights))
    tokens = inverse(weights, [uniform(row.seed, row.number) for row in rows])
    _draw_again(weights, enough, tokens, rows)
    return tokens


def _draw_again(
    weights: Float[Tensor, "R V"], enough: Float[Tensor, "R _"], tokens: list[int], rows: list[SampleRow]
) -> None:
    """Top-p, without looking for where it cuts: a token belongs to the likeliest that are worth `enough` together when
    those likelier than it are worth less. One that does not is drawn again from what is likelier than it. That leaves
    out none that belongs, so those are drawn as often as if the rest had been cut off first."""
    open_ = [i for i, row in enumerate(rows) if row.sampling.top_p < 1]
    for attempt in count(1):
        if not open_:
            return
        likelier = _likelier(_some(weights, open_), [tokens[i] for i in open_])
        outside = (_total(likelier) >= _some(enough, open_))[:, 0].nonzero()[:, 0].tolist()
        if outside:
            open_ = [open_[i] for i in outside]
            numbers = [uniform(rows[i].seed, rows[i].number, attempt) for i in open_]
            _put(tokens, open_, inverse(_some(likelier, outside), numbers))
        else:
            open_ = []


def _kth(weights: Float[Tensor, "R V"], ks: list[int]) -> Float[Tensor, "R 1"]:
    """The k-th largest; 0 where k is 0."""
    floor = weights.new_zeros(len(ks), 1)
    for k in set(ks) - {0}:
        rows = [i for i, other in enumerate(ks) if other == k]
        floor[rows] = _some(weights, rows).topk(min(k, weights.shape[1])).values[:, -1:]
    return floor


def _from(weights: Float[Tensor, "R V"], floor: Float[Tensor, "R 1"]) -> Float[Tensor, "R V"]:
    """0 below the floor. The comparison is written as numbers: masks take ten times as long on a processor."""
    return torch.ge(weights, floor, out=torch.empty_like(weights)).mul_(weights)


def _likelier(weights: Float[Tensor, "R V"], tokens: list[int]) -> Float[Tensor, "R V"]:
    """0 up to the weight of each row's token."""
    own = weights.gather(1, torch.tensor(tokens, device=weights.device)[:, None])
    return torch.gt(weights, own, out=torch.empty_like(weights)).mul_(weights)


def _blocks(weights: Float[Tensor, "R V"]) -> Float[Tensor, "R N 256"]:
    return pad(weights, (0, -weights.shape[1] % _BLOCK)).view(len(weights), -1, _BLOCK)


def _total(weights: Float[Tensor, "R V"]) -> Float[Tensor, "R 1"]:
    """Summed in blocks: one long sum may be split among threads, differently for a single row and for many."""
    return _blocks(weights).sum(-1).sum(-1, keepdim=True)


def inverse(weights: Float[Tensor, "R V"], uniforms: Sequence[float]) -> list[int]:
    """The first token at which the cumulative share of its row exceeds the row's number.

    Found among blocks and then inside one, by sums of few numbers in float64: nothing falls off the end, and no token
    of weight 0 is drawn. Raises `ArtifactError` when the weights are not numbers.
    """
    blocks = _blocks(weights)
    ends = blocks.sum(-1).cpu().double().cumsum(-1)
    if not (ends[:, -1].isfinite() & (ends[:, -1] > 0)).all():
        raise ArtifactError("logits that are numbers", "others", DAMAGED)
    target = torch.tensor(uniforms, dtype=torch.float64)[:, None] * ends[:, -1:]
    block = torch.searchsorted(ends, target, right=True)
    target -= pad(ends, (1, 0)).gather(1, block)
    inside = blocks[torch.arange(len(blocks), device=weights.device), block[:, 0].to(weights.device)]
    ends = inside.cpu().double().cumsum(-1)
    target = target.minimum(ends[:, -1:].nextafter(torch.zeros((), dtype=torch.float64)))
    return (block * _BLOCK + torch.searchsorted(ends, target, right=True))[:, 0].tolist()
