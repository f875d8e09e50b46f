"""prepare: read text of many kinds, clean it, drop duplicates, and put a share of it aside for measuring.

Leaves train.jsonl and heldout.jsonl, one document a line, and sources.json: per source what came in, what was kept,
and why the rest was dropped. The same input gives the same bytes.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

from gptwright.foundations.durable import sha256, write_file, write_json
from gptwright.foundations.errors import InputError
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder
from gptwright.foundations.settings import Range, Seed, settings
from gptwright.text.draw import first
from gptwright.text.ledger import Account, Ledger
from gptwright.text.read import Found, find, label, resolve
from gptwright.text.refine import Refined, Refiner
from gptwright.text.sides import Sides
from gptwright.text.split import Split, assign_split

MIN_CORPUS = 20_000


@settings
class Prepare:
    """Read, clean and split the text."""

    data: tuple[str, ...] = ("bundled",)
    """Files, folders, globs, `bundled`, or one bundled source such as `bundled:novels`."""
    heldout: Annotated[float, Range(0, 0.5, above=True)] = 0.05
    """Share of the documents that is held out for measuring, where their source has not fixed it."""
    seed: Seed = 1
    """Chooses which documents are held out."""
    max_characters: Annotated[int, Range(2 * MIN_CORPUS, 10**15)] | None = None
    """Take only the first so many characters, evenly over the files."""


def data_files(config: Prepare) -> list[Path]:
    """Every file the stage reads. Raises `InputError` when there are none."""
    return resolve(config.data)


def inputs(config: Prepare) -> dict[str, Path]:
    """The same files by name, for the stage's record."""
    return {label(path): path for path in data_files(config)}


def run(config: Prepare, folder: StageFolder) -> dict[str, Any]:
    """Writes the two sides and sources.json; returns the stage's figures.

    Raises `InputError` when a file cannot be read or there is too little text.
    """
    found, ledger = find(config.data), Ledger()

    def fill(train: Path, heldout: Path) -> None:
        with Sides({"train": train, "heldout": heldout}, ledger, config.seed) as sides:
            for refined, split in _chosen(config, found.files, ledger):
                sides.add(refined, split)
        _refuse_small(config, ledger.total())
        sides.balance()

    train, heldout = folder / "train.jsonl", folder / "heldout.jsonl"
    write_file(train, lambda new_train: write_file(heldout, lambda new_heldout: fill(new_train, new_heldout)))
    write_json(folder / "sources.json", _manifest(ledger, found))
    total = ledger.total()
    say(_summary(total))
    return _figures(total)


def _chosen(config: Prepare, files: list[Path], ledger: Ledger) -> Iterator[tuple[Refined, Split]]:
    """The documents to keep and their sides: all, or as many as `max_characters` allows."""
    refiner = Refiner(ledger)
    streams = [refiner.read(path) for path in files]

    def side_of(refined: Refined) -> Split:
        return assign_split(refined.document, config.heldout, config.seed)

    def drop(refined: Refined) -> None:
        ledger.drop(refined.document.source, "beyond max_characters", refined.characters_in)

    if config.max_characters is None:
        return ((refined, side_of(refined)) for refined in chain.from_iterable(streams))
    held = round(config.max_characters * config.heldout)
    return first(streams, {"train": config.max_characters - held, "heldout": held}, side_of, drop)


def _refuse_small(config: Prepare, total: Account) -> None:
    characters, documents = total.characters.total(), total.documents.total()
    names = ", ".join(config.data)
    if characters < MIN_CORPUS:
        raise InputError(f"a corpus of at least {MIN_CORPUS:,} characters after cleaning",
                         f"{characters:,} in {_plural(documents, 'document')} from {names}{_dropped(total)}",
                         "Add more text with --data; 'bundled' is always there.")  # fmt: skip
    if documents < 2:
        raise InputError("at least two documents, one to train on and one to hold out", f"one from {names}",
                         "Give more text, or leave out the field \"split\" so that it can be cut.")  # fmt: skip


def _manifest(ledger: Ledger, found: Found) -> dict[str, Any]:
    return {
        "total": ledger.total().record(),
        "sources": {name: account.record() for name, account in ledger.accounts.items()},
        "files": [{"file": label(f), "bytes": f.stat().st_size, "sha256": sha256(f)} for f in found.files],
        "ignored_files": found.ignored,
    }


def _figures(total: Account) -> dict[str, Any]:
    return {
        "documents_in": total.documents_in,
        "characters_in": total.characters_in,
        "documents": total.documents.total(),
        "characters": total.characters.total(),
        "bytes": total.bytes.total(),
        "train_documents": total.documents["train"],
        "train_characters": total.characters["train"],
        "heldout_documents": total.documents["heldout"],
        "heldout_characters": total.characters["heldout"],
        "dropped_documents": total.dropped.total(),
        "dropped": dict(sorted(total.dropped.items())),
    }


def _summary(total: Account) -> str:
    return (
        f"prepare: {_plural(total.documents.total(), 'document')}, {total.bytes.total() / 1e6:.1f} MB; "
        f"{total.documents['train']:,} to train on, {total.documents['heldout']:,} held out{_dropped(total)}"
    )


def _dropped(total: Account) -> str:
    """ ", 20 dropped (12 duplicate, 8 too short)", or nothing."""
    if not total.dropped:
        return ""
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in total.dropped.most_common())
    return f", {total.dropped.total():,} dropped ({reasons})"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
