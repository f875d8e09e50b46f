"""Files of a file system in memory, and of a web server of our own."""

import functools
import gzip
import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

from gptwright.foundations.errors import ConfigError, InputError
from gptwright.text import remote_files
from gptwright.text.file_labels import label, origin, source_name
from gptwright.text.file_ranges import ranges
from gptwright.text.find import find, resolve
from gptwright.text.read import read_file
from gptwright.text.remote_files import fetch_url, is_url, url_of

ROWS = b"".join(json.dumps({"text": f"text {i}"}).encode() + b"\n" for i in range(40))
FILES = {
    "/a/one.txt": b"One",
    "/a/deep/two.jsonl": ROWS,
    "/a/deep/three.md.gz": gzip.compress(b"# Three"),
    "/a/x.json": b'[{"text": "json"}]',
    "/a/photo.png": b"x",
    "/a/.hidden/no.txt": b"no",
    "/a/run/stage.json": b"{}",
    "/a/run/train.jsonl": ROWS,
}
Asked = list[tuple[str, str]]
LENGTH = {"Content-Length": str(len(ROWS))}
FAULTS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/closed.txt": (403, {}, b""),
    "/broken.txt": (500, {}, b""),
    "/loop.txt": (302, {"Location": "/loop.txt"}, b""),
    "/nowhere.txt": (302, {}, b""),
    "/empty.txt": (204, {}, b""),
    "/disk.txt": (302, {"Location": "file:///etc/passwd"}, b""),
    "/short.jsonl": (200, LENGTH, ROWS[:-10]),
    "/chunks.jsonl": (200, {"Transfer-Encoding": "chunked"}, b"5\r\nabcde\r\n9\r\nab"),
    "/packed.jsonl": (200, LENGTH | {"Content-Encoding": "gzip"}, ROWS),
    "/length.jsonl": (200, {"Content-Length": "-5"}, ROWS),
}
SILENT = {"/hangs.txt": True, "/stalls.txt": False}
"""whether already when it is asked for the head of the file"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GPTWRIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "remote"


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    files = fsspec.filesystem("memory")
    for place, data in FILES.items():
        files.pipe(place, data)
    yield files
    files.rm("/a", recursive=True)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path, Asked]]:
    """The address of a server, the folder that it shows, and what it was asked for."""
    root, asked, ended = tmp_path / "web", Asked(), threading.Event()
    root.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            asked.append((self.command, self.path))

        def do_HEAD(self) -> None:
            self._answer(super().do_HEAD)

        def do_GET(self) -> None:
            self._answer(super().do_GET)

        def _answer(self, usual: Callable[[], None]) -> None:
            place = self.path.partition("?")[0]
            if place in SILENT and (SILENT[place] or self.command == "GET"):
                ended.wait()
            elif place in FAULTS:
                status, heads, body = FAULTS[place]
                self.send_response(status)
                for name, value in heads.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body if self.command == "GET" else b"")
            else:
                usual()

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", root, asked
        ended.set()
        server.shutdown()
        thread.join()


def texts(*patterns: str) -> list[str]:
    return [document.text for path in resolve(patterns) for document in read_file(path)]


def test_which_words_are_urls() -> None:
    assert all(map(is_url, ("s3://a/b", "https://a", "hf://datasets/a/b", "memory://a")))
    assert not any(map(is_url, ("a.txt", "pypi:a==1", "code:a", "bundled:novels", "/a://b", "C:\\a", "")))


def test_a_folder_is_read_as_one_that_is_here(memory: fsspec.AbstractFileSystem) -> None:
    found = find(["memory://a"])
    assert [label(path) for path in found.files] == [
        "memory:///a/deep/three.md.gz", "memory:///a/deep/two.jsonl", "memory:///a/one.txt"]  # fmt: skip
    assert [source_name(path) for path in found.files] == ["three.md.gz", "two.jsonl", "one.txt"]
    assert {reason: [path.name for path in paths] for reason, paths in found.passed_over.items()} == {
        "hidden": ["no.txt"], "of a stage": ["stage.json", "train.jsonl"], "of another kind": ["photo.png", "x.json"]
    }  # fmt: skip
    assert texts("memory://a") == ["# Three", *(f"text {i}" for i in range(40)), "One"]


def test_files_and_patterns_are_read_in_their_order_and_none_twice(memory: fsspec.AbstractFileSystem) -> None:
    assert texts("memory://a/one.txt", "memory://a/x.json", "memory://a/*.txt") == ["One", "json"]
    assert texts("memory://a/**/*.gz", "memory://a/?.json") == ["# Three", "json"]


def test_a_file_is_fetched_once_and_again_when_it_has_changed(
    memory: fsspec.AbstractFileSystem, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = fetch_url("memory://a/one.txt")
    assert fetch_url("memory://a/one.txt") == first and capsys.readouterr().err.count("fetching") == 1
    memory.pipe("/a/one.txt", b"New")
    second = fetch_url("memory://a/one.txt")
    assert (first.read_bytes(), second.read_bytes()) == (b"One", b"New")
    assert url_of(first) == url_of(second) == origin(second) == "memory://a/one.txt"
    assert url_of(cache / "x") is None and url_of(first.parent) is None
    assert not list(cache.glob(".fetching-*"))


def test_large_files_of_lines_are_cut(memory: fsspec.AbstractFileSystem) -> None:
    (path,) = resolve(["memory://a/deep/two.jsonl"])
    cut = list(ranges(path, 100))
    assert len(cut) > 3
    assert [d for each in cut for d in each.read(path, lambda *_: None)] == list(read_file(path))


def test_one_that_comes_short_is_not_kept(
    memory: fsspec.AbstractFileSystem, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut: object = lambda files, place, to: Path(to).write_bytes(b"O")  # noqa: E731
    monkeypatch.setattr(type(memory), "get_file", cut)
    with pytest.raises(InputError, match=r"3 bytes from memory://a/one\.txt; got 1(.|\n)*Try again"):
        fetch_url("memory://a/one.txt")
    assert not list(cache.iterdir())


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("memory://a/gone.txt", r"a file, folder or pattern at memory://a/gone\.txt; got nothing there"),
        ("https://[a/b.txt", r"a URL of https://; got none \(Invalid IPv6 URL\)"),
        ("memory://a/*.epub", r"files that memory://a/\*\.epub matches; got none"),
        ("memory://a/photo.png", r"passed over 1 \(photo\.png\) of another kind(.|\n)*Known: \.txt"),
        ("nosuch://a/b.txt", r"a URL that fsspec knows, not nosuch://a/b\.txt; got Protocol not known"),
    ],
)
def test_what_is_not_there_is_refused(memory: fsspec.AbstractFileSystem, pattern: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        resolve([pattern])


@pytest.mark.parametrize(("url", "missing"), [("memory://a/one.txt", "fsspec"), ("https://a/b.txt", "aiohttp")])
def test_a_package_that_is_missing_is_told(url: str, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigError, match=r"what reads \w+://; got none that works here(.|\n)*gptwright\[remote\]"):
        resolve([url])


def test_one_of_a_kind_that_needs_more_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ConfigError, match=r"what reads s3://(.|\n)*s3fs"):
        resolve(["s3://bucket/a.txt"])


def test_web_servers_are_asked_and_what_is_there_is_not_fetched_again(web: tuple[str, Path, Asked]) -> None:
    address, root, asked = web
    (root / "a.txt").write_text("One")
    (root / "b.jsonl").write_bytes(ROWS)
    assert texts(f"{address}/a.txt", f"{address}/b.jsonl") == ["One", *(f"text {i}" for i in range(40))]
    assert texts(f"{address}/a.txt") == ["One"]
    assert [path for verb, path in asked if verb == "GET"] == ["/a.txt", "/b.jsonl"]
    (root / "a.txt").write_text("Longer")
    assert texts(f"{address}/a.txt") == ["Longer"]


def test_a_pattern_is_looked_for_in_the_list_that_a_web_server_gives(web: tuple[str, Path, Asked]) -> None:
    address, root, _ = web
    for name in ("a.txt", "b.txt", "c.md"):
        (root / name).write_text(name)
    assert texts(f"{address}/*.txt") == ["a.txt", "b.txt"]


def test_neither_password_nor_query_is_written_down(web: tuple[str, Path, Asked], cache: Path) -> None:
    address, root, _ = web
    (root / "a.txt").write_text("One")
    urls = [f"{address}/a.txt?key=secret{i}" for i in range(2)]
    first, second = map(fetch_url, urls)
    assert first != second and label(first) != label(second)
    assert label(first).startswith(f"{address}/a.txt#") and first.name == "a.txt"
    assert not any(b"secret" in path.read_bytes() for path in cache.rglob("*") if path.is_file())
    for name in ("gone.txt", "closed.txt"):
        with pytest.raises(InputError) as caught:
            fetch_url(f"{address.replace('//', '//me:secret@')}/{name}?key=secret")
        assert "secret" not in str(caught.value)


def test_a_file_that_is_not_there_one_that_is_closed_and_nobody(web: tuple[str, Path, Asked]) -> None:
    address, _, _ = web
    with pytest.raises(InputError, match="nothing there"):
        resolve([f"{address}/gone.txt"])
    with pytest.raises(InputError, match=r"an answer from where(.|\n)*Cannot connect(.|\n)*can be reached from here"):
        resolve(["http://127.0.0.1:9/a.txt"])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("closed.txt", r"Forbidden \(403\)"),
        ("broken.txt", r"Internal Server Error \(500\)"),
        ("loop.txt", "redirects that lead nowhere"),
        ("nowhere.txt", r"an answer without the file \(302 Found\)"),
        ("empty.txt", r"an answer without the file \(204 No Content\)"),
        ("disk.txt", r"a redirect to what is no address of the web \(file:///etc/passwd\)"),
        ("short.jsonl", f"not completed: Not enough data .*received {len(ROWS) - 10} of {len(ROWS)} bytes"),
        ("chunks.jsonl", "not completed: Not enough data"),
        ("packed.jsonl", "Can not decode content-encoding: gzip"),
        ("length.jsonl", r"Invalid character in Content-Length.* \(400\)"),
        ("hangs.txt", "silence for 1 seconds"),
        ("stalls.txt", "silence for 1 seconds"),
    ],
)
def test_what_a_web_server_does_wrong_is_said_and_nothing_is_kept_of_it(
    web: tuple[str, Path, Asked], cache: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str
) -> None:
    address, root, _ = web
    (root / "a.txt").write_text("One")
    (root / "stalls.txt").write_text("Two")
    monkeypatch.setattr(remote_files, "SILENCE", 0.6)
    urls = [f"{address}/{each}?key=secret" for each in ("a.txt", name)]
    with pytest.raises(InputError, match=rf"an answer from where .*{name}#\w* is; got [^\n]*{says}") as caught:
        resolve(urls)
    assert "secret" not in str(caught.value)
    found = find(urls, skip_unreadable=True)
    assert [path.name for path in found.files] == ["a.txt"]
    assert list(found.passed_over.values()) == [[Path(name)]] and len(list(cache.iterdir())) == 1


def test_long_and_empty_names_fit() -> None:
    assert remote_files.file_name("s3://a/") == "index"
    assert remote_files.file_name("s3://a/%2e%2e") == "index"
    assert remote_files.file_name("s3://a/b%2Fc.txt?x=1") == "b_c.txt"
    name = remote_files.file_name(f"https://a/{'é' * 300}.jsonl.gz")
    assert name.endswith("é.jsonl.gz") and len(name.encode()) <= 200
