"""promoted.json: which improvement of a run is in use, and which it took the place of.

`{"promoted": [{"model", "sha256", "before", "when", "figures"}, …], "undone": […]}`: the last that is promoted is in
use. `model` names its folder in the run, `sha256` what its stage wrote there.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict, cast

from gptwright.foundations.atomic_io import read_json, write_json
from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.foundations.runs import finished_stage, identity

PROMOTED = "promoted.json"


class Promotion(TypedDict):
    """An improvement that came into use."""

    model: str
    sha256: str
    before: str
    """the folder of the model that was in use until then"""
    when: str
    figures: dict[str, Any]


class Promotions(TypedDict):
    """The content of promoted.json, both lists in the order in which it happened."""

    promoted: list[Promotion]
    undone: list[Promotion]


def promoted_model(run: Path) -> Path | None:
    """The stage folder of the model in use; None where no improvement is.

    Raises `ArtifactError` when it is missing or holds another model than the one that was promoted.
    """
    found = promotions(run)["promoted"]
    if not found:
        return None
    folder, remedy = run / found[-1]["model"], f"Restore it, or go back with gptwright improve {run} --undo."
    if not folder.is_dir():
        raise ArtifactError(f"the promoted model at {folder}", "nothing there", remedy)
    if found[-1]["sha256"] != identity(finished_stage(folder)["outputs"]):
        raise ArtifactError(f"the model that was promoted at {folder}", "another one", remedy)
    return folder


def promote(run: Path, folder: Path, before: Path, figures: Mapping[str, Any]) -> None:
    """From now on the model of `folder`, a stage's in `run`, is in use."""
    found, outputs = promotions(run), finished_stage(folder)["outputs"]
    when = datetime.now(UTC).isoformat(timespec="seconds")
    found["promoted"].append(Promotion(model=folder.name, sha256=identity(outputs), before=before.name, when=when,
                                       figures=dict(figures)))  # fmt: skip
    write_json(run / PROMOTED, found)


def undo(run: Path) -> Promotion:
    """Takes the last promotion back, and returns it. Raises `InputError` when there is none."""
    found = promotions(run)
    if not found["promoted"]:
        raise InputError(
            f"an improvement in {run} to undo", "none that is promoted", f"Make one: gptwright improve {run}."
        )
    last = found["promoted"].pop()
    found["undone"].append(last)
    write_json(run / PROMOTED, found)
    return last


def promotions(run: Path) -> Promotions:
    """All of a run. Raises `ArtifactError` when its file holds something else."""
    path = run / PROMOTED
    found: Any = read_json(path) if path.exists() else {"promoted": [], "undone": []}
    if not isinstance(found, dict) or not {"promoted", "undone"} <= found.keys():
        raise ArtifactError(f"promotions in {path}", "something else", "Restore the file, or delete it.")
    return cast("Promotions", found)
