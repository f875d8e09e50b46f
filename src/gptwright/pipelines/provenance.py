"""Where a model comes from: its stage, its run, the model it was made of, and when; which took another's place."""

from datetime import datetime
from pathlib import Path
from typing import Any, cast

from gptwright.foundations.atomic_io import read_json
from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.runs import RECORD
from gptwright.pipelines.promoted import promotions

MADE_OF = ("policy", "base")
"""options of stages that name the model with which they begin"""


def provenance(folder: Path) -> dict[str, Any]:
    """What can be told of the model in a stage's folder, or in its inner `model/`: `stage` (its verb), `run` (its
    folder's name), `base` (the name of the model it was made of), `created` (seconds since 1970). Of a folder of others
    `created` is when its file was last written, and the rest is None."""
    path = folder.resolve()
    stage = path.parent if path.name == "model" and (path.parent / RECORD).is_file() else path
    unknown: dict[str, Any] = {"stage": None, "run": None, "base": None, "created": int(path.stat().st_mtime)}
    try:
        record: Any = read_json(stage / RECORD)
        ended, config = datetime.fromisoformat(record["ended"]), cast("dict[str, object]", record["config"])
        base = next((str(config[name]) for name in MADE_OF if config.get(name)), None)
    except (ArtifactError, OSError, AttributeError, KeyError, TypeError, ValueError):
        return unknown
    return {"stage": record["verb"], "run": stage.parent.name, "base": base and Path(base).name,
            "created": int(ended.timestamp())}  # fmt: skip


def versions(run: Path) -> list[dict[str, Any]]:
    """The improvements of a run, the latest first: `model` took the place of `before` at `when` (seconds since 1970),
    for its `figures`; `undone`, where it was taken back. Raises `ArtifactError` when promoted.json is damaged."""
    found = promotions(run)
    all = [(one, name == "undone") for name in ("promoted", "undone") for one in found[name]]
    return sorted(
        ({"model": one["model"], "before": one["before"], "figures": one["figures"], "undone": undone,
          "when": int(datetime.fromisoformat(one["when"]).timestamp())} for one, undone in all),
        key=lambda one: one["when"], reverse=True)  # fmt: skip
