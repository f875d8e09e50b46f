from math import inf, log
from typing import Any

import pytest
import torch

from gptwright.engine.sampler import cut, draw
from gptwright.engine.sampling import Sampling
from gptwright.foundations.errors import InputError

PROBABILITIES = torch.tensor([[0.1, 0.4, 0.2, 0.3]])


def kept(top_k: int, top_p: float) -> list[int]:
    return [i for i, score in enumerate(cut(PROBABILITIES.log(), top_k, top_p)[0].tolist()) if score > -inf]


@pytest.mark.parametrize(
    ("top_k", "top_p", "tokens"),
    [
        (0, 1.0, [0, 1, 2, 3]),
        (1, 1.0, [1]),
        (3, 1.0, [1, 2, 3]),
        (9, 1.0, [0, 1, 2, 3]),
        (0, 1e-9, [1]),
        (0, 0.35, [1]),
        (0, 0.65, [1, 3]),
        (0, 0.75, [1, 2, 3]),
        (0, 0.95, [0, 1, 2, 3]),
        (2, 0.5, [1]),  # among the two likeliest the first has 4/7 already
        (2, 0.6, [1, 3]),
    ],
)
def test_what_is_cut_by_hand(top_k: int, top_p: float, tokens: list[int]) -> None:
    assert kept(top_k, top_p) == tokens


def test_what_stays_keeps_its_log_probability() -> None:
    assert cut(PROBABILITIES.log(), 2, 1.0)[0, 1].item() == pytest.approx(log(0.4))


@pytest.mark.parametrize(("temperature", "top_k"), [(1.0, 0), (0.5, 0), (2.0, 3)])
def test_tokens_come_as_often_as_they_should(temperature: float, top_k: int) -> None:
    drawn = 20_000
    logits = PROBABILITIES.log().expand(drawn, 4)
    tokens, _ = draw(logits, Sampling(temperature=temperature, top_k=top_k), torch.Generator().manual_seed(1))
    expected = cut(PROBABILITIES.log() / temperature, top_k, 1.0).softmax(-1)[0] * drawn
    found = torch.bincount(tokens, minlength=4).float()
    assert not found[expected == 0].any()
    real = expected > 0
    chi_square = ((found - expected)[real].square() / expected[real]).sum().item()
    assert chi_square < 16.27, "0.1 % of fair draws are farther off, with three degrees of freedom"


def test_log_probabilities_are_those_of_the_tempered_uncut_distribution() -> None:
    logits = torch.randn(50, 9)
    for temperature in (0.5, 1.0, 3.0):
        tokens, noted = draw(
            logits, Sampling(temperature=temperature, top_k=4, top_p=0.9), torch.Generator().manual_seed(2)
        )
        expected = (logits / temperature).log_softmax(-1)[torch.arange(50), tokens]
        torch.testing.assert_close(noted, expected)


def test_temperature_0_takes_the_likeliest() -> None:
    logits = torch.randn(20, 9)
    tokens, noted = draw(logits, Sampling(temperature=0), torch.Generator())
    assert torch.equal(tokens, logits.argmax(-1))
    torch.testing.assert_close(noted, logits.log_softmax(-1).max(-1).values)


def test_a_low_temperature_comes_near_it() -> None:
    logits = torch.randn(20, 9)
    tokens, _ = draw(logits, Sampling(temperature=1e-4), torch.Generator().manual_seed(3))
    assert torch.equal(tokens, logits.argmax(-1))


@pytest.mark.parametrize(
    "settings",
    [
        {"max_tokens": 0},
        {"temperature": -0.1},
        {"temperature": 101},
        {"temperature": float("nan")},
        {"top_k": -1},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"top_p": float("nan")},
        {"stop": ("",)},
        {"seed": 2**64},
        {"seed": -(2**63) - 1},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(settings))):
        Sampling(**settings)


@pytest.mark.parametrize("seed", [-(2**63), -1, 0, 2**63, 2**64 - 1])
def test_every_seed_that_is_let_in_can_be_used(seed: int) -> None:
    torch.Generator().manual_seed(Sampling(seed=seed).seed or 0)
