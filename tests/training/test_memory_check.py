import pytest
from torch import nn

from gptwright.foundations.errors import MemoryShort
from gptwright.training import memory_check
from gptwright.training.memory_check import check_memory

NETWORK = nn.Sequential(nn.Linear(10, 40), nn.ReLU(), nn.Linear(40, 10))
# A token: 16 bytes of ids, (10 + 40 + 40 + 10) numbers of 4 bytes in and out of the layers.
A_ROW = 8 * (16 + 400)


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_check, "free_memory", lambda: 1000 * A_ROW)


def test_what_fits_is_let_through_and_one_row_more_is_not(free: None) -> None:
    check_memory(NETWORK, rows=1000, length=8)
    with pytest.raises(MemoryShort, match="a batch of 1,001 rows × 8 tokens"):
        check_memory(NETWORK, rows=1001, length=8)


def test_pieces_need_less_and_the_remedy_says_how_many(free: None) -> None:
    with pytest.raises(MemoryShort, match="or more pieces: 3") as error:
        check_memory(NETWORK, rows=2500, length=8)
    check_memory(NETWORK, rows=2500, length=8, micro_batches=3)
    with pytest.raises(MemoryShort) as error:
        check_memory(NETWORK, rows=10**6, length=8, micro_batches=10**6)
    assert "micro_batches" not in error.value.remedy  # the ids alone are too many


def test_what_goes_into_a_frozen_layer_is_not_kept(free: None) -> None:
    frozen = nn.Sequential(nn.Linear(10, 40), nn.ReLU(), nn.Linear(40, 10)).requires_grad_(False)
    rows = 1000 * (16 + 400) // (16 + 200)
    check_memory(frozen, rows=rows, length=8)
    with pytest.raises(MemoryShort):
        check_memory(frozen, rows=rows + 1, length=8)
