"""Programs: which files of a folder are sources that people wrote, and what a source is told with.

A file is passed over by its name (what others wrote, what tools lock or build) or dropped by its look, as for Codex:
§3.1 there drops what was generated, and files with lines of over 100 characters in the mean or over 1,000 at most.
"""

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from gptwright.text.documents import Document
from gptwright.text.encoding import decode
from gptwright.text.licences import UNKNOWN, is_permissive, licence_of, nearest_licence
from gptwright.text.read_options import ReadOptions

PREFIX = "code:"
# fmt: off
SUFFIXES = frozenset((
    ".ada", ".asm", ".awk", ".bash", ".c", ".cc", ".clj", ".cpp", ".cs", ".css", ".cu", ".cuh", ".cxx", ".d", ".dart",
    ".el", ".elm", ".erl", ".ex", ".exs", ".f", ".f90", ".fs", ".go", ".groovy", ".h", ".hh", ".hpp", ".hs", ".hxx",
    ".java", ".jl", ".js", ".jsx", ".kt", ".lisp", ".lua", ".m", ".mjs", ".ml", ".mli", ".nim", ".pas", ".php", ".pl",
    ".pm", ".proto", ".ps1", ".py", ".pyi", ".pyx", ".r", ".rb", ".rs", ".s", ".scala", ".scm", ".sh", ".sql",
    ".svelte", ".swift", ".tcl", ".ts", ".tsx", ".v", ".vhd", ".vim", ".vue", ".zig",
))
VENDORED = frozenset((
    "node_modules", "bower_components", "vendor", "vendored", "_vendor", "third_party", "third-party", "thirdparty",
    "3rdparty", "external", "externals", "site-packages", "dist", "build", "target", "__pycache__", "venv", "out",
))
# fmt: on
GENERATED_NAME = re.compile(r"(?:[.-]min\.(?:js|css)|_pb2(?:_grpc)?\.pyi?|\.pb\.(?:go|cc|h)|\.g\.dart|\.bundle\.js)$")
MEAN_LINE, LONGEST_LINE = 100, 1_000
HEAD = 2_000
"""characters in which a file says that it was generated"""
_GENERATED = re.compile(
    r"@generated\b|\bdo not edit\b|\b(?:auto-?|automatically |machine[ -])generated\b"
    r"|\bgenerated (?:by|from|automatically)\b",
    re.IGNORECASE,
)
GENERATED, LONG_LINES = "generated", "lines of a program that nobody writes"


def read_code(data: bytes, path: Path, root: Path, options: ReadOptions, licence: str) -> Document | str:
    """A source file, its title its place in the tree, with the licence that it names, else the one that it is given; or
    why it is not read.

    Raises `InputError` for what is no text.
    """
    text, encoding = decode(data, path, options.encoding)
    if _GENERATED.search(text[:HEAD]):
        return GENERATED
    lines = text.splitlines() or [""]
    if len(text) > MEAN_LINE * len(lines) or max(map(len, lines)) > LONGEST_LINE:
        return LONG_LINES
    named = licence_of(text[:HEAD])
    licence = licence if named == UNKNOWN else named
    if options.licence == "permissive" and not is_permissive(licence):
        return f"licence: {licence}"
    place = path.relative_to(root).as_posix()
    return Document(text, root.resolve().name, place, encoding=encoding, licence=licence)


def licence_files(paths: Iterable[Path], trees: Collection[Path]) -> list[Path]:
    """The files that say under which licence programs among `paths` are."""
    roots = ((path, next((root for root in trees if root in path.parents), None)) for path in paths)
    found = (nearest_licence(path, root)[1] for path, root in roots if root)
    return sorted({file for file in found if file})
