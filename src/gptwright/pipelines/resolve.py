"""Which model is meant: that of a stage's folder, the promoted or last one of a run, or the newest under runs/."""

from pathlib import Path
from typing import Any, cast

from gptwright.foundations.atomic_io import read_json
from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.foundations.progress import say
from gptwright.foundations.runs import RECORD, finished_stage
from gptwright.pipelines.promoted import promoted_model

RUNS = Path("runs")
TEACHES = ("sft", "dpo", "rloo", "grpo", "ppo")
BASES = ("pretrain", "codex")
WRITERS = ("import", *BASES, *TEACHES)
"""stages that leave a model which writes, in the order of the story"""


def resolve_model(given: Path | None) -> Path:
    """The folder of the model: `given` unless that is a run, of which the model is taken that `improve` promoted, or
    else the last; without it the newest under runs/. What was chosen is said.

    Raises `InputError` when nothing is given and there is none, `ArtifactError` for a run without one.
    """
    if given is not None and not _is_run(given):
        return given
    found = _newest(given or RUNS, WRITERS)
    if found and (promoted := promoted_model(found.parent)):
        say(f"the promoted model of {'the newest run' if given is None else 'this run'} is {promoted}")
        return promoted
    if given is None and found is None:
        raise InputError("the folder of a model", f"none, and there is no model under {RUNS}/",
                         "Give one, or make one with gptwright start.")  # fmt: skip
    if found is None:
        raise ArtifactError(f"a model in the run {given}", "no finished stage that leaves one",
                            "Let the run go on, or give another folder.")  # fmt: skip
    say(f"the {'newest model' if given is None else 'last model of this run'} is {found}")
    return found


def model_folder(given: Path) -> Path:
    """The Hugging Face folder in a stage's folder, or the folder itself when it is one."""
    folder = given
    if (given / RECORD).is_file():
        finished_stage(given)
        folder = given / "model"
    if not (folder / "config.json").is_file():
        raise ArtifactError(f"a model in {given}", "a folder without one",
                            "Give the folder of pretrain, sft or ppo, or a Hugging Face folder.")  # fmt: skip
    return folder


def warn_of_base(folder: Path) -> None:
    """Says that a base model was not taught to answer, and which one to take instead."""
    stage = folder.resolve().parent if folder.name == "model" else folder
    if _record(stage).get("verb") not in BASES:
        return
    taught = _newest(stage.parent, TEACHES)
    instead = f"{taught} was" if taught else "gptwright sft teaches it, and gptwright generate continues texts"
    say(f"{folder} is a base model: it continues texts and was not taught to answer; {instead}")


def run_folder(model: Path) -> Path:
    """The folder in which the model's stage folder lies, also when its inner `model/` was given."""
    folder = model.resolve()
    inside = folder.name == "model" and (folder.parent / RECORD).is_file()
    return (folder.parent if inside else folder).parent


def writers_beside(folder: Path) -> list[Path]:
    """The other finished stages of a model's run that leave a model which writes, in the order of their names."""
    stage = (folder.parent if folder.name == "model" else folder).resolve()
    found = sorted(record.parent for record in stage.parent.glob(f"*/{RECORD}"))
    return [path for path in found if path != stage and _leaves_writer(_record(path))]


def _leaves_writer(record: dict[str, Any]) -> bool:
    return record.get("verb") in WRITERS and record.get("state") == "complete" and _decodes(record)


def _is_run(folder: Path) -> bool:
    """Whether it has folders of stages in it, or runs, and is neither a stage nor a model itself."""
    own = (folder / RECORD, folder / "config.json")
    return folder.is_dir() and not any(path.is_file() for path in own) and bool(_stages(folder))


def _newest(folder: Path, verbs: tuple[str, ...]) -> Path | None:
    """The folder below of the stage that ended last; of those in the same second, the later in the story."""
    ended: list[tuple[str, int, str]] = []
    for stage in _stages(folder):
        record = _record(stage)
        if record.get("verb") in verbs and _leaves_writer(record):
            ended.append((str(record.get("ended")), verbs.index(record["verb"]), str(stage)))
    return Path(max(ended)[-1]) if ended else None


def _decodes(record: dict[str, Any]) -> bool:
    """Whether a stage left a decoder: pretrain makes encoders and translators too."""
    from gptwright.models.catalogue import FAMILIES

    model = record.get("config", {}).get("model")
    family = cast("dict[str, Any]", model).get("family") if isinstance(model, dict) else None
    return family not in FAMILIES or FAMILIES[family].kind == "decoder"


def _stages(folder: Path) -> list[Path]:
    """Folders of stages in a run, or in a folder of runs."""
    return [path.parent for pattern in (f"*/{RECORD}", f"*/*/{RECORD}") for path in folder.glob(pattern)]


def _record(stage: Path) -> dict[str, Any]:
    """A stage's record; empty where there is none that can be read."""
    try:
        found = read_json(stage / RECORD)
    except (ArtifactError, OSError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
