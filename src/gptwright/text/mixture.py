"""A token file mixed from another: its documents, as often as each source is to be read."""

import dataclasses
import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from gptwright.foundations.errors import InputError
from gptwright.text.mix import Floats, Integers, Mix, chosen_documents
from gptwright.text.pack import TokenFile, TokenFileMeta, write_files
from gptwright.text.split import uniform_hash


@dataclass(frozen=True)
class DocumentFacts:
    """Of every document that was packed, in order: its source, its lot (a hash of its text) and its UTF-8 bytes."""

    sources: list[str]
    lots: "array[float]"
    sizes: "array[int]"

    @classmethod
    def of(cls, documents: Iterable[tuple[str, str]]) -> "DocumentFacts":
        """Of documents given as source and text."""
        facts = cls([], array("d"), array("Q"))
        for source, text in documents:
            facts.sources.append(sys.intern(source))  # one text for all documents of a source
            facts.lots.append(uniform_hash(text, "mix"))
            facts.sizes.append(len(text.encode()))
        return facts


@dataclass(frozen=True)
class GroupFigures:
    """What the mixture has of a group: tokens, its share of all, and how often the group is read."""

    tokens: int
    share: float
    epochs: float


def write_mixture(
    packed: TokenFile, facts: DocumentFacts, mix: Mix, path_stem: Path
) -> tuple[TokenFileMeta, dict[str, GroupFigures]]:
    """Writes the three files of the mixture, NAME.json last, and says what is in it, by group.

    Raises `ConfigError` when mix and sources do not fit, `InputError` when the mixture is empty.
    """
    groups = mix.groups(facts.sources)
    group = np.array([groups[source] for source in facts.sources])
    counts = packed.lengths
    names = dict.fromkeys(groups.values())
    tokens = {name: int(counts[group == name].sum()) for name in names}
    chosen = {name: _chosen(np.flatnonzero(group == name), counts, np.array(facts.lots), wanted)
              for name, wanted in mix.wanted(tokens).items()}  # fmt: skip
    order = np.concatenate(list(chosen.values()))
    if not len(order):
        raise InputError("a mixture of at least one document", "none", "Raise its tokens, or epochs.")
    meta = _write(packed, order, counts, np.array(facts.sizes), path_stem)
    read = {name: int(counts[own].sum()) for name, own in chosen.items()}
    return meta, {name: GroupFigures(count, count / meta.tokens, count / tokens[name]) for name, count in read.items()}


def _chosen(own: Integers, counts: Integers, lots: Floats, wanted: int) -> Integers:
    return own[chosen_documents(counts[own], lots[own], wanted)]


def _write(packed: TokenFile, order: Integers, counts: Integers, sizes: Integers, path_stem: Path) -> TokenFileMeta:
    def fill(file: BinaryIO) -> tuple[Integers, TokenFileMeta]:
        for document in order.tolist():
            file.write(packed.closed_document(document))
        ends, size = np.cumsum(counts[order]), int(sizes[order].sum())
        return ends, dataclasses.replace(packed.meta, tokens=int(ends[-1]), documents=len(order), bytes=size)

    return write_files(path_stem, fill)


def describe(figures: dict[str, GroupFigures]) -> Sequence[str]:
    """A line for each group."""
    return [f"{name}: {each.tokens:,} tokens, {each.share:.1%}, read {each.epochs:.2f} times"
            for name, each in figures.items()]  # fmt: skip
