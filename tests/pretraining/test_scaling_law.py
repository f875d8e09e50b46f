from itertools import pairwise

import pytest

from gptwright.pretraining.scaling_law import RATES, best_batch, best_rate, effective_tokens, loss, rate_warning


def test_more_parameters_and_more_tokens_mean_less_loss() -> None:
    sizes = [10**n for n in range(5, 10)]
    assert all(loss(a, 1e7) > loss(b, 1e7) for a, b in pairwise(sizes))
    assert all(loss(1e7, a) > loss(1e7, b) for a, b in pairwise(sizes))


def test_reading_again_is_worth_less_each_time() -> None:
    assert effective_tokens(500, 1000) == 500 and effective_tokens(1000, 1000) == 1000
    gains = [effective_tokens(1000 * (n + 1), 1000) - effective_tokens(1000 * n, 1000) for n in range(1, 40)]
    assert gains == sorted(gains, reverse=True) and gains[0] == pytest.approx(968, abs=2)
    assert effective_tokens(1e9, 1000) == pytest.approx(1000 * 16.4)


@pytest.mark.parametrize("optim", RATES)
def test_wider_models_want_lower_rates(optim: str) -> None:
    rates = [best_rate(optim, width) for width in (64, 192, 768, 4096)]
    assert rates == sorted(rates, reverse=True)
    assert best_rate(optim, 192) == RATES[optim].rate


def test_batches_grow_with_what_is_read() -> None:
    batches = [best_batch(tokens) for tokens in (1e5, 1e6, 1e8, 1e10)]
    assert batches == sorted(batches) and len(set(batches)) > 2


@pytest.mark.parametrize(("times", "word"), [(20, "too high"), (0.001, "too low"), (1, None), (5, None), (0.05, None)])
def test_only_a_rate_that_is_clearly_wrong_is_objected_to(times: float, word: str | None) -> None:
    for optim in RATES:
        said = rate_warning(optim, 192, times * best_rate(optim, 192))
        assert said is None if word is None else word in str(said) and "--learning-rate" in str(said)
