import errno
import os
from pathlib import Path

import pytest

from gptwright.foundations.errors import ResourceError
from gptwright.text.disk_file import nameless_file
from gptwright.text.disk_set import DiskSet
from gptwright.text.disk_table import DiskTable

SIZE = 2**20


def test_the_room_of_a_file_is_taken_when_it_is_opened(tmp_path: Path) -> None:
    with nameless_file(tmp_path, SIZE) as file:
        about = os.fstat(file.fileno())
        assert about.st_size == SIZE
        assert about.st_blocks * 512 >= SIZE
        assert file.read() == bytes(SIZE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("table", [DiskSet, DiskTable])
def test_a_full_disk_is_told_before_a_table_is_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: type[DiskSet | DiskTable]
) -> None:
    def full(file: int, begin: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(ResourceError, match="room on the disk"):
        table(tmp_path)
