import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.foundations.errors import ConfigError
from gptwright.training.batch_shard import WHOLE, BatchShard


@given(st.integers(1, 60), st.integers(1, 5), st.integers(1, 9))
def test_every_row_is_in_one_piece_of_one_process(rows: int, ranks: int, micro_batches: int) -> None:
    if rows < ranks:
        with pytest.raises(ConfigError, match=f"each of the {ranks} processes"):
            BatchShard(0, ranks, micro_batches).slices(rows)
        return
    shares = [list(BatchShard(rank, ranks, micro_batches).slices(rows)) for rank in range(ranks)]
    assert [i for shard in shares for piece in shard for i in range(rows)[piece]] == list(range(rows))
    assert {len(shard) for shard in shares} == {min(micro_batches, rows // ranks)}, "as many pieces in every process"
    sizes = [len(range(rows)[piece]) for shard in shares for piece in shard]
    assert min(sizes) >= 1 and max(sizes) <= -(-rows // (ranks * len(shares[0]))) + 1


def test_the_whole_batch_is_one_piece() -> None:
    assert list(WHOLE.slices(7)) == [slice(0, 7)]
