"""Everything that is seen of one text in one model, as the page is given it: plain numbers, lists and texts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isqrt
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from gptwright.foundations.errors import InputError
from gptwright.interpretability.attention import rollout
from gptwright.interpretability.heads import ablations, head_scores
from gptwright.interpretability.neighbours import neighbours
from gptwright.interpretability.packed_rows import LARGEST, pack_rows
from gptwright.interpretability.predictions import Predictions, lens, lens_logits, predictions
from gptwright.interpretability.reading import Reading
from gptwright.interpretability.shapes import shapes
from gptwright.interpretability.sight import Sight
from gptwright.interpretability.steps import Steps
from gptwright.layers.trace import Trace
from gptwright.models.bert import BERT
from gptwright.models.decoder import Decoder
from gptwright.models.language_model import LanguageModel
from gptwright.objectives.language import IGNORED

TOP, LENS = 5, 3
"""tokens shown where several are likely; after each layer"""
NEIGHBOURS = 8
ABLATED = 128
"""tokens of the text on which heads are switched off, one after another"""
MOST = 1024
"""tokens of a text that a page shows"""
MEMORY = 1 << 30
"""bytes of all attention weights together, at most: of a large model less of a text is shown"""

View = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """What another stage of the same run expects of the same ids."""

    name: str
    network: Decoder
    sight: Sight | None = None
    """of the same images"""


def most_tokens(network: Decoder | BERT, sight: Sight | None = None) -> int:
    """Of a text in this network, its images' patches included, that a page shows."""
    config = network.config
    images = sight.model.config.image if sight else None
    return min(config.context, room(config.layers * config.heads + (images.layers * images.heads if images else 0)))


def room(heads: int) -> int:
    """Tokens of which a page shows so many heads."""
    return min(MOST, isqrt(MEMORY // (4 * heads)))


@torch.no_grad()
def inside(
    network: Decoder | BERT,
    ids: Sequence[int],
    said: Callable[[int], str],
    stages: Sequence[Stage] = (),
    sight: Sight | None = None,
) -> Steps[View]:
    """What the page shows of a network that reads `ids`, at most `most_tokens`. `said`: an id as text; `stages`:
    networks with the same vocabulary, shown beside it; `sight`: the images of a decoder that sees, for each patch of
    which the ids have a placeholder.

    Raises `InputError` for no ids, or more than the page or the context holds.
    """
    most = most_tokens(network, sight)
    if not 0 < len(ids) <= most:
        raise InputError(f"1 to {most} tokens", str(len(ids)), "Give a shorter text." if ids else "Give a text.")
    row, texts = torch.tensor([list(ids)]), Texts(said)
    reading = Reading(row, sight.embeddings(row) if sight else None)
    decodes = isinstance(network, Decoder)
    trace, targets = (reading.trace(network), reading.targets) if decodes else (network.trace(row), ids)
    yield
    layers = list[View]()
    for each in lens(network, trace.states, targets, LENS):
        layers.append(predicted(each, texts))
        yield
    of_decoder = (yield from _of_decoder(network, reading, texts, stages, sight)) if decodes else {}
    return {
        "tokens": [texts.of(id) for id in ids],
        "reads": "left to right" if decodes else "both sides",
        **_attention(trace, row, sight),
        "lens": layers,
        "said": predicted(predictions(lens_logits(network, trace.states[-1][0]), targets, TOP), texts),
        **of_decoder,
        "neighbours": near_tokens(network, [id for id in ids if not sight or id != sight.placeholder], texts),
        "texts": texts.known,
    }


class Texts:
    """Each text is told once, and meant by its id."""

    def __init__(self, said: Callable[[int], str]) -> None:
        self.said, self.known = said, dict[int, str]()

    def of(self, id: int) -> int:
        self.known.setdefault(id, self.said(id))
        return id


def _attention(trace: Trace, row: Int[Tensor, "1 T"], sight: Sight | None) -> View:
    """Every head of every layer, an image encoder's first, then rollout."""
    own = [layer[0].cpu() for layer in trace.attention]
    seen = sight.attention(row) if sight else []
    layers = [*seen, *own]
    found: View = {"layers": len(layers), "heads": [len(layer) for layer in layers]}
    if sight:
        found["parts"] = ["image"] * len(seen) + ["decoder"] * len(own)
        found["images"] = sight.shown(row)
    pictures = sum(len(picture) for picture in sight.pictures) if sight else 0
    return found | {"attention": asdict(pack_rows([*layers, rollout(layers)[None]], LARGEST - pictures))}


def _of_decoder(
    network: Decoder, reading: Reading, texts: Texts, stages: Sequence[Stage], sight: Sight | None
) -> Steps[View]:
    scores = {name: _rounded(value) for name, value in asdict(head_scores(network)).items()}
    yield
    if any(target != IGNORED for target in reading.targets):
        changes = list[float]()
        for change in ablations(network, reading.beginning(ABLATED)):
            changes.append(change)
            yield
        scores["ablation"] = _rounded(torch.tensor(changes).view(-1, network.config.heads))
    others = list[View]()
    for stage in stages:
        theirs = Reading(reading.ids, stage.sight.embeddings(reading.ids) if stage.sight else None)
        expected = predictions(theirs.logits(stage.network), reading.targets, TOP)
        others.append({"name": stage.name, **predicted(expected, texts)})
        yield
    lines = shapes(sight.model, reading.ids, sight.pixels) if sight else shapes(network, reading.ids)
    return {"scores": scores, "shapes": [asdict(line) for line in lines], "stages": others}


def predicted(each: Predictions, texts: Texts) -> View:
    """As the page is given it."""
    return {
        "ids": [[texts.of(id) for id in ids] for ids in each.ids.tolist()],
        "probabilities": _rounded(each.probabilities),
        "entropy": _rounded(each.entropy),
        "actual": [None if value != value else value for value in _rounded(each.actual)],
        "rank": each.rank.tolist(),
    }


def near_tokens(network: LanguageModel, ids: Sequence[int], texts: Texts) -> Mapping[int, View]:
    """Those whose vectors lie nearest to that of each id."""
    once = list(dict.fromkeys(ids))
    found = zip(once, *neighbours(network.embed.weight, once, NEIGHBOURS), strict=True)
    return {id: {"ids": [texts.of(near) for near in nearest], "cosines": [round(cosine, 3) for cosine in cosines]}
            for id, nearest, cosines in found}  # fmt: skip


def _rounded(values: Tensor) -> Any:
    """The same numbers with 4 digits behind the point, in lists."""
    return torch.round(values.double(), decimals=4).tolist()
