"""improve: people's rankings, thumbs, edits and demonstrations make a run's model better, or it stays as it was."""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import fields, replace
from itertools import count
from pathlib import Path
from typing import Any

from gptwright.configs.import_ import Import
from gptwright.configs.improve import FeedbackOptions, Improve, Improvement
from gptwright.configs.prepare import Prepare
from gptwright.configs.tokenize import Tokenize
from gptwright.evaluation.comparison import OLD
from gptwright.foundations.errors import ConfigError, InputError
from gptwright.foundations.folder_lock import lock_folder
from gptwright.foundations.progress import say
from gptwright.foundations.runs import RECORD, StageFolder, finished_stage, input_paths, open_stage, read_record
from gptwright.pipelines.promoted import promote, undo
from gptwright.pipelines.resolve import resolve_model
from gptwright.recipes.stage import Stage, carry_out, execute_stage
from gptwright.stages.improvement import improvement
from gptwright.stages.stored_labels import identity_of_labels
from gptwright.store.database import FILE
from gptwright.store.feedback_file import FEEDBACK, open_run_store
from gptwright.text.jsonl import read_objects

REPORTED = re.compile(r"(improve-\d+), by (?:dpo|ppo): ")
SHOWN = 3  # held-out prompts whose answers are printed
TEXT = 200_000  # characters of bundled text that a model from outside is measured on


def run(config: Improve) -> None:
    """Prints what came of it. The run's model changes only when the new one is better: promoted.json names it."""
    if config.undo:
        place = config.out or config.run
        with lock_folder(place):
            last = undo(place)
        print(f"{last['model']} is no longer in use: {place} goes on with {last['before']}")
        return
    if config.out:
        _take_in(config.run, config.out)
    policy = resolve_model(config.out or config.run)
    if not (policy / RECORD).is_file():
        raise InputError("a run, which holds stages", f"{policy}, which belongs to none",
                         "Give --out, where a run is made of it.")  # fmt: skip
    place = policy.parent
    with lock_folder(place):
        path, asked = _work(place, _asked(config, place, policy))
        folder = carry_out(Stage("improve", Improvement, improvement, input_paths), asked, path)
        _report(place, policy, folder)


def _take_in(model: Path, out: Path) -> None:
    """Makes a run of a model from outside, with text in its own tokens to see whether it unlearns the language."""
    taken, text = out / "01-import", out / "02-prepare"
    execute_stage("import", Import(source=model), taken)
    execute_stage("prepare", Prepare(data=("bundled:novels",), max_characters=TEXT), text)
    execute_stage("tokenize", Tokenize(text=text, model=taken), out / "03-tokenize")


def _asked(config: Improve, place: Path, policy: Path) -> Improvement:
    """With what the run knows: its text, what its model was taught and is asked, and by default its store."""
    given = {field.name: getattr(config, field.name) for field in fields(FeedbackOptions)}
    if not (config.rankings or config.demonstrations or config.from_store):
        given["from_store"] = _own_store(place)
    labels = identity_of_labels(given["from_store"]) if given["from_store"] else ""
    taught: dict[str, Any] = finished_stage(policy)["config"]
    given["questions"] = config.questions or next(iter(_there([taught.get("questions")])), None)
    return Improvement(policy=policy, tokens=_tokens(place), labels=labels, **given,
                       conversations=_there(taught.get("conversations") or ()))  # fmt: skip


def _own_store(place: Path) -> str:
    own = place / FILE
    if not (own.is_file() or (place / FEEDBACK).is_file()):
        raise InputError("what people said of the answers", f"no file of it, and no {own}",
                         f"Rate answers: gptwright serve {place}. Or give --rankings FILE.")  # fmt: skip
    open_run_store(place).close()
    return str(own)


def _tokens(place: Path) -> Path:
    stages = [record.parent for record in sorted(place.glob(f"*/{RECORD}"))]
    found = [stage for stage in stages if read_record(stage)["verb"] == "tokenize"]
    if not found:
        raise InputError(f"a folder of tokenize in {place}", "none", "Give --out, where one is made.")
    return found[-1]


def _there(named: Iterable[str | None]) -> tuple[Path, ...]:
    """The files that a stage was given once, as far as they are still there; what is not is said."""
    paths = [Path(name) for name in named if name]
    for path in paths:
        if not path.is_file():
            say(f"improve: {path} is not there any more: it cannot show what is unlearned")
    return tuple(path for path in paths if path.is_file())


def _work(place: Path, asked: Improvement) -> tuple[Path, Improvement]:
    """Where it is done: the folder in which it was begun or has ended, or the next that is free.

    The same rows do not improve again the model that was made of them.
    """
    for number in count(1):
        path = place / f"improve-{number}"
        if not (path / RECORD).is_file():
            return path, asked
        begun: dict[str, Any] = read_record(path)["config"]
        from_it = replace(asked, policy=Path(begun["policy"])) if asked.policy == path else asked
        with suppress(ConfigError, InputError):  # it is other work
            open_stage(path, "improve", from_it, input_paths(from_it))
            return path, from_it
    raise AssertionError


def _report(place: Path, before: Path, folder: StageFolder) -> None:
    """Prints the answers of both models side by side and the figures, and promotes what is better."""
    figures: dict[str, Any] = finished_stage(folder.path)["metrics"]
    _show_answers(folder)
    print(f"{folder.path.name}, by {figures['method']}: {figures['found']}")
    if figures.get("right"):
        print("questions answered rightly: {:.1%} → {:.1%}".format(*figures["right"]))
    if "heldout_nats_rise" in figures:
        print(f"held-out text: {figures['heldout_nats_rise']:+.3f} nats a token")
    if figures["why_not"]:
        print(f"not promoted: {figures['why_not']}. {place} goes on with {before.name}.")
        return
    if before != folder.path:
        promote(place, folder.path, before, figures)
    print(f"promoted: chat, serve and generate {place} take {folder.path.name} now; gptwright improve {place} --undo "
          "takes that back")  # fmt: skip


def folder_in(lines: Iterable[str]) -> str | None:
    """The name of the folder that `_report` printed among these lines."""
    found = [match[1] for line in lines if (match := REPORTED.match(line))]
    return found[-1] if found else None


def _show_answers(folder: StageFolder) -> None:
    """Some held-out prompts, with what both models say."""
    path = folder / "answers.jsonl"
    for line in read_objects(path)[:SHOWN] if path.is_file() else []:
        old = line["models"].index(OLD)
        print(
            f"{line['messages'][-1]['content']}\n  before: {line['answers'][old]}\n  after:  {line['answers'][1 - old]}"
        )
