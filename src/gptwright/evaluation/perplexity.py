"""Language-model loss on held-out text, in nats a token and in bits a byte (which tokenizers cannot flatter)."""

from dataclasses import dataclass
from math import log

import torch

from gptwright.foundations.device import device_of
from gptwright.foundations.errors import InputError
from gptwright.layers.masks import Documents
from gptwright.models.decoder import Decoder
from gptwright.objectives.language import token_nats
from gptwright.text.pack import TokenFile


@dataclass(frozen=True)
class TextLoss:
    """`nats` a token; `bits_per_byte` of the text those tokens are."""

    nats: float
    bits_per_byte: float


@torch.inference_mode()
def text_loss(model: Decoder, tokens: TokenFile, *, length: int, windows: int, opening: int | None = None) -> TextLoss:
    """Mean over evenly spaced windows of `length` tokens, each document by itself if the token `opening` them is given.

    Raises `InputError` when the text is shorter than one."""
    if len(tokens) <= length:
        raise InputError(
            f"at least {length + 1} tokens of held-out text", str(len(tokens)), "Add text, or lower length."
        )
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
