"""A stage's folder: what was asked (`stage.json`), what was measured (`metrics.jsonl`), what came out.

`stage.json` holds the verb, the full configuration, the inputs with their SHA-256, the version, the machine, start
and end, the final figures and the SHA-256 of every file that came out. A folder whose `stage.json` says "complete"
for the same configuration and the same inputs need not be made again.
"""

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Literal, NotRequired, TypedDict, cast

from gptwright.foundations.atomic_io import read_json, sha256, translate_os_errors, write_json
from gptwright.foundations.config import encode
from gptwright.foundations.device import describe_machine, peak_memory_gb
from gptwright.foundations.errors import ArtifactError, ConfigError, InputError
from gptwright.foundations.folder_lock import LOCK
from gptwright.foundations.metrics import Metrics
from gptwright.foundations.processes import is_first
from gptwright.foundations.progress import say
from gptwright.foundations.renamed import rename_record
from gptwright.foundations.settings import Settings
from gptwright.foundations.version import __version__

RECORD = "stage.json"
FROM_STORE = "from-store"
"""folder of the labels that a stage took from a store when it began"""
ASLEEP, MANY_STEPS = 120.0, 50.0
"""so many seconds and so many of the longest steps without one: nobody worked"""


State = Literal["new", "unfinished", "complete"]


class _Begun(TypedDict):
    """What `stage.json` holds from the beginning on."""

    verb: str
    config: dict[str, object]
    inputs: dict[str, str]
    """SHA-256 by name"""
    state: State
    version: str
    machine: dict[str, object]
    started: str
    seconds: float
    peak_memory_gb: NotRequired[float]
    found: NotRequired[dict[str, str]]
    """what was chosen for the machine when the stage began"""
    plan: NotRequired[dict[str, object]]
    """what a budget comes to"""


class Record(_Begun, total=False):
    """The content of `stage.json`."""

    ended: str
    metrics: dict[str, object]
    outputs: dict[str, str]
    """SHA-256 by name"""


class FinishedRecord(_Begun):
    """The content of a complete stage's `stage.json`."""

    ended: str
    metrics: dict[str, object]
    outputs: dict[str, str]


class StageFolder:
    """One run of one stage on disk. Made by `open_stage`; a stage writes into it and returns its final figures."""

    def __init__(self, path: Path, record: Record, state: State) -> None:
        self.path, self.record, self.state = path, record, state
        self.metrics = Metrics(path / "metrics.jsonl")
        self._since = time.monotonic()
        self._stepped, self._longest = 0.0, 0.0

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def freeze_choice(self, name: str, find: Callable[[], str]) -> str:
        """What was found out about the machine when the stage began, so that it goes on as it began."""
        found = self.record.setdefault("found", {})
        if name not in found:
            found[name] = find()
            self.save()
        return found[name]

    def note_step(self) -> None:
        """Between two steps so far apart that the machine must have slept no time is counted, and it is said."""
        now = time.monotonic()
        gap, self._stepped = now - self._stepped if self._stepped else 0.0, now
        if self._longest and gap > max(ASLEEP, MANY_STEPS * self._longest):
            self._since += gap
            say(f"{self.record['verb']}: the machine stood still for {gap:.0f} s, which are not counted")
        else:
            self._longest = max(self._longest, gap)

    def save(self) -> None:
        """Writes `stage.json` as it stands, with the seconds and the most memory spent so far: the first process."""
        if not is_first():
            return
        now = time.monotonic()
        self.record["seconds"] = round(self.record["seconds"] + now - self._since, 3)
        self.record["peak_memory_gb"] = round(max(self.record.get("peak_memory_gb", 0.0), peak_memory_gb()), 2)
        self._since = now
        write_json(self / RECORD, self.record)

    def finish(self, metrics: Mapping[str, object]) -> None:
        """Marks the stage complete with its final figures; from here on its files are checked by hash.

        Raises `ConfigError` for a figure that is not finite: whoever goes on from there must not take it for a model.
        """
        if lost := next((name for name, value in flatten(metrics).items() if _is_lost(value)), None):
            raise ConfigError(f"a finite {lost} at the end of {self.record['verb']}", f"{flatten(metrics)[lost]}",
                              "Begin again in a new folder, with a lower rate or a longer warmup.")  # fmt: skip
        self.record.update(
            state="complete",
            ended=_now(),
            metrics=dict(metrics),
            outputs={name: sha256(self / name) for name in self._outputs()},
        )
        self.state = "complete"
        self.save()

    def _outputs(self) -> list[str]:
        files = (f.relative_to(self.path) for f in self.path.rglob("*") if f.is_file())
        return sorted(
            f.as_posix() for f in files if f.parts[0] not in (RECORD, LOCK, "checkpoints", "metrics.jsonl", "tracking")
        )


def open_stage(path: Path, verb: str, config: object, inputs: Mapping[str, Path]) -> StageFolder:
    """The folder for this work: new, unfinished or complete.

    Raises `ConfigError` when the folder holds other work, naming the first difference, so that nothing is overwritten.
    """
    asked: Record = {
        "verb": verb,
        "config": cast("dict[str, object]", encode(config)),
        "inputs": {n: input_identity(p) for n, p in inputs.items()},
        "state": "unfinished",
        "version": __version__,
        "machine": describe_machine(),
        "started": _now(),
        "seconds": 0.0,
    }
    if (path / RECORD).exists():
        record = read_record(path)
        fields = dataclasses.fields(config) if dataclasses.is_dataclass(config) else ()
        anywhere = {field.name for field in fields if "free" in field.metadata}
        record["config"] = _defaults(fields) | record["config"]
        _refuse_other_work(path, record, asked, anywhere)
        record["config"] |= {name: value for name, value in asked["config"].items() if name in anywhere}
        return StageFolder(path, record, record["state"])
    # A run may be killed while it writes its very first file.
    begun = [path / f".{RECORD}.unfinished", path / LOCK]
    if path.exists() and (not path.is_dir() or any(file not in begun for file in path.iterdir())):
        raise ConfigError(f"a new or empty folder, or one of this stage, at {path}", "something else there",
                          "Choose another folder with --out.")  # fmt: skip
    with translate_os_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    folder = StageFolder(path, asked, "new")
    folder.save()
    return folder


def _defaults(fields: Iterable[dataclasses.Field[object]]) -> dict[str, object]:
    """What a folder's configuration has where it was made before there was such an option."""
    defaults = {field.name: encode(field.default) for field in fields if field.default is not dataclasses.MISSING}
    return {name: value for name, value in defaults.items() if value is not None}


def read_record(path: Path) -> Record:
    """The `stage.json` of the folder `path`, old names of options as their new ones.

    Raises `ArtifactError` when it is missing or holds something else.
    """
    record = read_json(path / RECORD)
    if not isinstance(record, dict):
        raise ArtifactError(
            f"a table in {path / RECORD}", type(record).__name__, "Delete the folder and run its stage again."
        )
    return cast(Record, rename_record(cast("dict[str, object]", record)))


def is_complete(path: Path) -> bool:
    """Whether the folder holds a finished stage."""
    return (path / RECORD).is_file() and read_record(path)["state"] == "complete"


def finished_stage(path: Path, verb: str | None = None) -> FinishedRecord:
    """The record of a complete stage. Raises `ArtifactError` when it is missing, unfinished or of another verb."""
    if not (path / RECORD).is_file():
        raise ArtifactError(f"the folder of a finished stage at {path}", "no stage.json there",
                            "Run that stage first, or correct the path.")  # fmt: skip
    record = read_record(path)
    if record["state"] != "complete":
        raise ArtifactError(
            f"a finished stage at {path}", "one that was stopped", "Give its command again: it goes on."
        )
    if verb and record["verb"] != verb:
        raise ArtifactError(
            f"a folder made by '{verb}' at {path}", f"one made by '{record['verb']}'", "Correct the path."
        )
    return cast(FinishedRecord, record)


def stage_file(path: Path, name: str, verb: str | None = None) -> Path:
    """A file of a finished stage, checked against the hash that was taken when it was written."""
    expected = finished_stage(path, verb)["outputs"].get(name)
    file = path / name
    if expected is None or not file.is_file():
        raise ArtifactError(f"{name} in {path}", "nothing there", "Delete the folder and run its stage again.")
    if sha256(file) != expected:
        raise ArtifactError(f"{file} as its stage wrote it", "other bytes: it was damaged or changed",
                            "Restore it, or delete the folder and run its stage again.")  # fmt: skip
    return file


def input_paths(config: Settings) -> dict[str, Path]:
    """The fields of a stage's configuration that are paths: what the stage reads."""
    found: dict[str, Path] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if isinstance(value, Path):
            found[field.name] = value
        elif isinstance(value, tuple):
            items = cast("tuple[object, ...]", value)
            found |= {f"{field.name}[{i}]": item for i, item in enumerate(items) if isinstance(item, Path)}
    return found


def input_identity(path: Path) -> str:
    """What an input is, wherever it lies: the hash of a file, or of all that a finished stage wrote."""
    if path.is_file():
        return sha256(path)
    if not path.exists():
        raise InputError(f"a file or folder at {path}", "nothing there", "Correct the path, or run its stage first.")
    if (path / "manifest.json").is_file():
        return sha256(path / "manifest.json")
    if (path / "config.json").is_file():
        files = {file.name: sha256(file) for file in path.iterdir() if file.is_file()}
    else:
        files = finished_stage(path)["outputs"]
    return identity(files)


def identities(outputs: Mapping[str, str]) -> set[str]:
    """What another stage's record calls a finished stage among its inputs: its folder, or one of its files."""
    return {identity(outputs), *outputs.values()}


def identity(files: Mapping[str, str]) -> str:
    """What all that a finished stage wrote is, by its `outputs`."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def _refuse_other_work(path: Path, record: Record, asked: Record, anywhere: set[str]) -> None:
    remedy = "Choose another folder with --out, or delete this one."
    # Paths may differ: what lies there is compared by hash.
    if record.get("verb") != asked["verb"]:
        raise ConfigError(f"a folder of '{asked['verb']}' at {path}", f"one of '{record.get('verb')}'", remedy)
    for part in ("config", "inputs"):
        before, now = flatten(record[part]), flatten(asked[part])
        for key in sorted(before.keys() | now.keys()):
            is_path = part == "config" and any(name.split("[")[0] == key for name in asked["inputs"])
            if before.get(key) != now.get(key) and not is_path and key.split(".")[0] not in anywhere:
                got = "other bytes there" if part == "inputs" else f"{key} = {now.get(key)!r}"
                raise ConfigError(f"the work that {path} holds ({key} = {before.get(key)!r})", got, remedy)


def flatten(table: Mapping[str, object], before: str = "") -> dict[str, object]:
    """Tables inside tables as one, so that a difference has its whole name: model.layers."""
    found: dict[str, object] = {}
    for key, value in table.items():
        inner = isinstance(value, dict)
        found |= flatten(cast("dict[str, object]", value), f"{before}{key}.") if inner else {f"{before}{key}": value}
    return found


def _is_lost(value: object) -> bool:
    return isinstance(value, float) and not isfinite(value)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
