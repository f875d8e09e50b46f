from math import log

import pytest
import torch
import torch.nn.functional as F

from gptwright.objectives.language import IGNORED
from gptwright.objectives.masked import ROWS, chosen_states, mask_tokens, masked_loss, next_sentence_loss

MASK, VOCAB = 4, 1000


def row_of(length: int, rows: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids from 5 on, [CLS] first, [SEP] last, two of padding behind it; and which of them are ordinary."""
    ids = torch.randint(5, VOCAB, (rows, length + 4))
    ids[:, 0], ids[:, -3], ids[:, -2:] = 2, 3, 0
    return ids, ids > 4


@pytest.mark.parametrize(("length", "count"), [(1, 1), (2, 1), (9, 1), (10, 2), (11, 2), (20, 3), (100, 15), (125, 19)])
def test_fifteen_percent_of_every_row_are_chosen_and_one_at_least(length: int, count: int) -> None:
    ids, ordinary = row_of(length, rows=5)
    masked = mask_tokens(ids, ordinary, mask=MASK, vocab=VOCAB, seed=7)
    chosen = masked.targets != IGNORED
    assert chosen.sum(1).tolist() == [count] * 5
    assert not (chosen & ~ordinary).any(), "never [CLS], [SEP], [PAD]"
    assert torch.equal(masked.targets[chosen], ids[chosen])
    assert torch.equal(masked.ids[~chosen], ids[~chosen])


def test_a_row_of_control_tokens_stays_as_it_is() -> None:
    ids = torch.tensor([[2, 3, 0, 0], [2, 9, 3, 0]])
    masked = mask_tokens(ids, ids > 4, mask=MASK, vocab=VOCAB, seed=7)
    assert (masked.targets[0] == IGNORED).all() and masked.targets[1].tolist() == [IGNORED, 9, IGNORED, IGNORED]


def test_eight_of_ten_are_masked_one_is_random_one_stays() -> None:
    ids, ordinary = row_of(1000, rows=400)
    masked = mask_tokens(ids, ordinary, mask=MASK, vocab=VOCAB, seed=1)
    chosen = masked.targets != IGNORED
    seen, true = masked.ids[chosen], ids[chosen]
    kinds = torch.stack([(seen == MASK).sum(), (seen == true).sum(), ((seen != MASK) & (seen != true)).sum()])
    # A random token is the mask, or the true one, once in VOCAB times.
    shares = torch.tensor([0.8 + 0.1 / VOCAB, 0.1 + 0.1 / VOCAB, 0.1 - 0.2 / VOCAB])
    expected = shares * 60_000
    assert int(kinds.sum()) == 60_000
    assert float(((kinds - expected) ** 2 / expected).sum()) < 5.99, "chi-square, two degrees of freedom, 5 %"


def test_random_tokens_and_chosen_places_are_uniform() -> None:
    ids, ordinary = row_of(100, rows=4000)
    masked = mask_tokens(ids, ordinary, mask=MASK, vocab=VOCAB, seed=2)
    chosen = masked.targets != IGNORED
    places = chosen.sum(0)[1:-3].float()
    # 15 of 100 places a row, without putting back: a place's count has the variance 4000 · 0.15 · 0.85.
    assert float(((places - 600) ** 2).sum() / (4000 * 0.15 * 0.85)) < 124.3, "chi-square, 100 degrees, 5 %"
    drawn = masked.ids[chosen & (masked.ids != MASK) & (masked.ids != ids)]
    tens = torch.bincount(drawn // 100, minlength=10).float()
    assert float(((tens - len(drawn) / 10) ** 2 / (len(drawn) / 10)).sum()) < 16.9, "chi-square, 9 degrees, 5 %"


def test_a_pure_function_of_the_seed() -> None:
    ids, ordinary = row_of(50, rows=3)
    one, same, other = (
        mask_tokens(ids, ordinary, mask=MASK, vocab=VOCAB, seed=seed) for seed in (2**64 - 1, 2**64 - 1, 5)
    )
    assert torch.equal(one.ids, same.ids) and torch.equal(one.targets, same.targets)
    assert not torch.equal(one.targets, other.targets)


def test_the_states_to_ask_come_with_their_tokens() -> None:
    states, targets = torch.randn(3, 50, 4), torch.full((3, 50), IGNORED)
    targets[0, 7], targets[2, 49] = 11, 12
    rows, tokens = chosen_states(states, targets)
    assert rows.shape == (ROWS, 4)
    assert tokens.tolist() == [11, 12] + [IGNORED] * (ROWS - 2)
    assert torch.equal(rows[:2], torch.stack([states[0, 7], states[2, 49]]))
    rows, tokens = chosen_states(states[:, :2], targets[:, 48:])
    assert tokens.tolist() == [12] + [IGNORED] * 5


def test_the_masked_loss_by_hand() -> None:
    # Logits 0 + ln 1 and ln 3 + ln 2: probabilities 1/7 and 6/7.
    states, output, bias = torch.ones(3, 1), torch.tensor([[1.0], [3.0]]).log(), torch.tensor([1.0, 2.0]).log()
    loss = masked_loss(states, output, bias, torch.tensor([1, 0, IGNORED]))
    assert loss.item() == pytest.approx((log(7 / 6) + log(7)) / 2, abs=1e-5)


def test_value_and_gradients_are_those_of_cross_entropy() -> None:
    parts = [torch.randn(40, 6), torch.randn(11, 6), torch.randn(11)]
    targets = torch.randint(11, (40,))
    targets[::4] = IGNORED
    for part in parts:
        part.requires_grad_()
    ours = masked_loss(parts[0], parts[1], parts[2], targets)
    theirs = F.cross_entropy(F.linear(*parts), targets)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)
    for mine, other in zip(torch.autograd.grad(ours, parts), torch.autograd.grad(theirs, parts), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-6, rtol=1e-4)


def test_the_next_sentence_loss_by_hand() -> None:
    # The first number is for a text that follows: it has 3/4 in the first row and 1/5 in the second.
    logits = torch.tensor([[3.0, 1.0], [1.0, 4.0]]).log()
    follows = torch.tensor([True, False])
    assert next_sentence_loss(logits, follows).item() == pytest.approx((log(4 / 3) + log(5 / 4)) / 2, abs=1e-6)
    assert next_sentence_loss(logits, ~follows).item() == pytest.approx((log(4) + log(5)) / 2, abs=1e-6)
