from copy import deepcopy
from pathlib import Path

import pytest

from gptwright.foundations.errors import (
    ArtifactError,
    ConfigError,
    GptwrightError,
    InputError,
    ResourceError,
    found_at,
    nearest,
)


@pytest.mark.parametrize("kind", [InputError, ConfigError, ArtifactError, ResourceError])
def test_an_error_says_what_was_needed_what_came_and_what_to_do(kind: type[GptwrightError]) -> None:
    error = kind("a number", "'five'", "Write 5.")
    assert isinstance(error, GptwrightError)
    assert str(error) == "needed a number; got 'five'.\n  Write 5."


def test_an_error_comes_whole_from_another_process() -> None:
    error = deepcopy(ResourceError("a number", "'five'", "Write 5."))
    assert type(error) is ResourceError
    assert (error.needed, error.got, error.remedy) == ("a number", "'five'", "Write 5.")


def test_the_nearest_word_or_all_of_them() -> None:
    assert nearest("stesp", ["steps", "rate"]) == "Did you mean 'steps'?"
    assert nearest("zzz", ["steps", "rate"]) == "Known: rate, steps."


def test_what_stands_where_something_else_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert [found_at(path) for path in (tmp_path, tmp_path / "file", tmp_path / "none")] == [
        "a folder",
        "a file",
        "nothing there",
    ]
