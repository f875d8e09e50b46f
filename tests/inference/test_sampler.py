import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import MinPLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from gptwright.foundations.errors import ArtifactError
from gptwright.inference import sampler
from gptwright.inference.grammar import GrammarCompiler
from gptwright.inference.penalties import Penalties
from gptwright.inference.request import Request
from gptwright.inference.sampler import (
    SampleRow,
    accepted_tokens,
    derive_seed,
    inverse_cdf,
    prompt_logprobs,
    sample,
    sample_rows,
    uniform,
)
from gptwright.inference.sampling import Sampling
from gptwright.tokenizers import bytelevel

DRAWN = 20_000
WARM = Sampling(temperature=1.0)
CHI_SQUARE = [0, 10.83, 13.82, 16.27, 18.47, 20.52, 22.46, 24.32, 26.12, 27.88, 29.59, 31.26]
"""by degrees of freedom: 0.1 % of fair draws are farther off"""


remembered = cache(uniform)


def fair(found: Tensor, probabilities: Tensor) -> bool:
    """Whether tokens came as often as they should: Pearson's test."""
    expected = probabilities.double() * found.sum()
    real = expected > 0
    off = ((found - expected)[real].square() / expected[real]).sum().item()
    return not found[~real].any() and off <= CHI_SQUARE[int(real.sum()) - 1]


def frequencies(logits: Tensor, sampling: Sampling, **more: Any) -> Tensor:
    """How often each token is drawn from the same logits, by as many seeds."""
    rows = [SampleRow(sampling, seed, seed % 7, **more) for seed in range(DRAWN)]
    with pytest.MonkeyPatch.context() as patch:
        # The same tokens in less time: rows do not depend on each other, nor their numbers on what is drawn from.
        patch.setattr(sampler, "_CPU_ROWS", DRAWN)
        patch.setattr(sampler, "uniform", remembered)
        return torch.bincount(torch.tensor(sample(logits.repeat(DRAWN, 1), rows).tokens), minlength=len(logits))


def by_transformers(logits: Tensor, sampling: Sampling) -> Tensor:
    """The distribution to draw from, as `transformers` computes it."""
    scores = logits[None] / sampling.temperature
    warpers: list[Any] = [TopKLogitsWarper(sampling.top_k)] if sampling.top_k else []
    warpers += [TopPLogitsWarper(sampling.top_p), MinPLogitsWarper(sampling.min_p)]
    for warper in warpers:
        scores = warper(torch.zeros(1, 1, dtype=torch.long), scores)
    return scores.softmax(-1)[0]


SETTINGS = [
    {},
    {"temperature": 0.5},
    {"temperature": 2.0, "top_k": 3},
    {"top_k": 99},
    {"top_k": 1},
    {"top_p": 0.35},
    {"top_p": 0.9},
    {"top_p": 1e-40},
    {"min_p": 0.3},
    {"min_p": 1.0},
    {"top_k": 5, "top_p": 0.7},
    {"top_k": 6, "top_p": 0.95, "min_p": 0.2},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_tokens_come_as_often_as_in_the_distribution_of_transformers(settings: dict[str, Any]) -> None:
    sampling = Sampling(**{"temperature": 1.0} | settings)
    logits = torch.randn(10)
    assert fair(frequencies(logits, sampling), by_transformers(logits, sampling))


def test_tokens_come_as_often_as_penalties_and_the_grammar_say() -> None:
    sampling = Sampling(temperature=0.8, repetition_penalty=1.5, frequency_penalty=0.3, logit_bias={4: 1.0})
    logits, penalties = torch.randn(8), Penalties(sampling, [1, 2])
    allowed = np.array([True, True, False, True, True, True])
    expected = logits.clone()
    expected[4] += 1.0
    for token in (1, 2, 5):
        expected[token] = expected[token] / 1.5 if expected[token] > 0 else expected[token] * 1.5
    expected[5] -= 0.6
    expected[[2, 6, 7]] = -torch.inf
    found = frequencies(logits, sampling, penalties=penalties, drafts=(5, 5), allowed=allowed)
    assert fair(found, (expected / 0.8).softmax(-1))


@given(st.lists(st.integers(-400, 400), min_size=2, max_size=9, unique=True), st.sampled_from(SETTINGS))
def test_no_token_is_drawn_that_was_cut_and_every_other_can_be(values: list[int], settings: dict[str, Any]) -> None:
    sampling = Sampling(**{"temperature": 1.0} | settings)
    logits = torch.tensor(values) / 100
    expected = by_transformers(logits, sampling)
    drawn = set(sample(logits.repeat(200, 1), [SampleRow(sampling, 1, number) for number in range(200)]).tokens)
    assert drawn <= set(expected.nonzero()[:, 0].tolist())
    assert drawn >= set((expected > 0.1).nonzero()[:, 0].tolist())


def test_tokens_that_are_equally_likely_stay_together() -> None:
    logits = torch.tensor([0.0, 1.0, 1.0, 1.0, -9.0])
    for settings in ({"top_k": 1}, {"top_k": 2}, {"top_p": 0.01}, {"top_p": 0.5}, {"min_p": 1.0}):
        assert frequencies(logits, Sampling(temperature=1.0, **settings)).nonzero()[:, 0].tolist() == [1, 2, 3]


MIXED = [
    Sampling(temperature=0),
    WARM,
    Sampling(temperature=0.7, top_p=0.8, logprobs=3),
    Sampling(temperature=1.3, top_k=300),
    Sampling(temperature=0, frequency_penalty=0.5, logprobs=0),
    Sampling(temperature=0.9, min_p=0.05, top_k=20, top_p=0.5),
    Sampling(temperature=1.1, repetition_penalty=1.2),
]


def mixed(count: int) -> list[SampleRow]:
    settings = [MIXED[i % len(MIXED)] for i in range(count)]
    return [SampleRow(s, i, i * 3, Penalties.of(s, [i, 2 * i, 7])) for i, s in enumerate(settings)]


@pytest.mark.parametrize("threads", [1, 3])
def test_a_row_draws_the_same_whatever_stands_beside_it(threads: int) -> None:
    torch.set_num_threads(threads)
    logits, rows = torch.randn(45, 50_257) * 2, mixed(45)
    alone = [sample(logits[i : i + 1].clone(), [rows[i]]) for i in range(45)]
    order = torch.randperm(45).tolist()
    together = sample(logits[order], [rows[i] for i in order])
    assert together.tokens == [alone[i].tokens[0] for i in order]
    assert together.logprobs == [alone[i].logprobs[0] for i in order]
    assert together.top == [alone[i].top[0] for i in order]


def test_noted_log_probabilities_are_the_models_own() -> None:
    logits, rows = torch.randn(45, 60), mixed(45)
    settings = [replace(row.sampling, logprobs=i % 3, sampled_logprobs=i % 2 == 0) for i, row in enumerate(rows)]
    rows = [replace(row, sampling=sampling) for row, sampling in zip(rows, settings, strict=True)]
    drawn = sample(logits.clone(), rows)
    for i, row in enumerate(rows):
        tempered = (logits[i] / (row.sampling.temperature or 1.0)).log_softmax(-1)
        wanted = tempered[drawn.tokens[i]].item() if i % 2 == 0 else 0.0
        assert drawn.sampled_logprobs[i] == pytest.approx(wanted, abs=1e-6)
        scores = logits[i].log_softmax(-1)
        assert drawn.logprobs[i] == pytest.approx(scores[drawn.tokens[i]].item(), abs=1e-6)
        assert list(drawn.top[i]) == scores.topk(i % 3).indices.tolist()
        assert list(drawn.top[i].values()) == pytest.approx(scores.topk(i % 3).values.tolist(), abs=1e-6)


def test_nothing_is_noted_where_nothing_is_asked_for() -> None:
    drawn = sample(
        torch.randn(3, 9), [SampleRow(s, 1, 1) for s in (WARM, replace(WARM, logprobs=0), Sampling(temperature=0))]
    )
    assert drawn.logprobs[0] == drawn.logprobs[2] == 0.0 != drawn.logprobs[1]
    assert drawn.top == [{}, {}, {}]


def test_temperature_0_takes_the_likeliest_and_a_low_one_comes_near_it() -> None:
    logits = torch.randn(20, 9)
    for temperature in (0, 1e-4, 1e-5, 1e-9, 1e-300, 5e-324):
        rows = [SampleRow(Sampling(temperature=temperature), i, 0) for i in range(20)]
        assert sample(logits.clone(), rows).tokens == logits.argmax(-1).tolist()


def test_top_p_0_takes_the_likeliest() -> None:
    logits = torch.randn(20, 300)
    rows = [SampleRow(Sampling(temperature=1.0, top_p=0.0), i, 0) for i in range(20)]
    assert sample(logits.clone(), rows).tokens == logits.argmax(-1).tolist()


def test_proposals_leave_the_distribution_as_it_is() -> None:
    """Texts of three tokens from a chain, written with proposals that are right now and then."""
    chain = torch.randn(3, 3)

    def written(seed: int, proposals: Sequence[int]) -> tuple[int, ...]:
        request = Request([0], WARM, seed)
        while len(request.ids) < 4:
            request.drafts = list(proposals[: 3 - len(request.ids)])
            drawn = sample(chain[[request.ids[-1], *request.drafts]], sample_rows(request, request.drafts, None, None))
            request.ids += accepted_tokens(drawn.tokens, request.drafts)
        return tuple(request.ids[1:4])

    step, found = chain.softmax(-1), torch.zeros(27)
    for seed in range(3000):
        text = written(seed, (seed % 3, seed // 3 % 3))
        assert text == written(seed, ())
        found[text[0] * 9 + text[1] * 3 + text[2]] += 1
    expected = (step[0][:, None, None] * step[:, :, None] * step[None]).flatten()
    off = ((found - expected * 3000).square() / (expected * 3000)).sum().item()
    assert off < 54.05, "0.1 % of fair draws are farther off, with 26 degrees of freedom"


def test_proposals_are_drawn_as_if_they_had_been_said() -> None:
    """Penalties and the grammar see what stands in front of each row."""
    tokenizer = bytelevel.train(["the cat sat on the mat " * 9], 270)
    sampling = Sampling(temperature=1.0, frequency_penalty=2.0, regex="[a-e]{9}")
    vocab, text = torch.randn(tokenizer.vocab), list[int]()
    for seed in range(20):
        plain, quick = (Request([7], sampling, seed) for _ in range(2))
        for request, most in ((plain, 0), (quick, 3)):
            penalties, matcher = Penalties.of(sampling, request.ids), GrammarCompiler(tokenizer).matcher(sampling)
            assert matcher and penalties
            while len(request.ids) < 10:
                request.drafts = text[len(request.ids) - 1 :][: min(most, 9 - len(request.ids))]
                rows = sample_rows(request, request.drafts, penalties, matcher)
                assert [row.index for row in rows] == [len(request.ids) - 1 + i for i in range(len(rows))]
                for token in accepted_tokens(sample(vocab.repeat(len(rows), 1), rows).tokens, request.drafts):
                    penalties.add(token)
                    matcher.accept(token)
                    request.ids.append(token)
            text = request.ids[1:]
            text[seed % 9] = 70  # one proposal is wrong
        assert quick.ids == plain.ids
        assert re.fullmatch("[a-e]{9}", tokenizer.decode(quick.ids[1:]))


@pytest.mark.parametrize(
    ("tokens", "drafts", "certain"),
    [([5], [], [5]), ([5, 6, 7], [5, 6], [5, 6, 7]), ([5, 6, 7], [5, 9], [5, 6]), ([5, 6, 7], [9, 6], [5])],
)
def test_what_was_drawn_is_certain_up_to_the_first_wrong_proposal(
    tokens: list[int], drafts: list[int], certain: list[int]
) -> None:
    assert accepted_tokens(tokens, drafts) == certain


def test_uniform_numbers_are_uniform_along_a_text_and_across_seeds() -> None:
    for numbers in ([uniform(5, i) for i in range(DRAWN)], [uniform(i, 5) for i in range(DRAWN)],
                    [uniform(5, 5, i) for i in range(DRAWN)]):  # fmt: skip
        assert fair(torch.histc(torch.tensor(numbers), 10, 0, 1), torch.full((10,), 0.1))
        assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.025
    assert (
        len({uniform(seed, number, attempt) for seed in range(20) for number in range(20) for attempt in (0, 1)}) == 800
    )
    assert uniform(-1, 0) == uniform(2**64 - 1, 0)


def test_a_seed_means_the_same_for_ever() -> None:
    """First outputs of SplitMix64's hash, chained; a change would change everybody's texts."""
    assert sampler._mixed(0) == 0xE220A8397B1DCDAF  # pyright: ignore[reportPrivateUsage]
    assert [uniform(0, 0), uniform(7, 3), uniform(7, 3, 1)] == [
        0.13870941014555416,
        0.8151273119316396,
        0.9337240517628189,
    ]


def test_of_many_answers_the_first_has_the_seed_of_one() -> None:
    assert derive_seed(7, 0) == 7
    assert len({derive_seed(seed, i) for seed in (0, 1, 2, 2**64 - 1, -1) for i in range(100)}) == 400


@pytest.mark.parametrize("vocab", [1, 2, 255, 256, 257, 50_257])
def test_the_ends_of_the_cumulative_distribution(vocab: int) -> None:
    weights = torch.rand(3, vocab).softmax(-1)
    weights[:, vocab // 2 + 1 :] = 0
    last = 1 - 2.0**-52
    assert inverse_cdf(weights, [0.0, 0.0, 0.0]) == [0, 0, 0]
    assert inverse_cdf(weights, [last, last, last]) == [vocab // 2] * 3
    weights[:, : vocab // 2] = 0
    assert inverse_cdf(weights, [0.0, 0.5, last]) == [vocab // 2] * 3
    weights[:, vocab // 2] = 1e-44
    assert inverse_cdf(weights, [0.0, 0.5, last]) == [vocab // 2] * 3


def test_the_inverse_is_that_of_the_exact_sums() -> None:
    weights = torch.rand(40, 3000).double()
    numbers = torch.rand(40, dtype=torch.float64)
    ends = weights.cumsum(-1) / weights.sum(-1, keepdim=True)
    expected = torch.searchsorted(ends, numbers[:, None], right=True)[:, 0].tolist()
    assert inverse_cdf(weights.float(), numbers.tolist()) == expected


def test_logits_that_are_no_numbers_are_said_to_be_none() -> None:
    for bad in (torch.nan, torch.inf):
        logits = torch.zeros(2, 5)
        logits[1, 3] = bad
        with pytest.raises(ArtifactError, match="logits that are numbers"):
            sample(logits, [SampleRow(WARM, 0, 0)] * 2)


def test_a_prompts_log_probabilities() -> None:
    logits, targets = torch.randn(50, 30), torch.randint(30, (50,)).tolist()
    found, top = prompt_logprobs(logits, targets, 2)
    scores = logits.log_softmax(-1)
    assert found == pytest.approx(scores[torch.arange(50), targets].tolist(), abs=1e-6)
    assert [list(places) for places in top] == scores.topk(2).indices.tolist()
    assert prompt_logprobs(logits[:1], targets[:1])[1] == [{}]
