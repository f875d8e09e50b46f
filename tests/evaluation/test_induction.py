"""Induction scores: what they measure, by hand and on heads made for it."""

from typing import Any

import torch
from torch import nn

from gptwright.evaluation.induction import induction_scores
from gptwright.models.catalogue import build
from gptwright.models.decoder import Decoder
from gptwright.models.gpt2 import GPT2Config

CONFIG = GPT2Config(vocab=64, context=64, width=16, heads=2, layers=2)


class Looking(Decoder):
    """A network whose heads look as many tokens back as they are told."""

    def __init__(self, heads: list[int]) -> None:
        super().__init__()
        self.config, self.heads = CONFIG, heads
        self.weight = nn.Parameter(torch.zeros(1))

    def hidden(self, ids: Any, cache: Any = None, documents: Any = None, embeddings: Any = None) -> Any:
        rows, tokens = ids.shape
        weights = torch.zeros(rows, len(self.heads), tokens, tokens)
        for head, back in enumerate(self.heads):
            for at in range(tokens):
                weights[:, head, at, max(0, at - back)] = 1
        cache.attention.append(weights)


def test_a_head_that_looks_behind_the_earlier_token_has_one_and_others_nothing() -> None:
    scores = induction_scores(Looking([23, 24, 1]), length=24)
    assert scores.tolist() == [[1.0, 0.0, 0.0]]


def test_the_first_token_of_the_second_run_is_the_first_that_is_asked() -> None:
    """Behind the last token of all nothing follows in the first run, so that it is left out."""
    assert induction_scores(Looking([3]), length=4).tolist() == [[1.0]]


def test_an_untrained_network_has_about_what_chance_gives() -> None:
    scores = induction_scores(build(CONFIG, seed=1), length=16)
    assert scores.shape == (2, 2)
    assert (scores - 1 / 24).abs().max() < 0.03


def test_equal_seeds_give_equal_scores_and_short_contexts_are_kept_to() -> None:
    network = build(GPT2Config(vocab=12, context=20, width=16, heads=2, layers=1), seed=1)
    assert torch.equal(induction_scores(network), induction_scores(network))


def test_tokens_are_drawn_from_those_given() -> None:
    network = build(CONFIG, seed=1)
    everything = induction_scores(network, range(CONFIG.vocab), length=8)
    for few in ((), (3, 3)):
        assert torch.equal(everything, induction_scores(network, few, length=8))
    assert not torch.equal(everything, induction_scores(network, [3, 1, 4, 1, 5, 9, 2, 6], length=8))
