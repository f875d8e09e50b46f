import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.foundations.errors import ConfigError
from gptwright.training.batch_shard import WHOLE, Share


@given(st.integers(1, 60), st.integers(1, 5), st.integers(1, 9))
def test_every_row_is_in_one_piece_of_one_process(rows: int, ranks: int, pieces: int) -> None:
    if rows < ranks:
        with pytest.raises(ConfigError, match=f"each of the {ranks} processes"):
            Share(0, ranks, pieces).slices(rows)
        return
    shares = [list(Share(rank, ranks, pieces).slices(rows)) for rank in range(ranks)]
    assert [i for share in shares for piece in share for i in range(rows)[piece]] == list(range(rows))
    assert {len(share) for share in shares} == {min(pieces, rows // ranks)}, "as many pieces in every process"
    sizes = [len(range(rows)[piece]) for share in shares for piece in share]
    assert min(sizes) >= 1 and max(sizes) <= -(-rows // (ranks * len(shares[0]))) + 1


def test_the_whole_batch_is_one_piece() -> None:
    assert list(WHOLE.slices(7)) == [slice(0, 7)]
