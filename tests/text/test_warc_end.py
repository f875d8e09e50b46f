"""Where an archive ends is told of itself alone; what its reader saw of it stands in test_warc.py."""

import gzip
import io

import pytest

from gptwright.text.warc_end import HEAD, ends_in_a_head

RECORD = b"WARC/1.0\r\nContent-Length: 5\r\n\r\nhello\r\n\r\n"


@pytest.mark.parametrize("packed", [True, False])
def test_it_ends_in_a_head(packed: bool) -> None:
    one = gzip.compress(RECORD) if packed else RECORD
    for end in range(5, len(one) - 10 if packed else len(b"WARC/1.0\r\nContent-Length: 5")):
        assert ends_in_a_head(io.BytesIO(one + one[:end]), 0, packed=packed)
        assert ends_in_a_head(io.BytesIO(one[:end]), -1, packed=packed)
        assert not ends_in_a_head(io.BytesIO(one + one[:end]), len(one), packed=packed)  # its reader saw that one
    for whole in (b"", one, one + one):
        for last in (-1, 0, len(one)):
            assert not ends_in_a_head(io.BytesIO(whole), last, packed=packed)


def test_what_is_larger_than_one_reading_and_what_is_no_archive() -> None:
    large = gzip.compress(RECORD + bytes(range(256)) * HEAD, 0)
    assert ends_in_a_head(io.BytesIO(large * 2 + large[:-40]), len(large), packed=True)
    assert not ends_in_a_head(io.BytesIO(large * 3), len(large), packed=True)
    assert not ends_in_a_head(io.BytesIO(large + b"nothing of the kind"), 0, packed=True)
    assert not ends_in_a_head(io.BytesIO(b"WARC/ stands here\r\n\r\nand no more"), -1, packed=False)
