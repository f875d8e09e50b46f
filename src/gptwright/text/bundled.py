"""The corpus that comes with gptwright: where it lies and what it is called."""

from pathlib import Path

from gptwright.foundations.errors import ArtifactError, InputError, nearest

WORD = "bundled"
TEXTS = ("novels", "plays", "wordnet", "verse")
SOURCES = (*TEXTS, "incontext", "code")  # neither pages of examples nor code are text to learn a language from

# An installed wheel carries the data inside the package; a checkout has it beside src/.
PLACES = (Path(__file__).parents[1] / "data", Path(__file__).parents[3] / "data")


def bundled_folder() -> Path:
    """The folder of the bundled corpus. Raises `ArtifactError` when this installation has none."""
    for place in PLACES:
        if place.is_dir():
            return place
    raise ArtifactError("the bundled data folder", f"none at {PLACES[0]} or {PLACES[1]}", "Install gptwright again.")


def bundled_file(name: str) -> Path:
    """A file of the bundled corpus, such as conversations.jsonl.xz. Raises `ArtifactError` when it is missing."""
    path = bundled_folder() / name
    if not path.is_file():
        raise ArtifactError(f"the bundled file {path}", "nothing there", "Install gptwright again.")
    return path


def bundled_text(name: str) -> Path:
    """The documents of one bundled source. Raises `InputError` for a name that is not in `SOURCES`."""
    if name not in SOURCES:
        raise InputError("a bundled source", f"'{name}'", nearest(name, SOURCES))
    return bundled_file(f"{name}.jsonl.xz")


def is_bundled(pattern: str) -> bool:
    """Whether a --data pattern means bundled text: `bundled` for all of it, `bundled:novels` for one source."""
    return pattern == WORD or pattern.startswith(f"{WORD}:")


def bundled_texts(pattern: str) -> list[Path]:
    """The files that `bundled` or `bundled:NAME` stands for."""
    name = pattern.removeprefix(WORD).removeprefix(":")
    return [bundled_text(name)] if name else [bundled_text(each) for each in TEXTS]


def bundled_name(path: Path) -> str | None:
    """The source a bundled text file holds; None for a file of the user's."""
    name = path.name.removesuffix(".jsonl.xz")
    return name if name in SOURCES and path.parent in PLACES else None
