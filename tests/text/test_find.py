import errno
import os
from pathlib import Path
from typing import Any

import pytest

from gptwright.foundations.errors import InputError
from gptwright.text.find import find, resolve, summary


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def names(root: Path, *patterns: Path | str) -> list[str]:
    return [path.relative_to(root).as_posix() for path in resolve([str(p) for p in patterns])]


def test_patterns_keep_their_order_and_no_file_comes_twice(tmp_path: Path) -> None:
    make(tmp_path, "b.txt", "a.txt", "sub/c.TXT", "sub/picture.png", ".hidden/d.txt", ".e.txt")
    last = tmp_path / "sub" / "c.TXT"
    assert names(tmp_path, tmp_path) == ["a.txt", "b.txt", "sub/c.TXT"]
    assert names(tmp_path, last, tmp_path, f"{tmp_path}/*.txt") == ["sub/c.TXT", "a.txt", "b.txt"]
    assert names(tmp_path, f"{tmp_path}/**/*.TXT") == ["sub/c.TXT"]
    assert find([str(tmp_path)]).passed_over == {
        "of another kind": [tmp_path / "sub" / "picture.png"],
        "hidden": [tmp_path / ".e.txt", tmp_path / ".hidden"],
    }


def test_linked_folders_are_gone_into_once(tmp_path: Path) -> None:
    make(tmp_path, "far/b.txt", "far/deep/c.txt", "data/a.txt")
    data = tmp_path / "data"
    (data / "link").symlink_to(tmp_path / "far")
    (data / "again").symlink_to(tmp_path / "far")
    (data / "loop").symlink_to(data)
    (tmp_path / "far" / "back").symlink_to(data)
    (data / "file.txt").symlink_to(tmp_path / "far" / "b.txt")
    (data / "dead.txt").symlink_to(tmp_path / "nowhere")
    found = find([str(data)])
    assert sorted(path.read_text() for path in found.files) == ["data/a.txt", "far/b.txt", "far/deep/c.txt"]
    assert found.passed_over == {"linked to nothing": [data / "dead.txt"]}


def test_a_linked_folder_may_be_given_itself(tmp_path: Path) -> None:
    make(tmp_path, "far/b.txt")
    (tmp_path / "link").symlink_to(tmp_path / "far")
    assert names(tmp_path, tmp_path / "link") == ["link/b.txt"]


def test_the_folders_of_stages_are_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "a.jsonl", "out/stage.json", "out/train.jsonl", "runs/x/stage.json", "runs/x/deep/a.txt")
    for pattern in (str(tmp_path), f"{tmp_path}/**/*", f"{tmp_path}/*"):
        found = find([pattern])
        assert found.files == [tmp_path / "a.jsonl"]
        assert found.passed_over["of a stage"] == [tmp_path / "out", tmp_path / "runs" / "x"]
    with pytest.raises(InputError, match=r"the folder of a stage(.|\n)*train\.jsonl"):
        find([str(tmp_path / "out")])
    assert names(tmp_path, tmp_path / "out" / "train.jsonl") == ["out/train.jsonl"]
    assert names(tmp_path, f"{tmp_path}/out/*.jsonl") == ["out/train.jsonl"]


@pytest.mark.parametrize("pattern", ["", " ", "\t"])
def test_an_empty_word_is_not_the_current_folder(pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make(tmp_path, "private.txt"))
    with pytest.raises(InputError, match="an empty word"):
        find(["a", pattern][1:])
    assert names(Path("."), ".") == ["private.txt"]


@pytest.mark.parametrize("pattern", ["~nobody-of-this-name/a.txt", "code:~nobody-of-this-name/a"])
def test_the_folder_of_a_person_that_is_not_known(pattern: str) -> None:
    with pytest.raises(InputError, match="a person of this machine behind ~ in ~nobody-of-this-name"):
        resolve([pattern])


LONG_NAME, LONG_PATH = "x" * 300 + ".txt", "/".join(["d" * 100] * 60) + "/a.txt"


@pytest.mark.parametrize("before", ["", "code:"])
@pytest.mark.parametrize(
    ("pattern", "says"),
    [(LONG_NAME, "too long"), (LONG_PATH, "too long"), ("a.txt/b.txt", "there"), ("a\0b.txt", "there"), ("c", "there")],
)
def test_a_path_that_cannot_be_is_refused_or_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, pattern: str, says: str
) -> None:
    monkeypatch.chdir(make(tmp_path, "a.txt"))
    with pytest.raises(InputError, match=says) as error:
        find(["a.txt", before + pattern])
    assert len(str(error.value)) < 400
    found = find(["a.txt", before + pattern], skip_unreadable=True)
    assert found.files == [Path("a.txt")]
    ((reason, paths),) = found.passed_over.items()
    assert reason.startswith("that cannot be read (") and says in reason and paths == [Path(pattern)]


@pytest.mark.parametrize("before", ["", "code:"])
def test_what_lies_so_deep_that_its_path_is_too_long(tmp_path: Path, before: str) -> None:
    place = os.open(tmp_path, os.O_RDONLY)
    for _ in range(25):
        for name in ("a.txt", "a.py"):
            os.close(os.open(name, os.O_CREAT, dir_fd=place))
        os.mkdir("d" * 200, dir_fd=place)
        above, place = place, os.open("d" * 200, os.O_RDONLY, dir_fd=place)
        os.close(above)
    os.close(place)
    with pytest.raises(InputError, match=r"a file or folder that can be read, (.|\n)*got File name too long"):
        find([f"{before}{tmp_path}"])
    found = find([f"{before}{tmp_path}"], skip_unreadable=True)
    assert 0 < len(found.files) < 25
    assert len(found.passed_over["that cannot be read (File name too long)"]) == 1


def test_a_folder_or_file_that_may_not_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.txt", "closed/b.txt", "half/c.txt")
    closed, half, stat, scan = tmp_path / "closed", tmp_path / "half" / "c.txt", Path.stat, os.scandir

    def refused(path: Path, **options: bool) -> os.stat_result:
        if path == half:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, **options)

    def closed_to(path: Path | str) -> Any:
        if Path(path) == closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(Path, "stat", refused)  # root may look at all
    monkeypatch.setattr(os, "scandir", closed_to)
    with pytest.raises(InputError, match=r"that can be read, .*; got Permission denied"):
        find([str(tmp_path)])
    found = find([str(tmp_path)], skip_unreadable=True)
    assert found.files == [tmp_path / "a.txt"]
    assert found.passed_over == {"that cannot be read (Permission denied)": [closed, half]}


def test_nothing_to_read_says_what_was_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "a.png", "b.docx")
    with pytest.raises(InputError, match=r"passed over 2 \(a\.png, b\.docx\) of another kind(.|\n)*Known: \.txt"):
        find([str(tmp_path)])


def test_a_long_list_is_told_short() -> None:
    paths = [Path(f"{letter}.png") for letter in "abcdefg"]
    assert summary(paths) == "7 (a.png, b.png, c.png, d.png and 3 more)"
    assert summary(paths[:2]) == "2 (a.png, b.png)"
