from gptwright.inference.request import Request
from gptwright.inference.sampling import Sampling


def test_what_was_given_is_the_prompt() -> None:
    assert Request([1, 2, 3], Sampling(), 0).prompt == 3


def test_a_prompt_is_read_and_an_answer_is_read_token_by_token() -> None:
    request = Request([1, 2, 3], Sampling(max_tokens=4), 0)
    assert request.uncomputed == 3
    request.computed = 3
    assert request.uncomputed == 0
    request.ids.append(5)
    assert (request.uncomputed, request.prompt) == (1, 3)


def test_the_last_token_of_the_longest_answer_is_never_in_memory() -> None:
    assert Request([1, 2, 3], Sampling(max_tokens=4), 0).max_cached == 6
    assert Request([1, 2, 3], Sampling(max_tokens=1), 0).max_cached == 3


def test_something_is_always_left_to_be_read() -> None:
    assert Request([1, 2, 3], Sampling(), 0).reusable == 2
    assert Request([1], Sampling(), 0).reusable == 0
    assert Request([1, 2, 3], Sampling(), 0, max_reused=0).reusable == 0
    assert Request([1, 2, 3], Sampling(), 0, max_reused=9).reusable == 2


def test_two_requests_for_the_same_are_two() -> None:
    assert Request([1], Sampling(), 0) != Request([1], Sampling(), 0)
