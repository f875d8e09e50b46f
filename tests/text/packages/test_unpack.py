import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from gptwright.foundations.errors import InputError
from gptwright.text.packages import unpack as module
from gptwright.text.packages.unpack import unpack
from package_archives import deb, tar


def put(folder: Path, name: str, data: bytes) -> tuple[Path, Path]:
    (folder / name).write_bytes(data)
    (folder / "new" / "files").mkdir(parents=True)
    return folder / name, folder / "new" / "files"


def zipped(files: dict[str, str], link: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        if link:
            entry = zipfile.ZipInfo(link)
            entry.external_attr = 0o120777 << 16
            archive.writestr(entry, "/etc/passwd")
    return out.getvalue()


FILES: dict[str, str | bytes] = {"x/a.txt": "one", "./x/deep/b.txt": "two"}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x-1.tgz", tar(FILES)),
        ("x-1.tar.gz", tar(FILES)),
        ("x-1.tar.xz", tar(FILES, "w:xz")),
        ("x_1_all.deb", deb(FILES)),
        ("x-1-py3-none-any.whl", zipped({"x/a.txt": "one", "x/deep/b.txt": "two"})),
    ],
)
def test_archives_of_every_registry_are_unpacked(name: str, data: bytes, tmp_path: Path) -> None:
    archive, folder = put(tmp_path, name, data)
    assert unpack(archive, folder) == 0
    assert {f.relative_to(folder).as_posix(): f.read_text() for f in folder.rglob("*.txt")} == {
        "x/a.txt": "one", "x/deep/b.txt": "two"}  # fmt: skip


@pytest.mark.parametrize("evil", ["../out.txt", "/tmp/out.txt", "a/../../out.txt", "a\\..\\out.txt", "C:/out.txt"])
@pytest.mark.parametrize("kind", [".tgz", ".zip"])
def test_nothing_is_written_outside(evil: str, kind: str, tmp_path: Path) -> None:
    data = tar({evil: "x"}) if kind == ".tgz" else zipped({evil: "x"})
    archive, folder = put(tmp_path, f"x-1{kind}", data)
    with pytest.raises(InputError, match="names of files that stay inside"):
        unpack(archive, folder)
    assert not list(folder.rglob("*")) and not (tmp_path / "out.txt").exists()


def test_links_and_devices_are_left_out(tmp_path: Path) -> None:
    link, hard, device = (tarfile.TarInfo(name) for name in ("link", "hard", "device"))
    link.type, link.linkname = tarfile.SYMTYPE, "/etc"
    hard.type, hard.linkname = tarfile.LNKTYPE, "/etc/passwd"
    device.type = tarfile.CHRTYPE
    archive, folder = put(tmp_path, "x-1.tgz", tar({"a.txt": "x"}, extra=(link, hard, device)))
    assert unpack(archive, folder) == 3
    assert [file.name for file in folder.iterdir()] == ["a.txt"]


def test_links_of_a_wheel_are_left_out(tmp_path: Path) -> None:
    archive, folder = put(tmp_path, "x-1.whl", zipped({"a.txt": "x"}, link="link"))
    assert unpack(archive, folder) == 1
    assert [file.name for file in folder.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("kind", [".tgz", ".whl"])
@pytest.mark.parametrize(("bound", "message"), [("MOST_BYTES", "GiB unpacked"), ("MOST_FILES", "at most 1,000 files")])
def test_bombs_end_at_the_bound(
    kind: str, bound: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, bound, 1_000)
    files = {"a.txt": "0" * 10**6} if bound == "MOST_BYTES" else {f"{n}.txt": "" for n in range(1_001)}
    archive, folder = put(tmp_path, f"x-1{kind}", tar(dict(files)) if kind == ".tgz" else zipped(files))
    with pytest.raises(InputError, match=message):
        unpack(archive, folder)
    assert sum(file.stat().st_size for file in folder.rglob("*")) <= 1_000


def test_a_name_without_end_is_not_held(tmp_path: Path) -> None:
    archive, folder = put(tmp_path, "x-1.tgz", tar({"a" * (2**20 + 1): "x"}))
    with pytest.raises(InputError, match="a head of"):
        unpack(archive, folder)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x-1.tgz", tar(FILES)[:-20]),
        ("x-1.tgz", b"no archive"),
        ("x-1.whl", zipped({"a.txt": "x"})[:-10]),
        ("x_1.deb", deb(FILES)[:-200]),
        ("x_1.deb", b"!<arch>\n"),
        ("x_1.deb", b"no archive"),
        ("x_1.deb", b"!<arch>\n" + b"data.tar.xz".ljust(60)),
    ],
)
def test_damaged_archives_are_told(name: str, data: bytes, tmp_path: Path) -> None:
    archive, folder = put(tmp_path, name, data)
    with pytest.raises(InputError, match=r"a damaged one|data, which begins|a whole"):
        unpack(archive, folder)


def test_other_kinds_are_refused(tmp_path: Path) -> None:
    archive, folder = put(tmp_path, "x-1.rpm", b"")
    with pytest.raises(InputError, match=r"a package in \.whl"):
        unpack(archive, folder)
