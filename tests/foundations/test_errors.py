import pytest

from gptwright.foundations.errors import ArtifactError, ConfigError, GptwrightError, InputError, ResourceError, nearest


@pytest.mark.parametrize("kind", [InputError, ConfigError, ArtifactError, ResourceError])
def test_an_error_says_what_was_needed_what_came_and_what_to_do(kind: type[GptwrightError]) -> None:
    error = kind("a number", "'five'", "Write 5.")
    assert isinstance(error, GptwrightError)
    assert str(error) == "needed a number; got 'five'.\n  Write 5."


def test_the_nearest_word_or_all_of_them() -> None:
    assert nearest("stesp", ["steps", "rate"]) == "Did you mean 'steps'?"
    assert nearest("zzz", ["steps", "rate"]) == "Known: rate, steps."
