"""One dial: minutes, tokens or arithmetic. The law of scaling chooses the size, the batch, the steps and the rate."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import torch

from gptwright.models.catalogue import count, family_of
from gptwright.models.config import ModelConfig
from gptwright.models.decoder import Decoder
from gptwright.pretraining.scaling_law import best_batch, best_rate, effective_tokens, loss

WIDTHS = (64, 128, 192, 256, 320, 384, 512, 640, 768, 1024, 1280, 1536, 2048)
OPTIMIZER = "muon"
LEAST_STEPS = 20
EVALUATIONS, SAVES = 8, 5  # of the run
Seconds = Callable[[ModelConfig, int], float]


@dataclass(frozen=True)
class Text:
    """What there is to read: windows of `length` from `unique` tokens."""

    length: int
    unique: int


@dataclass(frozen=True)
class Plan:
    """What a budget comes to."""

    model: ModelConfig
    batch_size: int
    steps: int
    learning_rate: float
    warmup: int
    optimizer: str = OPTIMIZER

    @property
    def intervals(self) -> dict[str, int]:
        """Steps between evaluations and between checkpoints."""
        return {"eval_every": -(-self.steps // EVALUATIONS), "save_every": -(-self.steps // SAVES)}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a run may take: one of these is above 0."""

    seconds: float = 0.0
    tokens: float = 0.0
    flops: float = 0.0


def plan_within(budget: Budget, model: ModelConfig, text: Text, measure: Seconds) -> Plan:
    """Sizes and steps of a model of this family; only a budget of seconds asks `measure` how fast the machine is."""
    if budget.tokens:
        return for_tokens(budget.tokens, model, text)
    if budget.flops:
        return for_flops(budget.flops, model, text)
    return for_seconds(budget.seconds, model, text, measure)


def ladder(model: ModelConfig) -> Iterator[ModelConfig]:
    """The model's family from small to large, with its head width, its share of keys and its feed-forward's ratio."""
    head = model.width // model.heads
    for width in WIDTHS:
        if width % head:
            continue
        heads = width // head
        sizes = {"width": width, "heads": heads, "layers": width // 64 + 1}
        if kv_heads := getattr(model, "kv_heads", 0):
            most = max(1, heads * kv_heads // model.heads)
            sizes["kv_heads"] = next(n for n in range(most, 0, -1) if heads % n == 0)
        if hidden := getattr(model, "hidden", 0):
            sizes["hidden"] = -(-width * hidden // model.width // 32) * 32
        yield replace(model, **sizes)


@cache
def multiplied(model: ModelConfig) -> int:
    """Parameters that every token is multiplied by: all matrices of blocks, and the output matrix, tied or not."""
    with torch.device("meta"):
        network = family_of(model).model(model)
    assert isinstance(network, Decoder)
    return count(network.blocks) + network.output.numel()


def flops_a_token(model: ModelConfig, length: int) -> float:
    """Forward and backward: 6 for each parameter, and attention over half the window on the average."""
    return 6.0 * multiplied(model) + 6.0 * model.layers * length * model.width


def for_flops(flops: float, model: ModelConfig, text: Text) -> Plan:
    """The size with the least loss, and as many tokens as the arithmetic then suffices for."""
    best = _best(model, text, lambda size: flops / flops_a_token(size, text.length))
    return _plan(best, flops / flops_a_token(best, text.length), text)


def for_tokens(tokens: float, model: ModelConfig, text: Text) -> Plan:
    """The size for which so many tokens are best: with less arithmetic one would choose a smaller one."""
    best = next(iter(ladder(model)))
    for size in ladder(model):
        if for_flops(tokens * flops_a_token(size, text.length), model, text).model.width < size.width:
            break
        best = size
    return _plan(best, tokens, text)


def for_seconds(seconds: float, model: ModelConfig, text: Text, measure: Seconds) -> Plan:
    """As `for_flops`, for the arithmetic that this machine does in that time.

    `measure` gives the seconds of a step with so many rows. Larger models use a machine better, so the size that is
    chosen is measured in turn, until it stays.
    """
    size, tried, speed = list(ladder(model))[1], set[int](), 0.0
    while size.width not in tried:
        tried.add(size.width)
        rows = _rows(best_batch(1e6), text)
        a_token = measure(size, rows) / (rows * text.length)
        speed = flops_a_token(size, text.length) / a_token
        size = for_flops(speed * seconds, model, text).model
    planned = for_flops(speed * seconds, model, text)
    return replace(planned, steps=max(int(seconds / measure(planned.model, planned.batch_size)), LEAST_STEPS))


def _best(model: ModelConfig, text: Text, tokens: Callable[[ModelConfig], float]) -> ModelConfig:
    return min(ladder(model), key=lambda size: loss(multiplied(size), effective_tokens(tokens(size), text.unique)))


def _rows(batch: int, text: Text) -> int:
    return max(1, round(batch / text.length))


def _plan(model: ModelConfig, tokens: float, text: Text) -> Plan:
    rows = _rows(best_batch(tokens), text)
    steps = max(int(tokens / (rows * text.length)), LEAST_STEPS)
    rate = float(f"{best_rate(OPTIMIZER, model.width):.2g}")
    return Plan(model, rows, steps, rate, warmup=min(20, steps // 10))
