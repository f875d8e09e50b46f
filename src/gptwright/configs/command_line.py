"""The words after a verb as the verb's configuration, read by its types; nothing here imports torch for `--help`."""

from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import Field, dataclass, field, fields, make_dataclass
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

import tyro

from gptwright.configs.verbs import VERBS, Verb
from gptwright.foundations.errors import ConfigError, UsageError
from gptwright.foundations.renamed import refuse_old_options
from gptwright.foundations.settings import Settings, with_fields
from gptwright.models.config import ModelConfig
from gptwright.text.bundled import WORD, bundled_folder

TRACK = "who gets the metrics besides metrics.jsonl: tensorboard, trackio, wandb, mlflow"

SHELLS = ("bash", "zsh", "fish")
FILES_TOO = {"bash": ("complete -F", "complete -o bashdefault -o default -F"), "fish": ("--no-files ", "")}
"""what is changed in tyro's scripts so that files are offered where no option fits, as zsh's does anyway"""


@dataclass(frozen=True)
class Command:
    """A verb's configuration, and what is no part of it: the stage folder, and the trackers of its metrics."""

    config: Settings
    out: Path | None = None
    track: tuple[str, ...] = ()


def read_command(verb: Verb, words: Sequence[str]) -> Command:
    """Prints the help and exits where `--help` is among the words, and exits with 2 where tyro refuses one.

    `--model NAME` picks a preset where the model is trained from nothing; `--model.layers 4` then changes one size.
    `bundled:teaching/questions.jsonl` stands for that file of the data that comes with gptwright, as in recipes.

    Raises `UsageError` for an old name or an unknown preset, `ConfigError` for options that do not fit each other.
    """
    refuse_old_options(verb.name, words)
    config_type = verb.config_type
    words, extended = _options(verb, [_found(word) for word in words])
    given = tyro.cli(extended, args=words, prog=f"gptwright {verb.name}", config=(tyro.conf.AvoidSubcommands,))
    values = vars(given)
    config = config_type(**{f.name: values[f.name] for f in fields(config_type)})
    return Command(config, values["out"] if verb.leaves_folder else None, values["track"] if verb.trains else ())


def _found(word: str) -> str:
    """The path of a bundled file; a source of bundled text, such as bundled:novels, and all else stay as they are."""
    name = word.removeprefix(f"{WORD}:")
    path = bundled_folder() / name if name != word else Path()
    return str(path) if path.is_file() else word


def print_completion(words: Sequence[str]) -> None:
    """Prints what makes a shell complete verbs, options and files. Raises `UsageError` for an unknown shell."""
    if len(words) != 1 or words[0] not in SHELLS:
        raise UsageError(f"one of {', '.join(SHELLS)} after --completion", " ".join(words) or "nothing",
                         "For example: gptwright --completion bash")  # fmt: skip
    described: dict[str, Any] = {
        name: Annotated[_options(verb, ["--help"])[1], tyro.conf.arg(help=verb.help)] for name, verb in VERBS.items()
    }
    written = StringIO()
    with redirect_stdout(written), suppress(SystemExit):
        tyro.extras.subcommand_cli_from_dict(
            described,
            prog="gptwright",
            args=["--tyro-print-completion", words[0]],
            config=(tyro.conf.AvoidSubcommands,),
        )
    before, after = FILES_TOO.get(words[0], ("", ""))
    print(written.getvalue().replace(before, after) if before else written.getvalue(), end="")


def _options(verb: Verb, words: list[str]) -> tuple[list[str], type]:
    """What the words are read as: the verb's configuration, and what is no part of it; and the words without a preset's
    name."""
    config_type = verb.config_type
    more: list[tuple[str, Any, Any]] = []
    if verb.leaves_folder:
        more.append(("out", Path, field(metadata={"help": "folder to leave the result in"})))
    if verb.trains:
        more.append(("track", tuple[str, ...], field(default=(), metadata={"help": TRACK})))
    model = next((f for f in fields(config_type) if f.type is ModelConfig), None)
    if model:
        words, sizes = _model_among(words, model)
        more.append((model.name, *sizes))
    return words, with_fields(config_type, more) if more else config_type


def _model_among(words: list[str], model: Field[Any]) -> tuple[list[str], tuple[Any, Any]]:
    """The words without `--model NAME` or `--model=NAME`, and the type and field of the sizes that go by that name.

    Families import torch: the help shows the sizes that all of them have.
    """
    words = [part for word in words for part in (word.split("=", 1) if word.startswith("--model=") else [word])]
    if not {"-h", "--help"}.isdisjoint(words):
        hint = tyro.conf.arg(help_behavior_hint="(default: the preset's)")
        sizes = [(f.name, Annotated[int, hint], field(default=0)) for f in fields(ModelConfig)]
        shown = make_dataclass("Sizes", sizes, bases=(ModelConfig,), frozen=True, kw_only=True,
                               namespace={"__post_init__": lambda self: None})  # fmt: skip
        return words, (shown, field(default=shown()))
    assert callable(model.default_factory)
    default = model.default_factory()
    if "--model" in words:
        at = words.index("--model")
        default = _preset("".join(words[at + 1 : at + 2]))
        words = words[:at] + words[at + 2 :]
    return words, (type(default), field(default=default))


def _preset(name: str) -> Any:
    from gptwright.models.catalogue import preset  # imports torch

    try:
        return preset(name)
    except ConfigError as error:
        raise UsageError(error.needed, error.got, error.remedy) from error
