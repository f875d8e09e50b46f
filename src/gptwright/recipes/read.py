"""A recipe: a TOML file whose tables are stages, in order.

    name = "mine"
    [prepare]
    data = ["books/*.txt"]
    [tokenize]
    text = "prepare"            # the folder that the stage above leaves
    [shuffled]
    verb = "reward"             # a table may have another name than its verb

A path may begin with the name of an earlier table ("rank/rankings.jsonl") or with "bundled:"
("bundled:teaching/questions.jsonl"); all else is a path as it stands. `[plan]` is a note of what `start` intended.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import tomli_w

from gptwright.foundations.atomic_io import write_text
from gptwright.foundations.config import decode
from gptwright.foundations.errors import ConfigError, InputError, found_at, nearest
from gptwright.foundations.renamed import rename_options
from gptwright.foundations.settings import Settings
from gptwright.models.catalogue import config_from_table
from gptwright.models.config import ModelConfig
from gptwright.recipes.stage import stage
from gptwright.text.bundled import bundled_folder

PLAN = "plan"
# An installed wheel carries the recipes inside the package; a checkout has them beside src/.
PLACES = (Path(__file__).parent / "files", Path(__file__).parents[3] / "recipes")


@dataclass(frozen=True)
class Step:
    """One table of a recipe: its name, its verb, its settings as written."""

    name: str
    verb: str
    table: dict[str, Any]


@dataclass(frozen=True)
class Recipe:
    """A name, the stages in order, and the plan it came from, if any."""

    name: str
    steps: list[Step]
    plan: dict[str, Any] = field(default_factory=dict[str, Any])

    def folder(self, out: Path, name: str) -> Path:
        """Where the table `name` leaves its work: `out/03-pretrain`."""
        number = next(i for i, step in enumerate(self.steps, 1) if step.name == name)
        return out / f"{number:02d}-{name}"

    def configs(self, out: Path) -> Iterator[tuple[Step, Settings]]:
        """Every stage with its configuration, paths resolved. Raises `ConfigError` for anything that does not fit."""
        before: list[str] = []
        for step in self.steps:
            known = tuple(before)

            def path(value: object, known: tuple[str, ...] = known, step: Step = step) -> Path:
                return self._resolve(value, known, step, out)

            decoders = {Path: path, ModelConfig: config_from_table}
            yield step, decode(stage(step.verb).config, step.table, f"[{step.name}]", decoders)
            before.append(step.name)

    def _resolve(self, value: Any, known: tuple[str, ...], step: Step, out: Path) -> Path:
        if not isinstance(value, str):
            raise ConfigError(f"a path in [{step.name}]", repr(value), "Write it as a string.")
        if value.startswith("bundled:"):
            return _bundled(value, step)
        first, *rest = Path(value).parts or ("",)
        if first in known:
            return self.folder(out, first).joinpath(*rest)
        if not Path(value).exists():
            raise ConfigError(f"an earlier table's name or a path that exists in [{step.name}]", f"'{value}'",
                              nearest(first, known) if known else "Correct it.")  # fmt: skip
        return Path(value)


def _bundled(value: str, step: Step) -> Path:
    folder = bundled_folder()
    path = folder / value.removeprefix("bundled:")
    if not path.is_file():
        known = [f"bundled:{file.relative_to(folder).as_posix()}" for file in folder.rglob("*.jsonl*")]
        raise ConfigError(f"a bundled file in [{step.name}]", f"'{value}'", nearest(value, known))
    return path


def shipped() -> dict[str, Path]:
    """The recipes that come with gptwright, by name."""
    return {path.stem: path for place in PLACES for path in sorted(place.glob("*.toml"))}


def find_recipe(given: Path) -> Path:
    """The file, or the recipe of that name that comes with gptwright. Raises `InputError` when there is neither."""
    known = shipped()
    if given.is_file():
        return given
    if str(given) in known:
        return known[str(given)]
    remedy = f"'gptwright run {given.stem}' carries out the one that comes with gptwright."
    if given.stem not in known:
        remedy = f"Correct the path, or give the name of one that comes with gptwright. {nearest(given.stem, known)}"
    raise InputError(f"a recipe at {given}", found_at(given), remedy)


def read_recipe(path: Path) -> Recipe:
    """Raises `InputError` when the file is missing or not TOML, `ConfigError` when a table is no stage."""
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except OSError as error:
        raise InputError(f"a recipe at {path}", error.strerror or "nothing", "Correct the path.") from error
    except ValueError as error:
        raise InputError(f"TOML in {path}", str(error), "Correct that line.") from error
    steps: list[Step] = []
    for name, value in content.items():
        if name in ("name", PLAN):
            continue
        if not isinstance(value, dict):
            raise ConfigError(f"tables only in {path}, besides name", f"{name} = {value!r}",
                              "Put the key under the [stage] it belongs to.")  # fmt: skip
        table = dict(cast("dict[str, Any]", value))
        verb = str(table.pop("verb", name))
        stage(verb)
        steps.append(Step(name, verb, rename_options(verb, table)))
    if not steps:
        raise ConfigError(f"at least one stage in {path}", "none", "Add a table such as [prepare].")
    return Recipe(str(content.get("name", path.stem)), steps, content.get(PLAN, {}))


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Writes the recipe as TOML, whole or not at all."""
    content: dict[str, Any] = {"name": recipe.name}
    for step in recipe.steps:
        content[step.name] = ({"verb": step.verb} if step.verb != step.name else {}) | step.table
    write_text(path, tomli_w.dumps(content | ({PLAN: recipe.plan} if recipe.plan else {})))
