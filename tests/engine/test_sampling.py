import pytest

from gptwright.engine.sampling import Sampling
from gptwright.foundations.errors import InputError


@pytest.mark.parametrize("settings", [{"max_tokens": 0}, {"temperature": -1.0}, {"top_p": 0.0}, {"stop": ("",)}])
def test_nonsense_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Sampling(**settings)  # pyright: ignore[reportArgumentType]
