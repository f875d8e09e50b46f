"""Language-model loss on held-out text, in nats a token and in bits a byte (which tokenizers cannot flatter)."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import log

import torch

from gptwright.foundations.device import device_of
from gptwright.foundations.errors import InputError
from gptwright.layers.masks import Documents
from gptwright.models.decoder import Decoder
from gptwright.objectives.language import IGNORED, token_nats
from gptwright.text.pack import TokenFile
from gptwright.training.batches import TokenBatch
from gptwright.training.next_token import without_overhang


@dataclass(frozen=True)
class TextLoss:
    """`nats` a token; `bits_per_byte` of the text those tokens are."""

    nats: float
    bits_per_byte: float


def require_window(tokens: TokenFile, length: int) -> TokenFile:
    """The held-out text, once it is certain that it can be measured: asked before the training, not after.

    Raises `InputError` when it is shorter than a window of `length` tokens and the one that follows.
    """
    if len(tokens) <= length:
        raise InputError(f"at least {length + 1:,} tokens of held-out text", f"{len(tokens):,}",
                         "Hold out more with prepare --heldout, add text, or lower length.")  # fmt: skip
    return tokens


@torch.inference_mode()
def text_loss(model: Decoder, tokens: TokenFile, *, length: int, windows: int, opening: int | None = None) -> TextLoss:
    """Mean over evenly spaced windows of `length` tokens, each document by itself if the token `opening` them is given.

    Raises as `require_window` does."""
    require_window(tokens, length)
    count = max(1, min(windows, (len(tokens) - 1) // length))
    step = (len(tokens) - length - 1) // max(count - 1, 1) if count > 1 else 0
    total, seen = 0.0, 0
    for start in range(0, count, 16):
        rows = torch.stack(
            [torch.from_numpy(tokens.window(i * step, length + 1)) for i in range(start, min(start + 16, count))]
        )
        rows = rows.to(device_of(model))
        documents = None if opening is None else Documents.begun_by(opening, rows[:, :-1])
        hidden = model.hidden(rows[:, :-1], documents=documents).flatten(0, 1)
        total += float(token_nats(hidden, model.output, rows[:, 1:].flatten(), model.vocabulary).sum())
        seen += rows[:, 1:].numel()
    nats = total / seen
    return TextLoss(nats, nats / log(2) * tokens.meta.tokens / tokens.meta.bytes)


@torch.inference_mode()
def answer_loss(model: Decoder, batches: Iterable[TokenBatch]) -> float:
    """Mean nats of the targets of all batches together; those that are IGNORED do not count."""
    total, seen = 0.0, 0
    for batch in batches:
        batch = without_overhang(batch, model.config.context)
        chosen = batch.targets != IGNORED
        states = model.hidden(batch.ids.to(device_of(model)))[chosen.to(device_of(model))]
        wanted = batch.targets[chosen].to(device_of(model))
        total += float(token_nats(states, model.output, wanted, model.vocabulary).sum())
        seen += len(wanted)
    return total / seen
