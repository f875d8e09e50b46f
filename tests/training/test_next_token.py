"""Batches whose padding reaches beyond what a model can read."""

import pytest
import torch

from gptwright.evaluation.perplexity import answer_loss
from gptwright.layers.masks import Documents
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.llama import LlamaConfig
from gptwright.objectives.language import IGNORED
from gptwright.tokenizers.padding import padded
from gptwright.training.batch_shard import WHOLE
from gptwright.training.batches import TokenBatch
from gptwright.training.next_token import next_token_losses, without_overhang

CONTEXT = 13
ROWS = [list(range(1, 14)), [5, 6, 7]]


def batch(multiple: int) -> TokenBatch:
    targets = [[*row[1:], 2] for row in ROWS]
    return TokenBatch(padded(ROWS, 0, multiple), padded(targets, IGNORED, multiple))


@pytest.mark.parametrize("config", [
    GPT2Config(vocab=20, context=CONTEXT, width=16, heads=2, layers=1),
    LlamaConfig(vocab=20, context=CONTEXT, width=16, heads=2, kv_heads=1, layers=1, hidden=24),
])  # fmt: skip
def test_a_context_that_is_no_round_width_gives_the_same_loss(config: GPT2Config | LlamaConfig) -> None:
    network = build(config).eval()
    (wide,), (exact,) = (list(next_token_losses(network, batch(multiple), WHOLE)) for multiple in (8, 1))
    torch.testing.assert_close(wide, exact)
    assert answer_loss(network, [batch(8)]) == pytest.approx(answer_loss(network, [batch(1)]))


def test_whose_a_token_is_goes_with_it() -> None:
    parts = batch(8)._replace(documents=torch.ones(2, 16, dtype=torch.long))
    cut = without_overhang(parts, CONTEXT)
    assert cut.documents is not None and cut.documents.shape == cut.ids.shape == cut.targets.shape == (2, CONTEXT)
    assert Documents(cut.documents)


def test_what_is_to_be_learned_is_never_cut() -> None:
    with pytest.raises(AssertionError):
        without_overhang(batch(8), CONTEXT - 1)
