"""Which files a pattern stands for: a file, a folder with all folders in it, a glob, `bundled`, `bundled:NAME`, a
package such as `pypi:NAME==VERSION`, a URL such as `s3://BUCKET/FOLDER`, or `code:FOLDER` for the programs of a folder
or package.

Linked folders are gone into, each once. What is passed over is named: files of other kinds, what is hidden, links to
nothing, and the folders of finished or unfinished stages, whose files are somebody's results and no text.
"""

import errno
import glob
import os
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from gptwright.foundations.errors import InputError
from gptwright.foundations.runs import RECORD
from gptwright.text.bundled import bundled_texts, is_bundled
from gptwright.text.code import GENERATED, GENERATED_NAME, PREFIX, VENDORED
from gptwright.text.code import SUFFIXES as CODE
from gptwright.text.packages.cache import fetch
from gptwright.text.packages.package_name import is_package, parse_package
from gptwright.text.read import NAMED_ALONE, SUFFIXES, suffix_of
from gptwright.text.remote_files import fetch_url, file_name, is_url, list_urls

OTHER_KIND, HIDDEN, NOWHERE, STAGE = "of another kind", "hidden", "linked to nothing", "of a stage"
VENDORED_FOLDER = "of others, or built"
UNREADABLE = "that cannot be read"


@dataclass(frozen=True)
class Found:
    """The files that patterns stand for, what was passed over, by reason, and the folders of programs."""

    files: list[Path]
    passed_over: dict[str, list[Path]]
    trees: tuple[Path, ...] = ()


@dataclass
class _Search:
    """`skip_unreadable` passes over, with the reason, what is not there or what the system does not let look at."""

    skip_unreadable: bool = False
    files: dict[Path, Path] = field(default_factory=dict[Path, Path])
    passed_over: dict[str, dict[Path, None]] = field(default_factory=dict[str, dict[Path, None]])
    folders: set[str] = field(default_factory=set[str])
    trees: list[Path] = field(default_factory=list[Path])

    def pass_over(self, path: Path, reason: str) -> None:
        self.passed_over.setdefault(reason, {})[path] = None

    def take(self, path: Path, named: bool = False) -> None:
        """A file is read when its kind is known, and only once, by whatever name it comes; one of records, which may
        be anything, where it is `named`."""
        with self.passing_over(path):
            mode = _mode(path)
            if not mode:
                self.pass_over(path, NOWHERE)
            elif suffix_of(path) and S_ISREG(mode) and (named or suffix_of(path) not in NAMED_ALONE):
                self.files.setdefault(path.resolve(), path)
            else:
                self.pass_over(path, OTHER_KIND)

    def take_tree(self, root: Path) -> None:
        """The sources of a folder of programs."""
        self.trees.append(root)
        for path in sorted(self.inside(root, VENDORED)):
            with self.passing_over(path):
                mode = _mode(path)
                if path.suffix.lower() not in CODE or not S_ISREG(mode):
                    self.pass_over(path, OTHER_KIND if mode else NOWHERE)
                elif GENERATED_NAME.search(path.name.lower()):
                    self.pass_over(path, GENERATED)
                else:
                    self.files.setdefault(path.resolve(), path)

    def take_all(self, paths: Sequence[Path]) -> None:
        files = list[tuple[Path, bool]]()
        for each in paths:
            with self.passing_over(each):
                is_folder = S_ISDIR(_mode(each))
                files += [(file, not is_folder) for file in (self.inside(each) if is_folder else [each])]
        for path, named in sorted(files):
            self.take(path, named)

    def inside(self, folder: Path, closed: Collection[str] = ()) -> Iterator[Path]:
        """The files of a folder and of all folders in it, linked or not; none is gone into twice, nor one of a `closed`
        name."""

        def refuse(error: OSError) -> None:
            with self.passing_over(Path(error.filename)):
                raise error

        for place, folders, files in os.walk(folder, followlinks=True, onerror=refuse):
            here = Path(place)
            folders[:] = [name for name in sorted(folders) if self._is_to_be_entered(here / name, closed)]
            for name in files:
                if name.startswith("."):
                    self.pass_over(here / name, HIDDEN)
                else:
                    yield here / name

    def _is_to_be_entered(self, folder: Path, closed: Collection[str]) -> bool:
        if folder.name.startswith("."):
            self.pass_over(folder, HIDDEN)
            return False
        if folder.name.lower() in closed:
            self.pass_over(folder, VENDORED_FOLDER)
            return False
        with self.passing_over(folder):
            if _is_stage(folder):
                self.pass_over(folder, STAGE)
                return False
            place = os.path.realpath(folder)
            is_new = place not in self.folders
            self.folders.add(place)
            return is_new
        return False

    @contextmanager
    def passing_over(self, path: Path) -> Generator[None]:
        """Refuses in the house's words what the system refuses inside the block, or passes it over."""
        try:
            yield
        except OSError as error:
            got = error.strerror or str(error)
            if not self.skip_unreadable:
                raise InputError(f"a file or folder that can be read, {short(path)}", got,
                                 "Correct the path or its permissions, or leave it out.") from error  # fmt: skip
            self.pass_over(path, f"{UNREADABLE} ({got})")
        except InputError as error:
            if not self.skip_unreadable:
                raise
            self.pass_over(path, f"{UNREADABLE} ({error.got})")


def _mode(path: Path) -> int:
    """What is at a path, in the system's number; 0 for nothing. Raises `OSError` where nobody may look."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError for what is no path, as with a zero byte
        return 0
    except OSError as error:
        if error.errno == errno.ELOOP:
            return 0
        raise


def _is_stage(folder: Path) -> bool:
    return S_ISREG(_mode(folder / RECORD))


def find(patterns: Sequence[str], *, skip_unreadable: bool = False) -> Found:
    """Files in the order of the patterns, sorted within each, none twice. What is not there or cannot be looked at is
    passed over with `skip_unreadable`.

    Raises `InputError` when there are none, or for what is not there.
    """
    search = _Search(skip_unreadable)
    for pattern in patterns:
        _search(pattern, search)
    passed_over = {reason: sorted(paths) for reason, paths in search.passed_over.items()}
    if not search.files:
        names = "; ".join(f"passed over {summary(paths)} {reason}" for reason, paths in passed_over.items())
        raise InputError(
            f"files with text in {', '.join(map(short, patterns)) or 'nothing'}", names or "none", f"Known: {SUFFIXES}."
        )
    return Found(list(search.files.values()), passed_over, tuple(search.trees))


def resolve(patterns: Sequence[str], *, skip_unreadable: bool = False) -> list[Path]:
    """The files that patterns stand for; see `find`."""
    return find(patterns, skip_unreadable=skip_unreadable).files


def short(name: Path | str, most: int = 120) -> str:
    """A name for a message; of a very long one both ends."""
    text = f"{name}".encode("utf-8", "replace").decode().replace("\0", "\\0")
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-most // 2 :]}"


def summary(paths: Sequence[Path], most: int = 4) -> str:
    """Names for one line: "3 (a.png, b.docx and c.zip)", the last of many as a number."""
    names = [short(path.name) for path in paths[:most]]
    more = len(paths) - len(names)
    return f"{len(paths):,} ({', '.join(names)}{f' and {more:,} more' if more else ''})"


def _search(pattern: str, search: _Search) -> None:
    if not pattern.strip():
        raise InputError("a file, folder or pattern", "an empty word", "Say what is to be read, '.' for this folder.")
    if is_bundled(pattern):
        for text in bundled_texts(pattern):
            search.take(text)
        return
    if pattern.startswith(PREFIX):
        _search_tree(pattern.removeprefix(PREFIX), search)
        return
    if is_package(pattern):
        _search_package(pattern, search)
        return
    path = Path(file_name(pattern)) if is_url(pattern) else _at_home(pattern)
    with search.passing_over(path):
        if is_url(pattern):
            _search_urls(pattern, search)
        else:
            _search_paths(pattern, path, search)


def _search_urls(pattern: str, search: _Search) -> None:
    urls, named = list_urls(pattern)
    stages = {url.removesuffix(RECORD) for url in urls if url.endswith(f"/{RECORD}")}
    for url in urls:
        path = Path(file_name(url))
        if not named and any(part.startswith(".") for part in url.removeprefix(pattern).split("/")):
            search.pass_over(path, HIDDEN)
        elif any(url.startswith(stage) for stage in stages):
            search.pass_over(path, STAGE)
        elif suffix_of(path) and (named or suffix_of(path) not in NAMED_ALONE):
            with search.passing_over(path):
                search.take(fetch_url(url), named)
        else:
            search.pass_over(path, OTHER_KIND)


def _search_package(pattern: str, search: _Search) -> None:
    package = parse_package(pattern)
    folder = fetch(package)
    if not package.inside:
        search.take_all([folder])
        return
    inside = [folder / hit for hit in glob.glob(package.inside, root_dir=folder, recursive=True)]
    if not inside:
        tops = ", ".join(sorted(each.name for each in folder.iterdir()))
        raise InputError(f"files {package.inside} in {package.word}", f"none; it has {tops or 'no files'}",
                         f"Look into {folder} and correct what stands behind the version.")  # fmt: skip
    search.take_all(inside)


def _search_paths(pattern: str, path: Path, search: _Search) -> None:
    mode = _mode(path)
    if S_ISREG(mode) and not suffix_of(path):
        raise InputError(f"a text file of a known kind, not {path}", f"'{path.suffix}'", f"Known: {SUFFIXES}.")
    if S_ISDIR(mode) and _is_stage(path):
        raise InputError(f"a file or folder with text at {path}", "the folder of a stage",
                         f"Give its files by name, such as {path / 'train.jsonl'}.")  # fmt: skip
    if mode:
        search.folders.add(os.path.realpath(path))
        search.take_all([path])
        return
    hits = [Path(hit) for hit in glob.glob(str(path), recursive=True)]
    if not hits:
        raise InputError(f"a file, folder or pattern at {short(pattern)}", "nothing there", "Correct the path.")
    root = _root(path)
    search.take_all([hit for hit in hits if not _is_of_a_stage(hit, root, search)])


def _search_tree(name: str, search: _Search) -> None:
    root = _at_home(name)
    if is_package(name):
        package = parse_package(name)
        root = fetch(package) / package.inside
    with search.passing_over(root):
        if not S_ISDIR(_mode(root)):
            raise InputError(f"a folder of programs at {short(root)}", "none there", "Correct the path behind 'code:'.")
        search.folders.add(os.path.realpath(root))
        search.take_tree(root)


def _at_home(name: str) -> Path:
    """A path, ~ in it put for the folder of a person."""
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise InputError(f"a person of this machine behind ~ in {name}", "a name that it does not know",
                         "Correct the path, or write ./ before it.") from error  # fmt: skip


def _root(pattern: Path) -> Path:
    """The folder that a glob begins in."""
    while glob.has_magic(str(pattern)):
        pattern = pattern.parent
    return pattern


def _is_of_a_stage(path: Path, root: Path, search: _Search) -> bool:
    for folder in (path, *path.parents):
        if folder == root:
            return False
        if _is_stage(folder):
            search.pass_over(folder, STAGE)
            return True
    return False
