"""Which model is better at equal time: this run and those beside it that had the same minutes and the same text."""

from collections.abc import Sequence
from itertools import zip_longest

from gptwright.foundations.errors import GptwrightError
from gptwright.reporting.checks.answers import FORMS
from gptwright.reporting.collect import Run, collect
from gptwright.reporting.tables import Cell, Row, Table, share
from gptwright.reporting.values import table
from gptwright.reporting.wording import plain
from gptwright.training.evaluation import Estimate


def at_equal_time(run: Run) -> Table | None:
    """A column for each model; nothing when no other model lies beside this one."""
    runs = [run, *_beside(run)]
    if len(runs) < 2:
        return None
    names = [f"{model_of(each)} ({each.path.resolve().name})" for each in runs]
    answers = [right(each) for each in runs]
    rows = [
        Row("held-out text", "bits a byte, lower is better", [Cell(_bits(each)) for each in runs]),
        Row(FORMS, "right answers at the end", [share(estimate) for estimate in answers]),
        Row("wins", "over its own sft", [share(wins.share if (wins := each.wins()) else None) for each in runs]),
    ]
    return Table("At equal time", f"{run.minutes:g} minutes each; {better(names, answers)}", names, rows)


def better(names: Sequence[str], answers: Sequence[Estimate | None]) -> str:
    """Whose interval of right answers is above all others'; else that it cannot be told."""
    known = [(name, answer) for name, answer in zip_longest(names, answers) if answer]
    best = max(known, key=lambda pair: pair[1].value, default=None)
    if best and len(known) > 1 and all(best[1].low > other.high for name, other in known if name != best[0]):
        return f"{best[0]} answers better"
    return "by their answers they cannot be told apart"


def model_of(run: Run) -> str:
    """Its family and its sizes."""
    stage = run.stage("pretrain")
    sizes = table(stage.config.get("model")) if stage else {}
    return f"{sizes.get('family', 'a model')} {sizes.get('layers', '?')} × {sizes.get('width', '?')}"


def _beside(run: Run) -> list[Run]:
    """Finished runs of other models in the same folder; one that cannot be read is none."""
    found: list[Run] = []
    for recipe in sorted(run.path.resolve().parent.glob("*/recipe.toml")):
        if not run.minutes or recipe.parent == run.path.resolve():
            continue
        try:
            other = collect(recipe.parent)
        except GptwrightError:
            continue
        alike = other.minutes == run.minutes and _text(other) == _text(run) and not other.missing
        if alike and model_of(other) not in map(model_of, (run, *found)):
            found.append(other)
    return found


def _text(run: Run) -> object:
    stage = run.stage("prepare")
    return stage.config.get("data") if stage else None


def right(run: Run) -> Estimate | None:
    """Questions of new forms that the last model that answers answered rightly."""
    role = run.policy.role if run.policy else "sft"
    return run.estimate(role, role, FORMS)


def _bits(run: Run) -> str:
    stage = run.stage("pretrain")
    return plain(stage.metric("heldout_bits_per_byte") if stage else None, 3)
