"""The contrastive loss against numbers by hand and transformers' own."""

from math import exp, log

import pytest
import torch
from transformers.models.clip.modeling_clip import image_text_contrastive_loss

from gptwright.objectives.contrastive import contrastive_loss


def test_a_model_that_knows_nothing_pays_the_log_of_the_batch() -> None:
    assert contrastive_loss(torch.zeros(8, 8)).item() == pytest.approx(log(8))


def test_both_directions_count_by_hand() -> None:
    rows = (log(exp(2) + exp(1)) - 2 + log(1 + exp(3)) - 3) / 2
    columns = (log(exp(2) + 1) - 2 + log(exp(1) + exp(3)) - 3) / 2
    loss = contrastive_loss(torch.tensor([[2.0, 1.0], [0.0, 3.0]]))
    assert loss.item() == pytest.approx((rows + columns) / 2)


def test_it_is_symmetric_and_blind_to_the_order_of_pairs() -> None:
    logits, order = torch.randn(6, 6), torch.randperm(6)
    torch.testing.assert_close(contrastive_loss(logits), contrastive_loss(logits.T))
    torch.testing.assert_close(contrastive_loss(logits), contrastive_loss(logits[order][:, order]))


def test_transformers_has_the_same() -> None:
    logits = torch.randn(5, 5)
    torch.testing.assert_close(contrastive_loss(logits), image_text_contrastive_loss(logits.T))
