from gptwright.engine.request import Request
from gptwright.engine.sampling import Sampling


def test_what_was_given_is_the_prompt() -> None:
    assert Request([1, 2, 3], Sampling(), 0).prompt == 3
