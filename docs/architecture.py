"""Writes docs/architecture.md and the floors in CONTRIBUTING.md from what the files import, and checks what pages name.

`docs/build.py` calls it: nothing here is typed by hand but what a room is for, which its `__init__.py` says.
"""

import ast
import re
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path

from anchors import LINK, anchors, prose  # the file beside this one

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "gptwright"
NAME = re.compile(r"`([A-Za-z_]\w*)(?:\.([A-Za-z_]\w*))?(?:\([^`]*\))?`")
HEAD = """# Architecture

Made by `make docs` from the imports; `make check` compares. Rooms are the folders of `src/gptwright`. Imports only go
down: a room sees the floors below its own, never its neighbours nor what stands above. Which verb is carried out is
decided at run time: `cli` finds it in the table `configs/verbs.py` and imports `stages/VERB.py` then.
"""
DRAWING = """## Who builds on whom

An arrow is left out where a longer way says the same.
"""
MORE = """## Where to go on

- [A walk through the files](walkthrough.md): one prompt, one document, one ranking and one option, from end to end.
- [Names](names.md): what the words of the code mean, and what other projects call it.
- [Why](why.md): what was decided, and what it rests on.
- [Contributing](../CONTRIBUTING.md): the house rules, and how a stage, a family or a source is added.
"""


@cache
def floors() -> tuple[tuple[str, ...], ...]:
    """The rooms from the top floor down, as import-linter's contract has them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    layers = [re.split(r"\s*[|:]\s*", layer) for layer in contract["layers"]]
    return tuple(tuple(room.removeprefix("gptwright.") for room in layer) for layer in layers)


def files(room: str) -> list[Path]:
    folder = SOURCE / room
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def imports(path: Path) -> set[str]:
    """The rooms that a file imports from, those for types alone left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    left_out = {id(inner) for node in typing for inner in ast.walk(node)}
    found = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module and id(n) not in left_out]
    return {node.module.split(".")[1] for node in found if node.module and node.module.startswith("gptwright.")}


@cache
def arrows() -> dict[str, set[str]]:
    """From each room to those that it imports."""
    rooms = [room for floor in floors() for room in floor]
    return {room: {other for path in files(room) for other in imports(path)} - {room} for room in rooms}


@cache
def below(room: str) -> frozenset[str]:
    """All rooms that it stands on, however far down."""
    return frozenset(arrows()[room]).union(*(below(other) for other in arrows()[room]))


def shown_arrows() -> list[tuple[str, str]]:
    """Those that no longer way implies."""
    return [
        (room, other)
        for room, others in arrows().items()
        for other in sorted(others)
        if not any(other in below(between) for between in others - {other})
    ]


def purpose(room: str) -> str:
    path = SOURCE / room / "__init__.py"
    text = path if path.is_file() else (SOURCE / room).with_suffix(".py")
    return (ast.get_docstring(ast.parse(text.read_text(encoding="utf-8"))) or "").split("\n\n")[0].replace("\n", " ")


def architecture() -> str:
    """The whole page."""
    lines = [HEAD, "## Floors", "", "| floor | room | what it is for |", "|---|---|---|"]
    for number, floor in zip(range(len(floors()), 0, -1), floors(), strict=True):
        for room in floor:
            place = f"[{room}](../src/gptwright/{room if (SOURCE / room).is_dir() else room + '.py'})"
            lines.append(f"| {number} | {place} | {purpose(room)} |")
    lines += ["", DRAWING, "```mermaid", "flowchart TD"]
    for number, floor in zip(range(len(floors()), 0, -1), floors(), strict=True):
        lines += [f"  subgraph floor{number}[floor {number}]", *(f"    {room}" for room in floor), "  end"]
    lines += [*(f"  {room} --> {other}" for room, other in shown_arrows()), "```", "", MORE]
    return "\n".join(lines)


def contributing() -> str:
    """CONTRIBUTING.md with the floors as they are."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    drawn = "\n".join(" | ".join(floor) for floor in floors())
    block = r"(only go down; import-linter checks it\.\n\n```\n).*?(\n```)"
    return re.sub(block, rf"\g<1>{drawn}\g<2>", text, flags=re.DOTALL)


def pages() -> list[Path]:
    return [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md")), *sorted((ROOT / "data").rglob("*.md"))]


def dead_links() -> list[str]:
    """Links of pages to files of this repository that are not there, and to headings that pages do not have."""
    return [
        f"{page.relative_to(ROOT)}: {target}{anchor}"
        for page in pages()
        for code, part in prose(page.read_text(encoding="utf-8"))
        for target, anchor in LINK.findall(part)
        if not code and ":" not in target and not leads((page.parent / target) if target else page, anchor)
    ]


def leads(to: Path, anchor: str) -> bool:
    return to.exists() and (not anchor or to.suffix != ".md" or anchor[1:] in anchors(to))


def defined(path: Path) -> set[str]:
    """Everything that a file gives a name: classes, functions, methods, fields, variables."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    classes = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    names = {node.name for node in nodes if isinstance(node, classes)}
    names |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return names | {n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}


def unknown_steps() -> list[str]:
    """Names of code on the walk that the files linked in the same line do not define."""
    wrong: list[str] = []
    page = ROOT / "docs" / "walkthrough.md"
    for line in page.read_text(encoding="utf-8").splitlines():
        linked = [page.parent / target for target, _ in LINK.findall(line) if target.endswith(".py")]
        if linked:
            known = set[str]().union(*(defined(path) for path in linked))
            named = {part for match in NAME.finditer(line) for part in match.groups() if part}
            wrong += [f"docs/walkthrough.md: {name} is not in {linked[0].name}" for name in sorted(named - known)]
    return wrong


def unknown_lines() -> list[str]:
    """Code in tables of the course that the file linked in the same row does not hold."""
    wrong: list[str] = []
    for page in sorted((ROOT / "docs" / "course").glob("*.md")):
        for row in re.findall(r"^\| .*", page.read_text(encoding="utf-8"), re.MULTILINE):
            code, linked = re.search(r"\| `(.+?)` \|", row), [to for to, _ in LINK.findall(row) if to.endswith(".py")]
            if code and linked and code[1] not in (page.parent / linked[0]).read_text(encoding="utf-8"):
                wrong.append(f"{page.relative_to(ROOT)}: {code[1]} is not in {linked[0]}")
    return wrong


def unknown_names() -> list[str]:
    """Code names in the first column of the page of names that stand nowhere in the source."""
    words: Counter[str] = Counter()
    for path in SOURCE.rglob("*.py"):
        words.update(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    rows = (ROOT / "docs" / "names.md").read_text(encoding="utf-8").splitlines()
    firsts = [row.split("|")[1] for row in rows if row.startswith("|")]
    named = [name for first in firsts for match in NAME.finditer(first) for name in match.groups() if name]
    return [f"docs/names.md: {name}" for name in named if not words[name]]


def faults() -> list[str]:
    """What pages say that is not so."""
    return dead_links() + unknown_steps() + unknown_lines() + unknown_names()
