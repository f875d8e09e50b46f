"""What a model was made of: every stage before it, and every file that they read, found by hash wherever it lies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from gptwright.foundations.atomic_io import sha256
from gptwright.foundations.errors import ArtifactError, GptwrightError
from gptwright.foundations.runs import RECORD, Record, identities, input_identity, read_record
from gptwright.text.bundled import bundled_folder


@dataclass(frozen=True)
class Ancestor:
    """A stage, and of what it read (`tokens`, `conversations[0]`) what was found."""

    path: Path
    record: Record
    inputs: Mapping[str, Path]
    changed: frozenset[str] = field(default_factory=frozenset[str])
    """those of them whose file is not the one that was read"""
    lost: Mapping[str, str] = field(default_factory=dict[str, str])
    """where those were that are not found"""

    @property
    def verb(self) -> str:
        return self.record["verb"]

    @property
    def config(self) -> dict[str, Any]:
        return self.record["config"]

    def files(self, field: str) -> list[tuple[str, Path]]:
        """Those of a field with several: their names among the inputs, and the files."""
        return [(name, path) for name, path in self.inputs.items() if name.split("[")[0] == field]


def stage_of(model: Path) -> Path:
    """The stage's folder of a model's folder, which may be its inner `model/`. Raises `ArtifactError` when no stage of
    ours left it."""
    folder = model.resolve()
    stage = folder.parent if folder.name == "model" and (folder.parent / RECORD).is_file() else folder
    if not (stage / RECORD).is_file():
        raise ArtifactError(f"a model that tells what it was made of, in {model}", f"no {RECORD} there",
                            "Give the folder of a stage, such as runs/start/04-sft; gptwright see looks into any "
                            "model.")  # fmt: skip
    return stage


def ancestry(stage: Path) -> list[Ancestor]:
    """The stage and all before it, the nearest first. What cannot be found is told in `lost` of the stage that read it.

    Raises `ArtifactError` for a damaged record.
    """
    found: dict[Path, Ancestor] = {}
    waiting = [stage.resolve()]
    for path in waiting:
        if path in found:
            continue
        found[path] = _ancestor(path)
        inputs = found[path].inputs.values()
        waiting += [_stage_at(each) for each in inputs if (_stage_at(each) / RECORD).is_file()]
    return list(found.values())


def _stage_at(path: Path) -> Path:
    """The stage that an input is, or that left it."""
    return (path if path.is_dir() else path.parent).resolve()


def _ancestor(path: Path) -> Ancestor:
    record = read_record(path)
    inputs, changed, lost = dict[str, Path](), set[str](), dict[str, str]()
    for name, identity in record["inputs"].items():
        named = _named(record["config"], name)
        place = _beside(path, identity) or _same(named, identity)
        if place is None and named is not None and named.is_file():
            place = named
            changed.add(name)
        if place is not None:
            inputs[name] = place
        elif named is not None:
            lost[name] = str(named)
    return Ancestor(path, record, inputs, frozenset(changed), lost)


def _named(config: Mapping[str, Any], name: str) -> Path | None:
    """The path that the stage's options have for one of its inputs."""
    field, _, place = name.partition("[")
    value = config.get(field)
    if isinstance(value, list) and place:
        items = cast("list[Any]", value)
        value = items[int(place[:-1])] if int(place[:-1]) < len(items) else None
    return Path(value) if isinstance(value, str) and value else None


def _beside(stage: Path, identity: str) -> Path | None:
    """Another stage of the same run, or a file that one of them left."""
    for record in sorted(stage.parent.glob(f"*/{RECORD}")):
        try:
            outputs = read_record(record.parent).get("outputs", {})
        except GptwrightError:
            continue
        if record.parent != stage and identity in identities(outputs):
            return next((record.parent / name for name, own in outputs.items() if own == identity), record.parent)
    return None


def _same(named: Path | None, identity: str) -> Path | None:
    """What comes with this package by that name, whose licence is known, or is there, where it is what was read."""
    if named is None:
        return None
    shipped = [file for file in bundled_folder().rglob(named.name) if file.is_file()] if named.name else []
    for place in (*shipped, named):
        try:
            if place.exists() and (sha256(place) if place.is_file() else input_identity(place)) == identity:
                return place
        except GptwrightError:
            continue
    return None
