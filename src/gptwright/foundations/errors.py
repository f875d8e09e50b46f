"""What a person can mend, told in three parts: what was needed, what came, what to do.

GptwrightError
├── InputError      a text, prompt, ranking or port that was given
├── ConfigError     an option, a recipe key or a size
│   └── UsageError      a word on the command line
├── ArtifactError   a run folder, model or checkpoint that is missing, damaged or of another kind
└── ResourceError   the disk, the memory or the network port
    ├── MemoryShort     the memory
    └── ProcessLost     another process of the same work
Interrupted         not a mistake: the work was saved because somebody asked to stop
Stopped             nor is this: a signal ended the work at once, as Ctrl-C does
"""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class GptwrightError(Exception):
    """A mistake with a remedy. `str()` is ready to be shown to a person."""

    def __init__(self, needed: str, got: str, remedy: str) -> None:
        super().__init__(f"needed {needed}; got {got}.\n  {remedy}")
        self.needed, self.got, self.remedy = needed, got, remedy

    def __reduce__(self) -> tuple[object, ...]:
        """So that it comes whole from another process."""
        return type(self), (self.needed, self.got, self.remedy)


class InputError(GptwrightError):
    """Something that was given as input cannot be used."""


class ConfigError(GptwrightError):
    """An option or a recipe asks for something that does not exist or does not fit."""


class UsageError(ConfigError):
    """A word on the command line that means nothing."""


class ArtifactError(GptwrightError):
    """A folder or file of an earlier stage is missing, damaged or of another kind."""


class ResourceError(GptwrightError):
    """The machine cannot give what is needed: disk, memory, port."""


class MemoryShort(ResourceError):
    """There is less memory than the work needs. What takes less is the work's to say, or the verb's that began it."""


class ProcessLost(ResourceError):
    """One of several processes has ended, or the network between them failed."""


class Interrupted(Exception):
    """Raised after the state was saved because the process was asked to stop by `signal_number`."""

    def __init__(self, saved: str, signal_number: int) -> None:
        super().__init__(f"stopped; {saved}. The same command goes on from there.")
        self.exit_code = 128 + signal_number


class Stopped(KeyboardInterrupt):
    """Raised where `signal_number` came in."""

    def __init__(self, signal_number: int) -> None:
        super().__init__()
        self.exit_code = 128 + signal_number


def out_of_memory(error: BaseException) -> bool:
    """Whether Python or torch could not get the memory it asked for; torch says it in words, on a GPU by its class."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or any(said in str(error) for said in ("allocate memory", "can't start new thread"))
    )


def found_at(path: Path) -> str:
    """What is at a path where something else was looked for."""
    return "a folder" if path.is_dir() else "a file" if path.exists() else "nothing there"


def nearest(word: str, known: Iterable[str]) -> str:
    """ "did you mean 'x'?" when a known word is close, else the list of known words."""
    choices = sorted(known)
    close = get_close_matches(word, choices, n=1, cutoff=0.6)
    return f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(choices)}."
