"""`gptwright VERB …`: finds the verb, reads its options from its configuration's types, and carries it out.

torch takes seconds to import, so it is imported only when a verb runs.
"""

import os
import re
import sys
import time
from dataclasses import field, fields, is_dataclass
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn

from gptwright.foundations.errors import (
    ConfigError,
    GptwrightError,
    Interrupted,
    MemoryShort,
    ResourceError,
    nearest,
    out_of_memory,
)
from gptwright.foundations.processes import is_first, several
from gptwright.foundations.settings import with_fields
from gptwright.foundations.version import __version__

# verb → (its class, what it does); the module has the verb's name.
VERBS = {
    "start": ("Start", "the whole story at a size that fits the time, ending in a chat"),
    "run": ("Run", "a chain of stages from a TOML recipe"),
    "prepare": ("Prepare", "read, clean and split text"),
    "tokenize": ("Tokenize", "learn a tokenizer and pack the text"),
    "pretrain": ("Pretrain", "train a language model from nothing"),
    "sft": ("SFT", "teach it to answer, from conversations"),
    "rank": ("Rank", "let it answer several times, and rank the answers by a rule"),
    "reward": ("Reward", "train a reward model on rankings"),
    "ppo": ("PPO", "improve the policy with the reward model"),
    "generate": ("Generate", "continue a text, or answer a file of prompts"),
    "chat": ("Chat", "talk in the terminal"),
    "serve": ("Serve", "OpenAI-compatible API and chat page"),
    "import": ("Import", "take in a model of another tool"),
    "export": ("Export", "leave a model as a folder for other tools"),
    "report": ("Report", "what a run learned, and whether it is healthy"),
}
# An installed wheel carries the page inside the package; a checkout has it in docs/.
COMMANDS = (Path(__file__).parent / "commands.md", Path(__file__).parents[2] / "docs" / "commands.md")
TOGETHER = ("pretrain", "run")  # what several processes can do together; of a recipe, its pretrain
LOST = ("Connection closed by peer", "Connection reset by peer", "gloo", "NCCL")
SECONDS_TO_SPEAK = 5
TAKE_MEMORY = (
    "minutes",
    "batch_size",
    "episodes",
    "sequence_length",
    "max_tokens",
    "kv_cache_gb",
    "max_requests",
    "vocab",
)
TRAINS = ("pretrain", "sft", "reward", "ppo")
LEAVES_A_FOLDER = ("prepare", "tokenize", "pretrain", "sft", "rank", "reward", "ppo", "import")
TRACK = "who gets the figures besides metrics.jsonl: tensorboard, trackio, wandb, mlflow"


def main() -> None:
    """Exit codes: 0 done, 1 a mistake that the message explains, 2 unknown words, 130/143 stopped after saving."""
    _speak_utf8()
    # Threads that wait for long must sleep: spinning, they slow torch down four times when another program runs too.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a letter is no reason to fail
    try:
        _run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nobody reads on: the flush at exit must not fail
        sys.exit(141)
    except Interrupted as error:
        _end(str(error), error.exit_code)
    except KeyboardInterrupt:
        _end("stopped at once; the last checkpoint is whole.", 130)
    except UsageError as error:
        _end(str(error), 2)
    except (GptwrightError, OSError, MemoryError, RuntimeError, ImportError, UnicodeEncodeError) as error:
        _end(str(_explained(error, sys.argv[1:2])), 1)


def _speak_utf8() -> None:
    """Begins anew with names of files in UTF-8 where the locale has another encoding, in which not every name exists.

    The terminal goes on in its own, unless that is ASCII, which UTF-8 contains.
    """
    if sys.getfilesystemencoding().lower() == "utf-8":
        return
    terminal = getattr(sys.stdout, "encoding", None) or "utf-8"
    spoken = {} if terminal.lower() in ("ascii", "us-ascii", "ansi_x3.4-1968") else {"PYTHONIOENCODING": terminal}
    os.execve(sys.executable, [sys.executable, "-m", "gptwright", *sys.argv[1:]],
              {**spoken, **os.environ, "PYTHONUTF8": "1"})  # fmt: skip


def _end(message: str, code: int) -> NoReturn:
    """Of several processes on a machine the first tells what all have met; torchrun ends the others meanwhile."""
    if several() and os.environ.get("LOCAL_RANK", "0") != "0":
        time.sleep(SECONDS_TO_SPEAK)
        message = f"process {os.environ['RANK']}: {message}"
    print(f"gptwright: {message}", file=sys.stderr)
    sys.exit(code)


def _explained(error: Exception, verb: list[str]) -> GptwrightError:
    """What the system or torch refused, with a remedy. Raises `error` again when it is a mistake of ours."""
    if isinstance(error, MemoryShort) and not {*verb} & {*TRAINS, "run"}:
        return MemoryShort(error.needed, error.got, _less_memory(verb))
    if isinstance(error, GptwrightError):
        return error
    if several() and any(word in str(error) for word in LOST):
        return ResourceError("an answer of every process", "none of one of them: it has ended, or the network failed",
                             "See its own message; the same command goes on from the last checkpoint.")  # fmt: skip
    if out_of_memory(error):
        return MemoryShort("memory for the model and its batches", "less than that", _less_memory(verb))
    if isinstance(error, UnicodeEncodeError):
        return ResourceError("names and texts that UTF-8 can write", f"{error.object[error.start : error.end]!a}",
                             "Rename the file, or correct the text.")  # fmt: skip
    if isinstance(error, OSError) and error.filename is not None:
        return ResourceError(f"to read or write {error.filename}", f"'{error.strerror}'", "Correct the path.")
    raise error


def _less_memory(verb: list[str]) -> str:
    """What this verb has that takes less, and who else may be in the way."""
    from gptwright.foundations.device import memory_limit

    loaded = sys.modules.get(f"gptwright.stages.{''.join(verb)}")
    known = {f.name for f in fields(getattr(loaded, VERBS[verb[0]][0]))} if loaded else set[str]()
    lower = " or ".join(f"--{name.replace('_', '-')}" for name in TAKE_MEMORY if name in known)
    limit = memory_limit()
    ways = ["End other programs", f"raise the limit of {limit / 2**30:.1f} GiB (ulimit -v)" if limit else "",
            f"lower {lower}" if lower else ""]  # fmt: skip
    return ", or ".join(way for way in ways if way) + "."


def _config_type(verb: str) -> Any:
    return getattr(import_module(f"gptwright.stages.{verb}"), VERBS[verb][0])


class UsageError(ConfigError):
    """Words on the command line that mean nothing."""


def _run(words: list[str]) -> None:
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return
    if words[0] in ("-V", "--version"):
        print(f"gptwright {__version__}")
        return
    verb, *options = words
    if verb not in VERBS:
        raise UsageError("a verb of gptwright", f"'{verb}'", nearest(verb, VERBS))
    if options in (["-h"], ["--help"]) and (page := written_help(verb)):
        print(page)
        return
    if several() and verb not in TOGETHER:
        raise ConfigError(f"one process for {verb}", os.environ["WORLD_SIZE"],
                          f"Several can do {' and '.join(TOGETHER)}; start it without torchrun.")  # fmt: skip
    config_type = _config_type(verb)
    if verb in LEAVES_A_FOLDER:
        from gptwright.recipes.stage import execute_stage

        config, out, track = _with_folder(config_type, verb, options)
        execute_stage(verb, config, out, track)
        if is_first():
            print(out)
    else:
        import_module(config_type.__module__).run(_parse(config_type, verb, options))


def overview() -> str:
    """What `gptwright --help` prints."""
    lines = [f"  {verb:10} {what}" for verb, (_, what) in VERBS.items()]
    return "\n".join([
        "gptwright: the GPT family and your own ChatGPT, from raw text to a chat page.",
        "", "usage: gptwright VERB [options]        gptwright VERB --help", "", *lines, "",
        "Begin with: gptwright start",
    ])  # fmt: skip


def written_help(verb: str) -> str:
    """The verb's help as docs/commands.md has it, which is made from the configurations; empty without that page.

    Configurations lie beside what they configure, and importing that takes seconds.
    """
    page = next((path.read_text(encoding="utf-8") for path in COMMANDS if path.is_file()), "")
    found = re.search(rf"^## {verb}\n\n```\n(.*?)\n```$", page, re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


def _with_folder(config_type: Any, verb: str, options: list[str]) -> tuple[Any, Path, tuple[str, ...]]:
    """A stage's configuration, and what is no part of it: `--out`, and `--track` where there are figures to follow."""
    more: list[Any] = [("out", Path, field(metadata={"help": "folder to leave the result in"}))]
    if verb in TRAINS:
        more.append(("track", tuple[str, ...], field(default=(), metadata={"help": TRACK})))
    given = _parse(with_fields(config_type, more), verb, options)
    config = config_type(**{f.name: getattr(given, f.name) for f in fields(config_type)})
    return config, given.out, getattr(given, "track", ())


def _parse(config_type: Any, verb: str, options: list[str]) -> Any:
    """The configuration from the words. `--model NAME` picks a preset; `--model.layers 4` then changes one size."""
    import tyro

    options = [word for option in options for word in _parts(option)]
    model = next((f for f in fields(config_type) if f.name == "model"), None)
    default = model.default_factory() if model and callable(model.default_factory) else None
    if not is_dataclass(default):
        return tyro.cli(config_type, args=options, prog=f"gptwright {verb}")
    if "--model" in options:
        at = options.index("--model")
        default = _preset("".join(options[at + 1 : at + 2]))
        options = options[:at] + options[at + 2 :]
    sizes = ("model", type(default), field(default=default))
    given = tyro.cli(
        with_fields(config_type, [sizes]), args=options, prog=f"gptwright {verb}", config=(tyro.conf.AvoidSubcommands,)
    )
    return config_type(**{f.name: getattr(given, f.name) for f in fields(config_type)})


def _preset(name: str) -> Any:
    from gptwright.models.catalogue import preset

    try:
        return preset(name)
    except ConfigError as error:
        raise UsageError(error.needed, error.got, error.remedy) from error


def _parts(option: str) -> list[str]:
    """`--model=NAME` is `--model NAME`."""
    return option.split("=", 1) if option.startswith("--model=") else [option]
