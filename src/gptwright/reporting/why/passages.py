"""Passages of what was learned that are nearest to an answer: word for word, and by what the model makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gptwright.foundations.progress import ProgressLine
from gptwright.pipelines.model import Model
from gptwright.reporting.why.evidence import Passage, marked
from gptwright.reporting.why.learned import Learned
from gptwright.reporting.why.texts import Spoken, Text
from gptwright.text.overlap import Overlap, overlaps
from gptwright.tokenizers.tokenizer import Tokenizer

AROUND = 24
"""tokens shown on either side of what is shared"""
LENGTH = 64
"""tokens of a passage whose state is compared"""
WORK = 6e11
"""products of parameters and tokens that are read to compare states: 1.1 million parameters read 550,000 tokens"""
PIECE = 2**14
"""passages that are looked through at once"""
ROWS = 64


@dataclass(frozen=True)
class Words:
    """Passages that share words with an answer, and which of the answer's tokens they are (first, end)."""

    passages: list[Passage]
    spans: list[tuple[int, int]]


def by_words(answer: str, ids: Sequence[int], model: Model, learned: Learned, most: int) -> Words:
    """The passages of all texts and demonstrations with the least likely stretches in common, one of each stretch."""
    found = list[tuple[Overlap, Passage, Tokenizer]]()
    for text in learned.texts:
        same = text.tokenizer.sha256 == model.tokenizer.sha256
        row = list(ids) if same else text.tokenizer.encode(answer)
        best = overlaps(row, text.tokens)[:most]
        documents = [text.document_at(each.places[0]) for each in best]
        origins = text.origins(documents)
        for each, document in zip(best, documents, strict=True):
            shown = _around(text.tokens, text.bounds(document), each, text.tokenizer)
            found.append((each, Passage(origins[document], shown, each.length, each.count), text.tokenizer))
    if learned.shown:
        spoken = Spoken([each.demonstration for each in learned.shown])
        for each in overlaps(ids, spoken)[:most]:
            number = int(np.searchsorted(spoken.ends, each.places[0], side="right"))
            bounds = int(spoken.ends[number - 1]) if number else 0, int(spoken.ends[number])
            origin = learned.origin(learned.shown[number].where)
            shown = _around(spoken, bounds, each, model.tokenizer)
            found.append((each, Passage(origin, shown, each.length, each.count), model.tokenizer))
    found.sort(key=lambda one: -one[0].bits)
    own = model.tokenizer.sha256
    spans = [(each.start, each.start + each.length) for each, _, tokenizer in found[:most] if tokenizer.sha256 == own]
    return Words([passage for _, passage, _ in found[:most]], spans)


def said(tokenizer: Tokenizer, ids: Sequence[int]) -> list[str]:
    """Each token as text; a letter of several tokens comes with its last, what marks turns is a dot."""
    decoder = tokenizer.streaming_decoder()
    special = " · "
    texts = [decoder(id) if tokenizer.token_bytes(id) is not None else special for id in ids]
    texts[-1:] = [texts[-1] + decoder.flush()] if texts else []
    return texts


def _around(tokens: Any, bounds: tuple[int, int], overlap: Overlap, tokenizer: Tokenizer) -> list[tuple[str, bool]]:
    place = overlap.places[0]
    first, end = max(bounds[0], place - AROUND), min(bounds[1], place + overlap.length + AROUND)
    texts = said(tokenizer, tokens.window(first, max(end, place + overlap.length) - first).tolist())
    return marked(texts, [(place - first, place - first + overlap.length)])


def by_state(ids: Sequence[int], model: Model, learned: Learned, most: int) -> tuple[list[Passage], str]:
    """The passages of the texts whose mean state is nearest to the answer's, and how many were compared. Of more than
    `WORK` allows those that share the rarest tokens with the answer are."""
    texts = [text for text in learned.texts if text.tokenizer.sha256 == model.tokenizer.sha256]
    if not texts:
        return [], ""
    length = min(LENGTH, model.context)
    parameters = sum(each.numel() for each in model.network.parameters())
    room, total = max(int(WORK / (parameters * length)), ROWS), sum(-(-len(text.tokens) // length) for text in texts)
    chosen = [(text, number * length) for text in texts
              for number in _sharing(ids, text, length, max(room * len(text.tokens) // _size(texts), 1))]  # fmt: skip
    states = _states(model, chosen, length)
    mean = states.mean(0)
    wanted = nn.functional.normalize(model.embeddings([list(ids)])[0].float().cpu() - mean, dim=-1)
    cosines = nn.functional.normalize(states - mean, dim=-1) @ wanted
    best = cosines.topk(min(most, len(chosen)))
    answer = set(_runs(ids))
    passages = [_passage(chosen[at], length, cosine, answer)
                for at, cosine in zip(best.indices.tolist(), best.values.tolist(), strict=True)]  # fmt: skip
    every = f"all {total:,} passages of {length} tokens"
    if len(chosen) < total:
        every = f"{len(chosen):,} of {total:,} passages of {length} tokens, those with the rarest tokens of the answer"
    return passages, f"states were compared with {every}"


def _size(texts: Sequence[Text]) -> int:
    return sum(len(text.tokens) for text in texts)


def _sharing(ids: Sequence[int], text: Text, length: int, most: int) -> list[int]:
    """The numbers of `most` passages of so many tokens, in order: those with the most of the answer's tokens, the rare
    ones counting more."""
    whole, vocab = len(text.tokens), text.tokenizer.vocab
    if -(-whole // length) <= most:
        return list(range(-(-whole // length)))
    pieces = [(first, min(PIECE * length, whole - first)) for first in range(0, whole, PIECE * length)]
    counts = sum(np.bincount(text.tokens.window(*piece), minlength=vocab) for piece in pieces)
    weights = np.zeros(vocab)
    own = np.unique(np.asarray(ids))
    weights[own] = np.log2(whole / np.maximum(counts, 1))[own] ** 2
    scores = list[np.ndarray[Any, Any]]()
    for piece in pieces:
        values = weights[text.tokens.window(*piece)]
        scores.append(np.add.reduceat(values, range(0, len(values), length)))
    return sorted(np.argsort(-np.concatenate(scores), kind="stable")[:most].tolist())


def _states(model: Model, chosen: Sequence[tuple[Text, int]], length: int) -> Tensor:
    found = list[Tensor]()
    with ProgressLine("states", len(chosen)) as line:
        for start in range(0, len(chosen), ROWS):
            rows = [text.tokens.window(at, min(length, len(text.tokens) - at)).tolist()
                    for text, at in chosen[start : start + ROWS]]  # fmt: skip
            found.append(model.embeddings(rows).float().cpu())
            line.update(min(start + ROWS, len(chosen)))
    return torch.cat(found)


def _passage(place: tuple[Text, int], length: int, cosine: float, answer: set[tuple[int, ...]]) -> Passage:
    """Up to the end of the document in which most of it stands; words that the answer has too are marked."""
    text, at = place
    document = text.document_at(min(at + length // 2, len(text.tokens) - 1))
    first, end = text.bounds(document)
    first, end = max(first, at), min(end, at + length)
    ids = text.tokens.window(first, end - first).tolist()
    spans = [(place, place + 2) for place, run in enumerate(_runs(ids)) if run in answer]
    return Passage(text.origins([document])[document], marked(said(text.tokenizer, ids), spans), similarity=cosine)


def _runs(ids: Sequence[int]) -> list[tuple[int, ...]]:
    return list(pairwise(ids))
