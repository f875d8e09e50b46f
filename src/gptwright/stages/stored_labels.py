"""What a stage learns of a store: the labels that count when it begins, kept in its folder, so that it goes on as it
began while people go on labelling."""

import hashlib
import json
from pathlib import Path
from typing import Any

from gptwright.foundations.progress import say
from gptwright.foundations.runs import FROM_STORE, StageFolder
from gptwright.store.database import open_store
from gptwright.store.exports import FORMATS
from gptwright.text.jsonl import write_objects
from gptwright.training.distributed.world import in_turn

LEARNED = ("rankings", "demonstrations", "thumbs")


def stored_labels(folder: StageFolder, place: str | None, format: str, *, images: bool = False) -> tuple[Path, ...]:
    """The file of them, those about `images` too for a model that sees; none without a store, or where it has none of
    the kind. Raises as `open_store` does."""
    if place is None:
        return ()
    path = folder / FROM_STORE / f"{format}.jsonl"
    in_turn(lambda: path.exists() or _write(place, format, path, images))
    return (path,) if path.stat().st_size else ()


def _write(place: str, format: str, path: Path, images: bool) -> bool:
    with open_store(place, create=False) as store, store.read() as session:
        lines = list(FORMATS[format](session))
        read = [line for line in lines if images or _is_text(line)]
        write_objects(path, read)
    if len(read) < len(lines):
        say(f"{len(lines) - len(read):,} of {len(lines):,} {format} of the store are about images, which this model "
            "cannot see")  # fmt: skip
    return True


def _is_text(line: dict[str, Any]) -> bool:
    """Whether its messages hold no images."""
    return all(isinstance(message["content"], str) for message in line["messages"])


def identity_of_labels(place: str) -> str:
    """SHA-256 of all that can be learned of a store as it is now."""
    found = hashlib.sha256()
    with open_store(place, create=False) as store, store.read() as session:
        for format in LEARNED:
            for line in filter(_is_text, FORMATS[format](session)):
                found.update(json.dumps([format, line], sort_keys=True).encode())
    return found.hexdigest()
