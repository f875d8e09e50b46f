"""start: the whole story at a size that fits the time, ending in a chat."""

import math
import shlex
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gptwright.configs.start import Start
from gptwright.foundations.device import fast_dtype, physical_cores, use_threads
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.folder_lock import lock_folder
from gptwright.foundations.progress import say
from gptwright.foundations.runs import RECORD
from gptwright.foundations.shutdown import stop_request

if TYPE_CHECKING:
    from gptwright.models.config import ModelConfig
    from gptwright.recipes.measure import Shape
    from gptwright.recipes.plan import Examples
    from gptwright.recipes.read import Recipe

MEGACHARACTERS_A_MINUTE = 8  # more text than this could not be read in the time
USUAL_PLACE = Path("runs/start")
MOST_VOCAB = 8192
LOOKING = 0.03  # share of the minutes for measuring speeds, but
OFFERED = ("held-out form", "visitor", "held-out form", "everyday")  # kinds of the questions on the chat page
TRIED = 16  # of each kind, to find some that are answered
LEAST_LOOKING, MOST_LOOKING = 4.0, 60.0  # seconds
TALKS = ("pretrain", "sft", "ppo")  # stages that leave a model which says something


def run(config: Start) -> None:
    """Plans, carries out and reports; the same command again goes on where it stopped, or only opens the chat."""
    began = time.monotonic()
    from gptwright.recipes.replan import seconds_taken
    from gptwright.recipes.run import run_recipe
    from gptwright.stages.report import Report
    from gptwright.stages.report import run as report

    out = config.out or _place(config)
    with lock_folder(out):
        recipe = _recipe(config, out, began)
        _show(recipe)
        if not seconds_taken(recipe, out):
            _warn_of_misfit(recipe)
        run_recipe(
            recipe, out, config.track, partial(_resized, out=out), lambda name: _look(name, recipe.folder(out, name))
        )
        _offer_examples(out, recipe.folder(out, recipe.steps[-1].name))
        report(Report(runs=(out,)))
    _show_ways_on(out)
    _talk(config, recipe.folder(out, recipe.steps[-1].name))


def _place(config: Start) -> Path:
    """The folder of the run that was begun with the same wishes, or the first that is free."""
    folders = (USUAL_PLACE if n == 1 else USUAL_PLACE.with_name(f"{USUAL_PLACE.name}-{n}") for n in count(1))
    folder = next(f for f in folders if not (begun := _begun(f)) or not _other_wishes(config, begun))
    if folder != USUAL_PLACE:
        say(f"{USUAL_PLACE} holds a run with other wishes: this one is in {folder}")
    return folder


def _begun(out: Path) -> "Recipe | None":
    """The folder's recipe; none when there is only a plan whose first stage was refused."""
    from gptwright.recipes.read import read_recipe
    from gptwright.recipes.run import RECIPE

    if not (out / RECIPE).exists():
        return None
    recipe = read_recipe(out / RECIPE)
    return None if recipe.plan and not any(out.glob(f"*/{RECORD}")) else recipe


def _recipe(config: Start, out: Path, began: float) -> "Recipe":
    """The folder's recipe, or a new one. Raises `ConfigError` when the folder's run had other wishes."""
    from gptwright.recipes.run import RECIPE

    recipe = _begun(out)
    if recipe is None:
        recipe = _planned(config, began)
        (out / RECIPE).unlink(missing_ok=True)
    else:
        _refuse_other_wish(config, out, recipe)
    return recipe


def _planned(config: Start, began: float) -> "Recipe":
    """Looks at the machine and the text, and chooses the sizes."""
    from gptwright.recipes.measure import Shape, measure
    from gptwright.recipes.plan import Wish, plan
    from gptwright.stages.prepare import Prepare, data_files

    files = data_files(Prepare(data=config.data))
    limit = MEGACHARACTERS_A_MINUTE * config.minutes
    found = sum(f.stat().st_size * (4 if f.suffix in (".xz", ".gz", ".zst") else 1) for f in files) / 1e6
    examples = _examples(min(found, limit))
    threads = physical_cores()
    use_threads(threads)
    dtype = str(fast_dtype()).removeprefix("torch.")
    say(f"looking at this machine: {threads} core{'s' * (threads != 1)}, matrices in {dtype}")
    shape, looking = Shape(), min(max(60 * config.minutes * LOOKING, LEAST_LOOKING), MOST_LOOKING)
    model, step = _model(config, shape, examples, looking / 5)
    speeds = measure(model, shape, step, looking)
    wish = Wish(minutes=config.minutes, data=config.data, seed=config.seed, model=config.model, examples=examples,
                spent=time.monotonic() - began, max_characters=int(limit * 1e6), threads=threads,
                dtype=dtype)  # fmt: skip
    return plan(wish, model, speeds, shape)


def _examples(megacharacters: float) -> "Examples":
    """What there is to learn from, besides so much text."""
    from gptwright.recipes.plan import RANKINGS, TEACHING, Examples
    from gptwright.text.bundled import bundled_file
    from gptwright.text.jsonl import read_objects

    talks, ranked = (read_objects(bundled_file(name.removeprefix("bundled:"))) for name in (TEACHING, RANKINGS))
    rankings = sum(line.split == "train" for line in ranked)
    return Examples(megacharacters=megacharacters, conversations=len(talks), rankings=rankings)


def _model(config: Start, shape: "Shape", examples: "Examples", at_most: float) -> "tuple[ModelConfig, float]":
    """The model that was asked for, or the largest that fits, and the seconds of a step of pretraining."""
    from gptwright.models.catalogue import build, count
    from gptwright.recipes.measure import pretrain_seconds
    from gptwright.recipes.plan import SIZES, choose_size

    if config.model:
        return (model := _asked(config.model)), pretrain_seconds(model, shape, at_most)
    base = pretrain_seconds(SIZES["nano"], shape, at_most)
    parameters = {name: count(build(model)) for name, model in SIZES.items()}
    steps = {name: base * number / parameters["nano"] for name, number in parameters.items()}
    size = choose_size(config.minutes, steps, shape, examples)
    again = size != "nano" and steps[size] < at_most
    return SIZES[size], pretrain_seconds(SIZES[size], shape, at_most) if again else steps[size]


def _asked(name: str) -> "ModelConfig":
    """Its sizes, with no more tokens than the text can teach. Raises `ConfigError` unless it is a decoder's."""
    from gptwright.models.catalogue import family_of, preset

    model = preset(name)
    if (kind := family_of(model).kind) != "decoder":
        raise ConfigError("a decoder as model, which can write", f"{name}, an {kind}", "Take llama-nano, or another.")
    return replace(model, vocab=min(model.vocab, MOST_VOCAB))


def _other_wishes(config: Start, recipe: "Recipe") -> bool:
    wishes = {"minutes": config.minutes, "data": list(config.data), "seed": config.seed, "model": config.model}
    return any(({"model": ""} | recipe.plan).get(name) != wish for name, wish in wishes.items())


def _refuse_other_wish(config: Start, out: Path, recipe: "Recipe") -> None:
    if _other_wishes(config, recipe):
        before, now = _words(recipe.plan), _words({**vars(config), "data": list(config.data)})
        again = f"gptwright start {before}" if before else f"gptwright run {out / 'recipe.toml'}"
        raise ConfigError(
            f"the wishes of the run that {out} holds ({before or 'a recipe'})",
            now,
            f"To go on with it: {again} --out {out}\n  For another beside it, give another --out.",
        )


def _words(plan: dict[str, Any]) -> str:
    """What was wished for, as the command line has it; nothing when it was no plan of start."""
    if "minutes" not in plan:
        return ""
    model = f" --model {plan['model']}" if plan.get("model") else ""
    return f"--minutes {plan['minutes']:g} --seed {plan['seed']}{model} --data {shlex.join(plan['data'])}"


def _resized(recipe: "Recipe", name: str, out: Path) -> "Recipe":
    """The recipe with what fits into the time that is left, and what has changed is said."""
    from gptwright.recipes.plan import amount_of
    from gptwright.recipes.replan import replanned, seconds_taken

    took = seconds_taken(recipe, out)
    spent = recipe.plan["seconds"]["start"] + sum(took.values())
    new = replanned(recipe, name, spent, took)
    was, now = (amount_of(step.table) for r in (recipe, new) for step in r.steps if step.name == name)
    if was != now:
        unit = {"rank": "prompts", "ppo": "updates"}.get(name, "steps")
        say(f"{spent:.0f} of {60 * recipe.plan['minutes']:.0f} s have gone: {name} has {now} {unit}, not {was}")
    return new


def _show(recipe: "Recipe") -> None:
    plan: dict[str, Any] = recipe.plan
    seconds: dict[str, float] = plan["seconds"]
    sizes = {step.name: step.table for step in recipe.steps}
    model = sizes["pretrain"]["model"]
    say(f"\nThe plan for {_minutes(plan['minutes'])}: a model of the family {model['family']}, "
        f"{model['layers']} layers × {model['width']}, {model['vocab']} tokens known")  # fmt: skip
    notes = {
        "pretrain": "{steps} steps × {batch_size} × {sequence_length} tokens",
        "sft": "{steps} steps × {batch_size} conversations",
        "rank": "{train_prompts} + {heldout_prompts} prompts × {answers} answers",
        "reward": "{steps} steps × {batch_size} rankings",
        "reward-control": "{steps} steps on shuffled ranks",
        "ppo": "{updates} updates × {episodes} answers",
    }
    for name, took in seconds.items():
        note = notes[name].format(**sizes[name]) if name in notes else ""
        say(f"  {name:15} {took:6.0f} s  {note}".rstrip())
    say(f"  {'together':15} {sum(seconds.values()):6.0f} s\n")


def _warn_of_misfit(recipe: "Recipe") -> None:
    """Says so where the minutes are too few for the machine, or too many for the text."""
    from gptwright.reporting.checks.work import TIME_OFF

    minutes, needed = recipe.plan["minutes"], sum(recipe.plan["seconds"].values())
    if needed > 60 * minutes + 1:
        say(f"{_minutes(minutes)} is too little for this machine as it is now: the least of everything takes "
            f"{needed:.0f} s. It goes on with that; Ctrl-C stops, and --minutes {math.ceil(needed / 60)} would do.\n"
            )  # fmt: skip
    elif needed < 60 * minutes * (1 - TIME_OFF):
        say(f"It ends after about {math.ceil(needed / 60)} minutes: what there is to learn from has then been read as "
            "often as is of use. More text, with --data, would be worth more time.\n")  # fmt: skip


def _minutes(number: float) -> str:
    return f"{number:g} minute{'s' * (number != 1)}"


def _look(name: str, folder: Path) -> None:
    """At what a stage left."""
    if name == "prepare":
        _note_language(folder)
    elif name in TALKS:
        _ask(name, folder)


def _note_language(folder: Path) -> None:
    """What it will be taught is English."""
    from gptwright.text.english import looks_english
    from gptwright.text.jsonl import read_objects

    if not looks_english(" ".join(str(line["text"])[:2000] for line in read_objects(folder / "train.jsonl")[:200])):
        say("This text is hardly English, and what it will be asked and taught is: it learns to write as your text "
            "does, and answers worse. With --data YOURS bundled it reads English too; conversations of your own are "
            "taught by gptwright sft.")  # fmt: skip


def _ask(name: str, folder: Path) -> None:
    """Asks a model the question that all of the run are asked, and adds what it says to the run's folder."""
    from gptwright.pipelines.load import load_decoder
    from gptwright.reporting.collect import ASKED
    from gptwright.text.jsonl import read_objects, write_objects

    model, question, path = load_decoder(folder), _questions()[0], folder.parent / ASKED
    answer = (
        model.generate(question, max_tokens=24, seed=1)
        if name == "pretrain"
        else model.chat([{"role": "user", "content": question}], seed=1)
    )
    said = " ".join(answer.split())
    say(f"{name} is asked “{question}” and says “{said}”")
    earlier = [line for line in (read_objects(path) if path.is_file() else []) if line["stage"] != name]
    write_objects(path, [*earlier, {"stage": name, "question": question, "answer": said}])


def _questions() -> list[str]:
    """Of what was taught, as it is never asked while training."""
    from gptwright.text.bundled import bundled_folder
    from gptwright.text.jsonl import read_objects

    asked = read_objects(bundled_folder() / "teaching/questions.jsonl")
    return [q["messages"][0]["content"] for q in asked if q["kind"] == "held-out form" and len(q["messages"]) == 1]


def _offer_examples(out: Path, folder: Path) -> None:
    """Four questions for the chat page that the model in `folder` answers rightly, in words that it was not taught."""
    from gptwright.evaluation.answers import read_questions, rightly_answered
    from gptwright.pipelines.load import load_decoder
    from gptwright.serving.suggested_prompts import EXAMPLES
    from gptwright.text.bundled import bundled_folder
    from gptwright.text.jsonl import write_objects

    asked = read_questions(bundled_folder() / "teaching/questions.jsonl")
    kinds = {kind: [q for q in asked if q.kind == kind][:TRIED] for kind in dict.fromkeys(OFFERED)}
    tried = [question for questions in kinds.values() for question in questions]
    right = rightly_answered(load_decoder(folder), tried)
    # Those that are answered come first: a model that answers none is offered questions too.
    order = sorted(range(len(tried)), key=lambda place: not right[place])
    left = {kind: iter([tried[place] for place in order if tried[place].kind == kind]) for kind in kinds}
    chosen = [next(left[kind]).messages[0]["content"] for kind in OFFERED]
    write_objects(out / EXAMPLES, ({"prompt": text} for text in chosen))


def _show_ways_on(out: Path) -> None:
    """What to do with the model, and how to make another."""
    from gptwright.reporting.collect import collect
    from gptwright.reporting.page import commands

    say("")
    for purpose, command in commands(collect(out)):
        say(f"  {purpose:26} {command}")


def _talk(config: Start, folder: Path) -> None:
    """The chat page when asked for, and a conversation in the terminal when there is one."""
    from gptwright.pipelines.load import load_decoder
    from gptwright.stages.chat import converse
    from gptwright.stages.serve import Serve, serve_beside

    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    with serve_beside(Serve(models=(folder,), port=config.port)) if config.serve else nullcontext():
        if terminal:
            converse(load_decoder(folder))
        elif config.serve:
            say("Ctrl-C stops.")
            with stop_request() as stop:
                while not stop:
                    time.sleep(0.2)
