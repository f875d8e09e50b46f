"""Puts together what MkDocs makes the site of: the pages of docs/, and a page for each thing they link to beside it.

python docs/assemble.py build/pages

A page stays where it is, and its links lead to files, as a reader of the repository needs them. In the site a module
leads to its place in the API reference, a file to a page that shows it, and a folder to a page that lists it. Headings
have their English anchors in both languages, for an English page that has no Chinese edition leads to Chinese ones.
A link to what is not there stays as it is, and the strict build refuses it.
"""

import posixpath
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from anchors import HEADING, LINK, anchors, prose  # the files beside this one
from architecture import ROOT, SOURCE, floors, purpose
from chinese import edition, original

DOCS = ROOT / "docs"
STARTS = ("README.md", "README.zh.md", "CONTRIBUTING.md", "CHANGELOG.md", "LOG.md", "data/SOURCES.md")
LANGUAGES = {".py": "python", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml", ".ts": "ts", ".svelte": "html"}
UNFOUND = "---\nsearch:\n  exclude: true\n---\n\n"


def place(path: str) -> str:
    """Where in the site something of the repository is seen: a page, and for a module its anchor there."""
    whole = ROOT / path
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if path in ("README.md", "README.zh.md"):
        return path.replace("README", "index")
    if SOURCE in whole.parents and (is_module(whole) or is_module(whole / "__init__.py")):
        parts = whole.relative_to(SOURCE).with_suffix("").parts
        module = ".".join(("gptwright", *(part for part in parts if part != "__init__")))
        return f"reference/{parts[0]}.md" + (f"#{module}" if module.count(".") > 1 else "")
    # A dot would hide a folder from MkDocs, and ".py" be read as a language.
    name = path.removesuffix(".md").replace("/.", "/").removeprefix(".").replace(".", "-")
    return f"repository/{name}.md"


def is_module(file: Path) -> bool:
    """Whether it can be imported by its name: migrations are run by their path."""
    folders = (file.parents[i] for i in range(len(file.relative_to(SOURCE).parts)))
    return file.suffix == ".py" and file.is_file() and all((folder / "__init__.py").is_file() for folder in folders)


def in_site(path: str, text: str) -> tuple[str, set[str]]:
    """A page of the repository with its links as the site has them, and the paths that it leads to."""
    leads: set[str] = set()
    here = posixpath.dirname(place(path))

    def link(found: re.Match[str]) -> str:
        target, anchor = found[1], found[2] or ""
        to = posixpath.normpath(posixpath.join(posixpath.dirname(path), target)) if target else path
        if ":" in target or not (ROOT / to).exists():
            return found[0]
        leads.add(to)
        anchor = anchor and f"#{english_anchors(to).get(anchor[1:], anchor[1:])}"
        page, _, module = place(to.replace(".zh.md", ".md")).partition("#")
        return f"]({posixpath.relpath(page, here or '.') if target else ''}{anchor or (module and '#' + module)})"

    other = original(ROOT / path) if path.endswith(".zh.md") else edition(ROOT / path)
    text = re.sub(rf"(?m)^\[\S+\]\({re.escape(other.name)}\)\n+", "", text)  # the site has a switch
    named = iter(english_anchors(path).values())

    def heading(found: re.Match[str]) -> str:
        anchor = next(named, "")
        return f"{found[0]} {{#{anchor}}}" if anchor else found[0]

    parts = (part if code else HEADING.sub(heading, LINK.sub(link, part)) for code, part in prose(text))
    return "".join(parts), leads


def english_anchors(path: str) -> dict[str, str]:
    """Of a Chinese page: from each anchor to that of the same heading in English, in order."""
    page = ROOT / path
    if not path.endswith(".zh.md") or not page.is_file():
        return {}
    return dict(zip(anchors(page), anchors(original(page)), strict=True))


def shown(path: str) -> str:
    """A page for a file or a folder that is no page itself."""
    whole = ROOT / path
    if whole.is_dir():
        files = sorted(file.relative_to(whole).as_posix() for file in whole.rglob("*") if file.is_file())
        return "\n".join([f"{UNFOUND}# {path}", "", *(f"- `{file}`" for file in files if "__pycache__" not in file)])
    text = whole.read_text(encoding="utf-8")
    return f"{UNFOUND}# {path}\n\n``````{LANGUAGES.get(whole.suffix, 'text')}\n{text}\n``````\n"


def reference() -> Iterator[tuple[str, str]]:
    """A page of the API for each room, and one for what `import gptwright` brings."""
    yield "reference/gptwright.md", "# gptwright\n\n::: gptwright\n    options:\n      show_root_heading: false\n"
    for room in (room for floor in floors() for room in floor):
        folder = SOURCE / room
        files = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
        modules = (file.relative_to(SOURCE.parent).with_suffix("").parts for file in files if is_module(file))
        names = [".".join(part for part in parts if part != "__init__") for parts in modules]
        parts = [f"# {room}", purpose(room), *(f"::: {name}" for name in names if name != f"gptwright.{room}")]
        yield f"reference/{room}.md", "\n\n".join(parts if folder.is_dir() else [f"# {room}", f"::: gptwright.{room}"])


def site() -> dict[str, str | Path]:
    """Everything MkDocs reads, by its place: texts, and files that are copied."""
    found: dict[str, str | Path] = dict(reference())
    files = (path for path in sorted(DOCS.rglob("*")) if path.is_file() and path.suffix not in (".py", ".pyc"))
    waiting = [*STARTS, *(path.relative_to(ROOT).as_posix() for path in files)]
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        if path.endswith(".md"):
            found[place(path)], leads = in_site(path, (ROOT / path).read_text(encoding="utf-8"))
            waiting += sorted(leads)
        elif path.startswith("docs/"):
            found[place(path)] = ROOT / path
        elif not place(path).startswith("reference/"):
            found[place(path)] = shown(path)
    return found


def main() -> None:
    to = Path(sys.argv[1])
    shutil.rmtree(to, ignore_errors=True)
    for name, content in site().items():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            (to / name).write_text(content, encoding="utf-8")
        else:
            shutil.copy(content, to / name)


if __name__ == "__main__":
    main()
