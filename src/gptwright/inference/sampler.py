"""Sampling tokens from logits.

The order is that of vLLM and Hugging Face: bias and penalties, grammar, temperature, top-k, top-p, min-p. Each cut is
a threshold on probability, so equally likely tokens stay or go together.

Tokens are sampled by the inverse of the cumulative distribution at uniform numbers that depend on the seed and on the
token's index in the response only. So a text does not depend on the other requests of the batch, and drafts are
verified by sampling: a draft that equals the token sampled in its place is right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from gptwright.foundations.errors import ArtifactError
from gptwright.inference.penalties import Penalties, penalise
from gptwright.inference.request import Request
from gptwright.inference.sampling import Sampling

NOT_NUMBERS = "The weights are damaged, or the training diverged."
_CPU_ROWS = 32
"""rows that a CPU samples at once: their distributions stay in its cache and in memory that is allocated already"""
_BLOCK = 256
_MIN_TEMPERATURE = 1e-20
"""below it quotients could leave float32; only the likeliest token is sampled long before"""
_WORD = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One token to sample."""

    sampling: Sampling
    seed: int
    index: int
    """index of the token in the response"""
    penalties: Penalties | None = None
    drafts: tuple[int, ...] = ()
    """drafts in front of it that `penalties` does not count yet"""
    allowed: NDArray[np.bool_] | None = None
    """which ids the constraint allows; none beyond the end of the array"""


@runtime_checkable
class Constraint(Protocol):
    """What an answer keeps to."""

    def accept(self, token: int) -> None:
        """The answer's next token, one that was allowed."""
        ...

    def allowed(self, drafts: Sequence[int] = ()) -> Sequence[NDArray[np.bool_] | None]:
        """Which ids may come next, and which behind each of the drafts; None where any may."""
        ...


@dataclass(frozen=True, slots=True)
class SampleOutput:
    """The token sampled for each row. `logprobs` and `top` are the model's own: at temperature 1, before penalties,
    grammar and cuts. `sampled_logprobs` are those at the row's temperature. 0.0 and {} where not wanted."""

    tokens: list[int]
    logprobs: list[float]
    top: list[dict[int, float]]
    sampled_logprobs: list[float]


def sample_rows(
    request: Request, drafts: Sequence[int], penalties: Penalties | None, constraint: Constraint | None
) -> list[SampleRow]:
    """Rows for the request's next token and one behind each draft. Raises `InputError` when no token is allowed."""
    index = len(request.ids) - request.prompt
    allowed = constraint.allowed(drafts) if constraint else [None] * (len(drafts) + 1)
    return [
        SampleRow(request.sampling, request.seed, index + i, penalties, tuple(drafts[:i]), mask)
        for i, mask in enumerate(allowed)
    ]


def accepted_tokens(tokens: Sequence[int], drafts: Sequence[int]) -> list[int]:
    """The tokens of one request that stand: up to and including the first that differs from its draft."""
    right = next((i for i, draft in enumerate(drafts) if tokens[i] != draft), len(drafts))
    return list(tokens[: right + 1])


def derive_seed(seed: int, answer: int) -> int:
    """The seed of response number `answer`; that of number 0 is `seed` itself."""
    return (seed + answer * _STEP) & _WORD


def uniform(seed: int, index: int, attempt: int = 0) -> float:
    """A number of [0, 1 - 2^-52], by the hash of SplitMix64 (Steele et al. 2014)."""
    word = _mixed(seed & _WORD)
    word = _mixed(word + index)
    return (_mixed(word + attempt) >> 12) * 2.0**-52


def _mixed(word: int) -> int:
    word = (word + _STEP) & _WORD
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _WORD
    return word ^ (word >> 31)


def sample(logits: Float[Tensor, "R V"], rows: Sequence[SampleRow]) -> SampleOutput:
    """Samples one token a row from float32 logits, which are overwritten where a row has penalties, bias or a grammar.

    Raises `ArtifactError` when logits are not numbers.
    """
    together = _CPU_ROWS if logits.device.type == "cpu" else max(len(rows), 1)
    drawn = SampleOutput([], [], [], [])
    for start in range(0, len(rows), together):
        part = _sample(logits[start : start + together], rows[start : start + together])
        drawn.tokens.extend(part.tokens)
        drawn.logprobs.extend(part.logprobs)
        drawn.top.extend(part.top)
        drawn.sampled_logprobs.extend(part.sampled_logprobs)
    return drawn


def _sample(logits: Float[Tensor, "R V"], rows: Sequence[SampleRow]) -> SampleOutput:
    output = SampleOutput([0] * len(rows), [0.0] * len(rows), [{} for _ in rows], [0.0] * len(rows))
    wanted = [i for i, row in enumerate(rows) if row.sampling.needs_logprobs]
    tempered = [i for i, row in enumerate(rows) if row.sampling.sampled_logprobs]
    own = _select(logits, wanted).log_softmax(-1)
    under_temperature = _apply_temperature(logits, rows, tempered).log_softmax(-1)
    _process_logits(logits, rows)
    _choose_tokens(logits, rows, output.tokens)
    if wanted:
        most = [rows[i].sampling.logprobs or 0 for i in wanted]
        logprobs, top = _top_logprobs(own, [output.tokens[i] for i in wanted], most)
        _scatter(output.logprobs, wanted, logprobs)
        _scatter(output.top, wanted, top)
    if tempered:
        tokens = [output.tokens[i] for i in tempered]
        _scatter(output.sampled_logprobs, tempered, _token_logprobs(under_temperature, tokens))
    return output


def _choose_tokens(logits: Float[Tensor, "R V"], rows: Sequence[SampleRow], tokens: list[int]) -> None:
    """The likeliest token of greedy rows, and sampled ones of the others."""
    greedy = [i for i, row in enumerate(rows) if row.sampling.temperature == 0]
    if greedy:
        likeliest = _select(logits, greedy).max(-1)
        if likeliest.values.isnan().any():
            raise ArtifactError("logits that are numbers", "others", NOT_NUMBERS)
        _scatter(tokens, greedy, likeliest.indices.tolist())
    warm = [i for i, row in enumerate(rows) if row.sampling.temperature > 0]
    if warm:
        probabilities = _apply_temperature(logits, rows, warm).softmax(-1)
        _scatter(tokens, warm, _sample_warm(probabilities, [rows[i] for i in warm]))


def prompt_logprobs(
    logits: Float[Tensor, "N V"], targets: Sequence[int], most: int = 0
) -> tuple[list[float], list[dict[int, float]]]:
    """The model's own log-probabilities of the target tokens, and of the `most` likeliest at each position."""
    logprobs: list[float] = []
    top: list[dict[int, float]] = []
    for start in range(0, len(targets), _CPU_ROWS):  # the distributions of a whole prompt would be much memory
        scores = logits[start : start + _CPU_ROWS].log_softmax(-1)
        found = _top_logprobs(scores, targets[start : start + _CPU_ROWS], [most] * len(scores))
        logprobs, top = logprobs + found[0], top + found[1]
    return logprobs, top


def _select(logits: Float[Tensor, "R V"], rows: list[int]) -> Float[Tensor, "S V"]:
    """These rows, without a copy when they are all rows."""
    return logits if len(rows) == len(logits) else logits[torch.tensor(rows, device=logits.device, dtype=torch.long)]


def _scatter(into: list[Any], rows: list[int], values: Sequence[Any]) -> None:
    for i, value in zip(rows, values, strict=True):
        into[i] = value


def _column(values: Sequence[float], like: Tensor) -> Float[Tensor, "R 1"]:
    return torch.tensor(values, device=like.device, dtype=torch.float32)[:, None]


def _apply_temperature(
    logits: Float[Tensor, "R V"], rows: Sequence[SampleRow], which: list[int]
) -> Float[Tensor, "S V"]:
    divisors = [max(rows[i].sampling.temperature or 1.0, _MIN_TEMPERATURE) for i in which]
    return _select(logits, which) / _column(divisors, logits)


def _process_logits(logits: Float[Tensor, "R V"], rows: Sequence[SampleRow]) -> None:
    """Applies bias, penalties and grammar in place, to the rows that have them."""
    changes = [(i, row.sampling, row.penalties.after(row.drafts)) for i, row in enumerate(rows) if row.penalties]
    if changes:
        penalise(logits, changes)
    for i, row in enumerate(rows):
        if row.allowed is not None:
            allowed = torch.from_numpy(row.allowed[: logits.shape[1]].astype(np.float32)).to(logits.device)
            logits[i, : len(allowed)] += 1 - allowed.reciprocal()  # 0 or -inf, in a fifth of the time of masked_fill
            logits[i, len(allowed) :] = float("-inf")


def _top_logprobs(
    scores: Float[Tensor, "R V"], tokens: Sequence[int], asked: list[int]
) -> tuple[list[float], list[dict[int, float]]]:
    chosen = _token_logprobs(scores, tokens)
    if not any(asked):
        return chosen, [{} for _ in asked]
    values, ids = scores.topk(min(max(asked), scores.shape[1]))
    top = zip(asked, ids.tolist(), values.tolist(), strict=True)
    return chosen, [dict(zip(places[:most], found[:most], strict=True)) for most, places, found in top]


def _token_logprobs(scores: Float[Tensor, "R V"], tokens: Sequence[int]) -> list[float]:
    return scores.gather(1, torch.tensor(tokens, device=scores.device)[:, None])[:, 0].tolist()


def _sample_warm(weights: Float[Tensor, "R V"], rows: list[SampleRow]) -> list[int]:
    """Samples from probabilities, after top-k, top-p and min-p of each row."""
    ks = [row.sampling.top_k for row in rows]
    ps = [row.sampling.top_p for row in rows]
    ms = [row.sampling.min_p for row in rows]
    if any(ks):
        weights = _zero_below(weights, _kth_largest(weights, ks))
    enough = _row_sums(weights) * _column([max(p, 1e-30) for p in ps], weights) if min(ps) < 1 else weights
    if any(ms):
        weights = _zero_below(weights, weights.amax(-1, keepdim=True) * _column(ms, weights))
    tokens = inverse_cdf(weights, [uniform(row.seed, row.index) for row in rows])
    _resample_top_p(weights, enough, tokens, rows)
    return tokens


def _resample_top_p(
    weights: Float[Tensor, "R V"], enough: Float[Tensor, "R _"], tokens: list[int], rows: list[SampleRow]
) -> None:
    """Top-p by rejection, without sorting: a token is in the nucleus when all likelier tokens together have less than
    `enough`. One that is not is sampled again among the likelier ones. No token of the nucleus is left out by that, so
    the result is distributed as if the rest had been cut off first."""
    open_ = [i for i, row in enumerate(rows) if row.sampling.top_p < 1]
    for attempt in count(1):
        if not open_:
            return
        likelier = _zero_up_to(_select(weights, open_), [tokens[i] for i in open_])
        outside = (_row_sums(likelier) >= _select(enough, open_))[:, 0].nonzero()[:, 0].tolist()
        if outside:
            open_ = [open_[i] for i in outside]
            numbers = [uniform(rows[i].seed, rows[i].index, attempt) for i in open_]
            _scatter(tokens, open_, inverse_cdf(_select(likelier, outside), numbers))
        else:
            open_ = []


def _kth_largest(weights: Float[Tensor, "R V"], ks: list[int]) -> Float[Tensor, "R 1"]:
    """The k-th largest; 0 where k is 0."""
    floor = weights.new_zeros(len(ks), 1)
    for k in set(ks) - {0}:
        rows = [i for i, other in enumerate(ks) if other == k]
        floor[rows] = _select(weights, rows).topk(min(k, weights.shape[1])).values[:, -1:]
    return floor


def _zero_below(weights: Float[Tensor, "R V"], floor: Float[Tensor, "R 1"]) -> Float[Tensor, "R V"]:
    """0 below the floor. The comparison is written as numbers: masks take ten times as long on a processor."""
    return torch.ge(weights, floor, out=torch.empty_like(weights)).mul_(weights)


def _zero_up_to(weights: Float[Tensor, "R V"], tokens: list[int]) -> Float[Tensor, "R V"]:
    """0 for weights up to that of each row's token."""
    own = weights.gather(1, torch.tensor(tokens, device=weights.device)[:, None])
    return torch.gt(weights, own, out=torch.empty_like(weights)).mul_(weights)


def _blocks(weights: Float[Tensor, "R V"]) -> Float[Tensor, "R N 256"]:
    return pad(weights, (0, -weights.shape[1] % _BLOCK)).view(len(weights), -1, _BLOCK)


def _row_sums(weights: Float[Tensor, "R V"]) -> Float[Tensor, "R 1"]:
    """Summed in blocks: one long sum may be split among threads, differently for a single row and for many."""
    return _blocks(weights).sum(-1).sum(-1, keepdim=True)


def inverse_cdf(weights: Float[Tensor, "R V"], uniforms: Sequence[float]) -> list[int]:
    """The first token at which the cumulative share of its row exceeds the row's number.

    Found among blocks and then inside one, by sums of few numbers in float64: nothing falls off the end, and no token
    of weight 0 is drawn. Raises `ArtifactError` when the weights are not numbers.
    """
    blocks = _blocks(weights)
    ends = blocks.sum(-1).cpu().double().cumsum(-1)
    if not (ends[:, -1].isfinite() & (ends[:, -1] > 0)).all():
        raise ArtifactError("logits that are numbers", "others", NOT_NUMBERS)
    target = torch.tensor(uniforms, dtype=torch.float64)[:, None] * ends[:, -1:]
    block = torch.searchsorted(ends, target, right=True)
    target -= pad(ends, (1, 0)).gather(1, block)
    inside = blocks[torch.arange(len(blocks), device=weights.device), block[:, 0].to(weights.device)]
    ends = inside.cpu().double().cumsum(-1)
    target = target.minimum(ends[:, -1:].nextafter(torch.zeros((), dtype=torch.float64)))
    return (block * _BLOCK + torch.searchsorted(ends, target, right=True))[:, 0].tolist()
