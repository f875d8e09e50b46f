from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import nn

from gptwright.engine.sampling import Sampling
from gptwright.foundations.errors import InputError
from gptwright.generation import decode as decoding
from gptwright.generation.decode import Answer, answer_all, check_prompt, decode
from gptwright.models.gpt2 import GPT2
from gptwright.models.heads import ScalarHead

PROMPTS = [[5, 6, 7], [9], [4, 8, 15, 16, 23, 42], [108, 200]]
GREEDY = Sampling(temperature=0, max_tokens=12)


def tokens(answers: Sequence[Answer]) -> list[list[int]]:
    return [answer.ids for answer in answers]


def plainly(network: GPT2, prompt: list[int], count: int) -> list[int]:
    """Greedy decoding without a cache: the whole text is read anew for every token."""
    ids = list(prompt)
    for _ in range(count):
        ids.append(int(network(torch.tensor([ids]))[0, -1].argmax()))
    return ids[len(prompt) :]


def test_greedy_answers_are_those_of_the_plain_loop(network: GPT2) -> None:
    assert tokens(answer_all(network, PROMPTS, GREEDY, [])) == [plainly(network, prompt, 12) for prompt in PROMPTS]


def test_a_batch_answers_as_each_prompt_alone(network: GPT2, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = torch.randint(290, (9, 4)).tolist()
    stops = list(range(0, 290, 8))
    alone = [answer_all(network, [prompt], GREEDY, stops)[0] for prompt in prompts]
    assert len({len(answer.ids) for answer in alone}) > 2, "rows leave the batch at different times"
    assert tokens(answer_all(network, prompts, GREEDY, stops)) == tokens(alone)
    monkeypatch.setattr(decoding, "ROWS", 4)
    mixed = [prompt[: 1 + i % 4] for i, prompt in enumerate(prompts)]
    alone = [answer_all(network, [prompt], GREEDY, stops)[0] for prompt in mixed]
    assert tokens(answer_all(network, mixed, GREEDY, stops)) == tokens(alone)


def test_the_seed_chooses_the_text(network: GPT2) -> None:
    def answers(seed: int | None) -> list[list[int]]:
        return tokens(answer_all(network, PROMPTS, Sampling(temperature=1.0, max_tokens=8, seed=seed), []))

    assert answers(7) == answers(7)
    assert answers(7) != answers(8)


def test_a_row_with_its_seed_says_the_same_alone_and_in_a_batch(network: GPT2) -> None:
    sampling, seeds = Sampling(temperature=1.0, top_p=0.9, frequency_penalty=0.5, max_tokens=9), [3, 1, 4, 9]

    def said(prompts: list[list[int]], seeds: list[int]) -> list[list[int]]:
        steps = [drawn.tokens.tolist() for drawn in decode(network, prompts, sampling, [], seeds)]
        return [list(row) for row in zip(*steps, strict=True)]

    alone = [said([prompt], [seed])[0] for prompt, seed in zip(PROMPTS, seeds, strict=True)]
    assert said(PROMPTS, seeds) == alone


def test_penalties_and_more_stop_ids_are_heeded(network: GPT2) -> None:
    always = answer_all(network, PROMPTS, replace(GREEDY, logit_bias={7: 100}), [])
    assert [answer.ids for answer in always] == [[7] * 12] * 4
    unlike = answer_all(network, PROMPTS, replace(GREEDY, repetition_penalty=100.0, presence_penalty=2.0), [])
    assert all(len(set(answer.ids)) == 12 for answer in unlike)
    ended = answer_all(network, PROMPTS, replace(GREEDY, logit_bias={7: 100}, stop_ids=(7,)), [])
    assert [(answer.ids, answer.ended) for answer in ended] == [([7], True)] * 4


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_noted_log_probabilities_and_values_are_those_of_a_whole_reading(network: GPT2, temperature: float) -> None:
    head = ScalarHead(32).requires_grad_(False)
    nn.init.normal_(head.score.weight)
    sampling = Sampling(temperature=temperature, max_tokens=10, seed=3)
    answers = answer_all(network, PROMPTS, sampling, [17], value_head=head)
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        hidden = network.hidden(torch.tensor([[*prompt, *answer.ids]]))[0, len(prompt) - 1 : -1]
        scores = (network.logits(hidden) / temperature).log_softmax(-1)
        expected = scores[torch.arange(len(answer.ids)), torch.tensor(answer.ids)]
        torch.testing.assert_close(torch.tensor(answer.logprobs), expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(torch.tensor(answer.values), head(hidden), atol=1e-5, rtol=1e-5)


def test_a_row_ends_at_a_stop_id_which_it_keeps(network: GPT2) -> None:
    free = answer_all(network, PROMPTS, GREEDY, [])[0].ids
    stop = free[3]
    answer = answer_all(network, PROMPTS, GREEDY, [stop])[0]
    assert answer.ids == free[: free.index(stop) + 1]
    assert answer.ended
    assert not answer_all(network, [PROMPTS[0]], Sampling(temperature=0, max_tokens=free.index(stop)), [stop])[0].ended


@pytest.mark.parametrize("length", [1, 60, 62, 63])
def test_prompt_and_answer_fill_the_context_and_no_more(network: GPT2, length: int) -> None:
    answers = answer_all(network, [[5] * length, [6]], Sampling(temperature=0, max_tokens=1000), [])
    assert [len(answer.ids) for answer in answers] == [64 - length, 63]


@pytest.mark.parametrize(
    ("ids", "said"), [([], "an empty one"), ([1] * 64, "fewer than 64 tokens"), ([1] * 99, "got 99")]
)
def test_prompts_that_cannot_be_answered(network: GPT2, ids: list[int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_prompt(ids, 64)
    with pytest.raises(InputError, match=said):
        answer_all(network, [[5], ids], GREEDY, [])


def test_no_prompts_have_no_answers(network: GPT2) -> None:
    assert answer_all(network, [], GREEDY, []) == []
