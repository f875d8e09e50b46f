from typing import Any

import pytest

from gptwright.inference.sampling import Sampling, SettingError

NAN = float("nan")


@pytest.mark.parametrize(
    "settings",
    [
        {"max_tokens": -1},
        {"temperature": -0.1},
        {"temperature": 101},
        {"temperature": NAN},
        {"top_k": -1},
        {"top_p": -0.1},
        {"top_p": 1.1},
        {"top_p": NAN},
        {"min_p": -0.1},
        {"min_p": 1.1},
        {"min_p": NAN},
        {"repetition_penalty": 0.0},
        {"repetition_penalty": NAN},
        {"presence_penalty": 2.1},
        {"frequency_penalty": NAN},
        {"logit_bias": {3: 101.0}},
        {"logit_bias": {-1: 1.0}},
        {"logit_bias": {1: NAN}},
        {"stop": ("",)},
        {"stop_ids": (-1,)},
        {"seed": 2**64},
        {"seed": -(2**63) - 1},
        {"n": 0},
        {"logprobs": -1},
        {"logprobs": 101},
        {"prompt_logprobs": -1},
        {"best_of": 0},
        {"regex": ""},
    ],
)
def test_nonsense_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=next(iter(settings))) as error:
        Sampling(**settings)
    assert [error.value.setting] == list(settings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"n": 3, "best_of": 2}, "best_of at least n = 3; got 2"),
        ({"best_of": 2, "temperature": 0}, "a temperature above 0 with best_of above 1"),
        ({"schema": {}, "regex": "a"}, "schema or regex; got both"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=said) as error:
        Sampling(**settings)
    assert error.value.setting in settings


def test_what_is_to_be_done_is_said() -> None:
    assert (Sampling(n=3).answers, Sampling(n=2, best_of=5).answers) == (3, 5)
    assert [Sampling().needs_logprobs, Sampling(logprobs=0).needs_logprobs, Sampling(best_of=2).needs_logprobs] == [
        False,
        True,
        True,
    ]
    assert [Sampling(n=2).needs_logprobs, Sampling(n=2, best_of=2).needs_logprobs] == [False, False]
    assert not Sampling(logit_bias={1: 1}).has_penalties and Sampling(frequency_penalty=0.1).has_penalties
    assert [
        Sampling().truncates,
        Sampling(top_k=1).truncates,
        Sampling(top_p=0.9).truncates,
        Sampling(min_p=0.1).truncates,
    ] == [
        False,
        True,
        True,
        True,
    ]
