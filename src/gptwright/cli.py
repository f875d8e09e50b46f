"""`gptwright VERB …`: finds the verb, reads its options, carries it out, and ends with an exit code.

torch takes seconds to import. So nothing that imports it is imported before a verb is carried out: this file imports
`recipes/stage.py`, which imports the stage of that verb, inside of `_run`.
"""

import os
import sys
import time
from dataclasses import fields
from io import TextIOWrapper
from typing import NoReturn

from gptwright.configs.verbs import VERBS, Verb
from gptwright.foundations.errors import (
    ConfigError,
    GptwrightError,
    Interrupted,
    MemoryShort,
    ResourceError,
    Stopped,
    UsageError,
    nearest,
    out_of_memory,
)
from gptwright.foundations.processes import is_first, several
from gptwright.foundations.version import __version__

SECONDS_FOR_THE_FIRST = 5  # of several processes the first gets so many to say what all have met
MEMORY_OPTIONS = (
    "minutes",
    "batch_size",
    "episodes",
    "sequence_length",
    "max_tokens",
    "kv_cache_gb",
    "max_requests",
    "vocab",
)


def main() -> None:
    """Exit codes: 0 done, 1 a mistake that the message explains, 2 unknown words, 129/130/143 stopped by a signal."""
    _restart_in_utf8()
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
        _exit(str(error), error.exit_code)
    except KeyboardInterrupt as error:
        _exit("stopped at once; what was saved is whole. The same command goes on from there.",
              error.exit_code if isinstance(error, Stopped) else 130)  # fmt: skip
    except UsageError as error:
        _exit(str(error), 2)
    except (GptwrightError, OSError, MemoryError, RuntimeError, ImportError, UnicodeEncodeError) as error:
        _exit(str(_translated(error, VERBS.get("".join(sys.argv[1:2])))), 1)


def _restart_in_utf8() -> None:
    """Begins anew with names of files in UTF-8 where the locale has another encoding, in which not every name exists.

    The terminal goes on in its own, unless that is ASCII, which UTF-8 contains.
    """
    if sys.getfilesystemencoding().lower() == "utf-8":
        return
    terminal = getattr(sys.stdout, "encoding", None) or "utf-8"
    kept = {} if terminal.lower() in ("ascii", "us-ascii", "ansi_x3.4-1968") else {"PYTHONIOENCODING": terminal}
    os.execve(sys.executable, [sys.executable, "-m", "gptwright", *sys.argv[1:]],
              {**kept, **os.environ, "PYTHONUTF8": "1"})  # fmt: skip


def _exit(message: str, code: int) -> NoReturn:
    """Of several processes on a machine the first says what all have met; torchrun ends the others meanwhile."""
    if several() and os.environ.get("LOCAL_RANK", "0") != "0":
        time.sleep(SECONDS_FOR_THE_FIRST)
        message = f"process {os.environ['RANK']}: {message}"
    print(f"gptwright: {message}", file=sys.stderr)
    sys.exit(code)


def _translated(error: Exception, verb: Verb | None) -> GptwrightError:
    """What the system or torch refused, with a remedy. Raises `error` again when it is a mistake of ours."""
    if isinstance(error, MemoryShort) and not (verb and (verb.trains or verb.name == "run")):
        return MemoryShort(error.needed, error.got, _less_memory(verb))
    if isinstance(error, GptwrightError):
        return error
    if out_of_memory(error):
        return MemoryShort("memory for the model and its batches", "less than that", _less_memory(verb))
    if isinstance(error, UnicodeEncodeError):
        return ResourceError("names and texts that UTF-8 can write", f"{error.object[error.start : error.end]!a}",
                             "Rename the file, or correct the text.")  # fmt: skip
    if isinstance(error, OSError) and error.filename is not None:
        return ResourceError(f"to read or write {error.filename}", f"'{error.strerror}'", "Correct the path.")
    raise error


def _less_memory(verb: Verb | None) -> str:
    """Which options of this verb need less memory, and who else may be in the way."""
    from gptwright.foundations.device import memory_limit

    known = {f.name for f in fields(verb.config_type)} if verb else set[str]()
    lower = " or ".join(f"--{name.replace('_', '-')}" for name in MEMORY_OPTIONS if name in known)
    limit = memory_limit()
    ways = ["End other programs", f"raise the limit of {limit / 2**30:.1f} GiB (ulimit -v)" if limit else "",
            f"lower {lower}" if lower else ""]  # fmt: skip
    return ", or ".join(way for way in ways if way) + "."


def _run(words: list[str]) -> None:
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return
    if words[0] in ("-V", "--version"):
        print(f"gptwright {__version__}")
        return
    if words[0] == "--completion":
        from gptwright.configs.command_line import print_completion

        print_completion(words[1:])
        return
    name, *options = words[1:] if words[:2] == ["reward", "score"] else words
    if name not in VERBS:
        raise UsageError("a verb of gptwright", f"'{name}'", nearest(name, VERBS))
    verb = VERBS[name]
    asks_help = not {"-h", "--help"}.isdisjoint(options)
    if several() and not verb.distributed and not asks_help:
        together = ", ".join(other.name for other in VERBS.values() if other.distributed)
        raise ConfigError(f"one process for {name}", os.environ["WORLD_SIZE"],
                          f"Several can do {together}; start it without torchrun.")  # fmt: skip
    from gptwright.configs.command_line import read_command

    command = read_command(verb, options)
    from gptwright.recipes.stage import execute_stage, run_verb

    if command.out is None:
        run_verb(name, command.config)
        return
    execute_stage(name, command.config, command.out, command.track)
    if is_first():
        print(command.out)


def overview() -> str:
    """What `gptwright --help` prints."""
    lines = ["gptwright: the GPT family and your own ChatGPT, from raw text to a chat page.",
             "", "usage: gptwright VERB [options]        gptwright VERB --help"]  # fmt: skip
    for group in dict.fromkeys(verb.group for verb in VERBS.values()):
        lines += ["", group, *(f"  {verb.name:10} {verb.help}" for verb in VERBS.values() if verb.group == group)]
    return "\n".join([*lines, "", "Begin with: gptwright start",
                      "Tab completes verbs and options after: source <(gptwright --completion bash)"])  # fmt: skip
