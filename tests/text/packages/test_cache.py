import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from gptwright.foundations.errors import InputError
from gptwright.text.file_labels import label
from gptwright.text.file_ranges import ranges
from gptwright.text.find import find, resolve
from gptwright.text.packages.cache import fetch, package_of, record_of
from gptwright.text.packages.package_name import parse_package
from gptwright.text.read import read_file
from gptwright.text.read_options import ReadOptions
from package_archives import deb, tar

Publish = Callable[[str, str, bytes], None]
MIT = '{"license": "MIT"}'


def test_a_package_is_fetched_once_and_known_by_its_place(publish: Publish, tmp_path: Path) -> None:
    data = tar(
        {"package/package.json": MIT, "package/docs/a.md": "# One", "package/b.txt": "Two", "package/c.png": "x"}
    )
    publish("@a/x@1.0.0", "a-x-1.0.0.tgz", data)
    files = resolve(["npm:@a/x@1.0.0"])
    assert [label(file) for file in files] == ["npm:@a/x@1.0.0/package/b.txt", "npm:@a/x@1.0.0/package/docs/a.md"]
    assert package_of(files[0]) == ("npm:@a/x@1.0.0", "package/b.txt")
    record = record_of(files[1])
    assert record == {"package": "npm:@a/x@1.0.0", "archive": "a-x-1.0.0.tgz", "bytes": len(data), "licence": "MIT",
                      "sha256": hashlib.sha256(data).hexdigest(), "links_left_out": 0}  # fmt: skip
    (document,) = read_file(files[0])
    assert (document.text, document.source, document.licence) == ("Two", "npm:@a/x@1.0.0", "MIT")
    assert resolve(["npm:@a/x@1.0.0/**/*.md"]) == files[1:]
    assert (tmp_path / "registry" / "asked").read_text() == "@a/x@1.0.0\n"
    assert package_of(tmp_path / "a.txt") is None and record_of(tmp_path / "a.txt") is None


def test_every_registry_is_asked_in_its_own_way(publish: Publish) -> None:
    publish("x==1", "x-1.tar.gz", tar({"x-1/PKG-INFO": "Name: x\nLicense: GPL-3\n", "x-1/a.txt": "One"}))
    publish("xx=4:1-1", "xx_4%3a1-1_all.deb", deb({"./usr/share/doc/xx/a.html": "<p>Two</p>"}))
    words = ["pypi:x==1", "debian:xx=4:1-1"]
    documents = [document for file in resolve(words) for document in read_file(file)]
    assert [(d.source, d.text, d.licence) for d in documents] == [
        ("pypi:x==1", "One", "GPL-3.0-only"), ("debian:xx=4:1-1", "Two", "unknown")]  # fmt: skip
    skipped: list[tuple[str, str]] = []
    options = ReadOptions(licence="permissive")
    assert not [d for f in resolve(words) for d in read_file(f, lambda *what: skipped.append(what), options)]
    assert skipped == [("pypi:x==1", "licence: GPL-3.0-only"), ("debian:xx=4:1-1", "licence: unknown")]


def test_programs_of_a_package_have_its_licence(publish: Publish) -> None:
    publish("x==1", "x-1.tar.gz", tar({"x-1/PKG-INFO": "Name: x\nLicense: ISC\n", "x-1/x.py": "print(1)\n"}))
    found = find(["code:pypi:x==1"])
    (document,) = read_file(found.files[0], options=ReadOptions(trees=found.trees))
    assert (document.source, document.title, document.licence) == ("pypi:x==1", "x-1/x.py", "ISC")


def test_another_hash_is_refused_before_and_after_it_is_kept(publish: Publish, tmp_path: Path) -> None:
    data = tar({"package/a.txt": "One"})
    publish("x@1.0.0", "x-1.0.0.tgz", data)
    wrong, right = "0" * 64, hashlib.sha256(data).hexdigest()
    with pytest.raises(InputError, match=rf"SHA-256 {wrong}; got {right}"):
        fetch(parse_package(f"npm:x@1.0.0#sha256={wrong}"))
    assert not list((tmp_path / "cache" / "packages" / "npm").iterdir())
    fetch(parse_package(f"npm:x@1.0.0#sha256={right}"))
    with pytest.raises(InputError, match="Look what has changed"):
        fetch(parse_package(f"npm:x@1.0.0#sha256={wrong}"))


@pytest.mark.parametrize("word", ["npm:x@1.0.0", "pypi:x==1", "debian:xx=1"])
def test_what_a_registry_does_not_have_is_told(word: str, publish: Publish) -> None:
    with pytest.raises(
        InputError, match=rf"the package {word}; got none in the registry(.|\n)*Correct name and version"
    ):
        resolve([word])


def test_a_registry_out_of_reach_is_told(publish: Publish, tmp_path: Path) -> None:
    (tmp_path / "registry" / "broken").touch()
    with pytest.raises(InputError, match=r"got E: could not connect(.|\n)*may be out of reach"):
        resolve(["npm:x@1.0.0"])


@pytest.mark.parametrize(("word", "client"), [("npm:x@1.0.0", "npm"), ("debian:xx=1", "apt-get")])
def test_a_client_that_is_not_there_is_told(
    word: str, client: str, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=rf"{client} to fetch {word}; got none on this machine"):
        resolve([word])


def test_a_package_without_text_is_told(publish: Publish) -> None:
    publish("x@1.0.0", "x-1.0.0.tgz", tar({"package/a.png": "x", "package/package.json": MIT}))
    with pytest.raises(
        InputError, match=r"files with text in npm:x@1\.0\.0; got passed over 2 \(a\.png, package\.json\)"
    ):
        resolve(["npm:x@1.0.0"])
    with pytest.raises(InputError, match=r"files docs/\*\.md in npm:x@1\.0\.0; got none; it has package"):
        resolve(["npm:x@1.0.0/docs/*.md"])


def test_nothing_of_a_hostile_package_stays(publish: Publish, tmp_path: Path) -> None:
    publish("x@1.0.0", "x-1.0.0.tgz", tar({"package/a.txt": "One", "../../out.txt": "x"}))
    with pytest.raises(InputError, match="no ordinary package"):
        resolve(["npm:x@1.0.0"])
    assert not list((tmp_path / "cache" / "packages" / "npm").iterdir())


def test_ranges_of_a_large_file_have_the_licence_of_its_package(publish: Publish) -> None:
    rows = "".join(f'{{"text": "text {i}"}}\n' for i in range(40))
    publish("x@1.0.0", "x-1.0.0.tgz", tar({"package/package.json": '{"license": "GPL-3.0"}', "package/a.jsonl": rows}))
    (path,) = resolve(["npm:x@1.0.0"])
    cut = list(ranges(path, 100))
    skipped: list[tuple[str, str]] = []
    documents = [d for each in cut for d in each.read(path, lambda *what: skipped.append(what))]
    assert len(cut) > 3 and documents == list(read_file(path)) and {d.licence for d in documents} == {"GPL-3.0"}
    permissive = ReadOptions(licence="permissive")
    assert not [d for each in cut for d in each.read(path, lambda *what: skipped.append(what), permissive)]
    assert set(skipped) == {("npm:x@1.0.0", "licence: GPL-3.0")}
