"""What is seen while a Transformer reads a text and writes another: both stand on the page one behind the other.

Each layer is a matrix over both. An encoder's heads fill the corner of the source, a decoder's own that of the target,
and those with which it looks at the encoder's output the target's rows under the source's columns.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from gptwright.foundations.errors import InputError
from gptwright.interpretability.attention import rollout
from gptwright.interpretability.inside import LENS, TOP, Texts, View, near_tokens, predicted, room
from gptwright.interpretability.packed_rows import pack_rows
from gptwright.interpretability.predictions import lens, lens_logits, predictions
from gptwright.interpretability.steps import Steps
from gptwright.models.transformer import TracedPair, Transformer


@torch.no_grad()
def inside_translation(
    network: Transformer, source: Sequence[int], target: Sequence[int], said: Callable[[int], str]
) -> Steps[View]:
    """What the page shows of a network, in evaluation, that reads `source` and writes `target`, whose first id is what
    it began with. Raises `InputError` for more ids than the page holds."""
    config, ids = network.config, [*source, *target]
    most = room(3 * config.layers * config.heads)
    if len(ids) > most:
        raise InputError(f"at most {most} tokens of source and target together", str(len(ids)), "Give a shorter text.")
    trace = network.trace(torch.tensor([[*source]]), torch.tensor([len(source)]), torch.tensor([[*target]]))
    yield
    texts, before = Texts(said), len(source)
    layers = list[View]()
    for each in lens(network, trace.decoder.states, target[1:], LENS):
        layers.append(_behind(before, predicted(each, texts)))
        yield
    last = lens_logits(network, trace.decoder.states[-1][0])
    parts = _parts(trace)
    layers_of_both = [part for _, part in parts]
    return {
        "tokens": [texts.of(id) for id in ids],
        "reads": "left to right",
        "layers": config.layers,
        "heads": [config.heads] * len(parts),
        "parts": [name for name, _ in parts],
        "attention": asdict(pack_rows([*layers_of_both, rollout(layers_of_both)[None]])),
        "lens": layers,
        "said": _behind(before, predicted(predictions(last, target[1:], TOP), texts)),
        "neighbours": near_tokens(network, ids, texts),
        "texts": texts.known,
    }


def _parts(trace: TracedPair) -> list[tuple[str, Float[Tensor, "H N N"]]]:
    """Every layer over both texts, in the order in which they work, with what the page calls it."""
    read, written, across = trace.encoder.attention, trace.decoder.attention, trace.decoder.cross
    source, target = read[0].shape[-1], written[0].shape[-1]
    parts = [("encoder", F.pad(layer[0], (0, target, 0, target))) for layer in read]
    for own, other in zip(written, across, strict=True):
        parts.append(("decoder", F.pad(own[0], (source, 0, source, 0))))
        parts.append(("source", F.pad(other[0], (0, target, source, 0))))
    return parts


def _behind(count: int, view: View) -> View:
    """Nothing is expected at the first `count` tokens."""
    empty: View = {"ids": [], "probabilities": [], "entropy": None, "actual": None, "rank": -1}
    return {name: [empty[name]] * count + values for name, values in view.items()}
