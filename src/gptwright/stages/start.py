"""start: the whole story at a size that fits the time, ending in a chat."""

import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gptwright.foundations.device import fast_dtype, physical_cores, use_threads
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.progress import say
from gptwright.foundations.runs import RECORD
from gptwright.foundations.settings import Port, Seed, settings
from gptwright.foundations.signals import stop_request

if TYPE_CHECKING:
    from gptwright.recipes.read import Recipe

LEAST_MINUTES, MOST_MINUTES = 1.0, 240.0
MEGACHARACTERS_A_MINUTE = 8  # more text than this could not be read in the time


@settings
class Start:
    """Make your own ChatGPT from text: prepare, tokenize, pretrain, sft, rank, reward, ppo, report, chat."""

    minutes: float = 5.0
    """how long it may take; decides the sizes"""
    data: tuple[str, ...] = ("bundled:novels", "bundled:plays", "bundled:wordnet")
    """your own text: files, folders, globs; add "bundled" to keep the bundled text too"""
    out: Path = Path("runs/start")
    """folder of the run"""
    seed: Seed = 1
    """everything that is drawn at random"""
    serve: bool = True
    """end with the chat page (--no-serve: end when the report is written)"""
    port: Port = 8000
    """the page's port; any free one when it is taken"""
    track: tuple[str, ...] = ()
    """who gets the figures besides metrics.jsonl: tensorboard, trackio, wandb, mlflow"""


def run(config: Start) -> None:
    """Plans, carries out and reports; the same command again goes on where it stopped, or only opens the chat."""
    from gptwright.recipes.run import run_recipe
    from gptwright.stages.report import Report
    from gptwright.stages.report import run as report

    recipe = _recipe(config)
    _show(recipe)
    run_recipe(recipe, config.out, config.track)
    _offer_examples(config.out)
    report(Report(run=config.out))
    _talk(config, recipe.folder(config.out, recipe.steps[-1].name))


def _recipe(config: Start) -> "Recipe":
    """The folder's recipe, or a new one when there is none, or only a plan whose first stage was refused."""
    from gptwright.recipes.read import read_recipe
    from gptwright.recipes.run import RECIPE

    path = config.out / RECIPE
    if not path.exists():
        return _planned(config)
    recipe = read_recipe(path)
    if recipe.plan and not any(config.out.glob(f"*/{RECORD}")):
        recipe = _planned(config)
        path.unlink()
        return recipe
    _refuse_other_wish(config, recipe)
    return recipe


def _planned(config: Start) -> "Recipe":
    """Looks at the machine and the text, and chooses the sizes."""
    from gptwright.models.catalogue import build
    from gptwright.recipes.measure import Shape, measure, pretrain_seconds
    from gptwright.recipes.plan import SIZES, Wish, choose_size, plan
    from gptwright.stages.prepare import Prepare, data_files

    if not LEAST_MINUTES <= config.minutes <= MOST_MINUTES:
        raise ConfigError(f"--minutes from {LEAST_MINUTES:g} to {MOST_MINUTES:g}", f"{config.minutes:g}", "Change it.")
    files = data_files(Prepare(data=config.data))
    threads = physical_cores()
    use_threads(threads)
    dtype = str(fast_dtype()).removeprefix("torch.")
    say(f"looking at this machine: {threads} cores, matrices in {dtype}")
    shape = Shape()
    base = pretrain_seconds(SIZES["nano"], shape)
    nano = sum(p.numel() for p in build(SIZES["nano"]).parameters())
    guesses = {name: base * sum(p.numel() for p in build(model).parameters()) / nano for name, model in SIZES.items()}
    size = choose_size(config.minutes, guesses, shape)
    speeds = measure(SIZES[size], shape)
    limit = MEGACHARACTERS_A_MINUTE * config.minutes
    found = sum(f.stat().st_size * (4 if f.suffix in (".xz", ".gz", ".zst") else 1) for f in files) / 1e6
    wish = Wish(minutes=config.minutes, data=config.data, seed=config.seed, megacharacters=min(found, limit),
                max_characters=int(limit * 1e6), threads=threads, dtype=dtype)  # fmt: skip
    return plan(wish, size, speeds, shape)


def _refuse_other_wish(config: Start, recipe: "Recipe") -> None:
    wishes = {"minutes": config.minutes, "data": list(config.data), "seed": config.seed}
    for name, wish in wishes.items():
        if recipe.plan.get(name) != wish:
            raise ConfigError(f"the run that {config.out} holds ({name} = {recipe.plan.get(name)!r})", f"{wish!r}",
                              "Choose another folder with --out, or delete this one.")  # fmt: skip


def _show(recipe: "Recipe") -> None:
    plan: dict[str, Any] = recipe.plan
    seconds: dict[str, float] = plan["seconds"]
    sizes = {step.name: step.table for step in recipe.steps}
    model = sizes["pretrain"]["model"]
    say(f"\nThe plan for {plan['minutes']:g} minutes: a GPT-2 of {model['layers']} layers × {model['width']}, "
        f"{model['vocab']} tokens known")  # fmt: skip
    notes = {
        "pretrain": "{steps} steps × {rows} × {length} tokens",
        "sft": "{steps} steps × {rows} conversations",
        "rank": "{prompts} prompts × {answers} answers",
        "reward": "{steps} steps × {rows} rankings",
        "reward-control": "{steps} steps on shuffled ranks",
        "ppo": "{updates} updates × {episodes} answers",
    }
    for name, took in seconds.items():
        note = notes[name].format(**sizes[name]) if name in notes else ""
        say(f"  {name:15} {took:6.0f} s  {note}".rstrip())
    say(f"  {'together':15} {sum(seconds.values()):6.0f} s\n")


def _offer_examples(out: Path) -> None:
    """Questions for the chat page: some that were taught in other words, some open ones."""
    from gptwright.text.bundled import bundled_folder
    from gptwright.text.jsonl import read_objects, write_objects

    asked = read_objects(bundled_folder() / "teaching/questions.jsonl")
    single = [q for q in asked if q["kind"] == "held-out form" and len(q["messages"]) == 1]
    chosen = [single[i * len(single) // 4]["messages"][0]["content"] for i in range(4)]
    write_objects(
        out / "examples.jsonl", ({"prompt": text} for text in [*chosen, "Who are you?", "Tell me about Mira."])
    )


def _talk(config: Start, folder: Path) -> None:
    """The chat page when asked for, and a conversation in the terminal when there is one."""
    from gptwright.generation.load import load_decoder
    from gptwright.stages.chat import converse
    from gptwright.stages.serve import Serve, serve_beside

    say(f"\nagain later: gptwright chat {folder}   or: gptwright serve {folder}")
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    with serve_beside(Serve(model=folder, port=config.port)) if config.serve else nullcontext():
        if terminal:
            converse(load_decoder(folder))
        elif config.serve:
            say("Ctrl-C stops.")
            with stop_request() as stop:
                while not stop:
                    time.sleep(0.2)
