"""The house rules: small files, honest names, imports that go down, nothing that runs code from data, one version."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from gptwright.configs.tokenize import KINDS
from gptwright.configs.verbs import VERBS
from gptwright.foundations.version import __version__
from gptwright.tokenizers import registry

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "gptwright"
MODULES = sorted(SOURCE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
SITES = (".html", ".js", ".css", ".svg", ".j2", ".ts", ".svelte")
PAGES = [path for folder in (SOURCE, ROOT / "ui/src", ROOT / "ui/public") for path in sorted(folder.rglob("*"))
         if path.suffix in SITES]  # fmt: skip
BUNDLE = SOURCE / "serving/web"


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def calls(tree: ast.AST) -> set[str]:
    """What is called, by its dotted name: {"print", "torch.load", "path.open"}."""
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def imported(tree: ast.AST) -> set[str]:
    """The top-level packages that are imported, wherever in the file."""
    nodes = list(ast.walk(tree))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {module.split(".")[0] for module in plain | {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}}


def test_there_is_something_to_look_at() -> None:
    assert len(MODULES) > 80 and len(TESTS) > 40 and len(PAGES) > 25


def test_no_file_is_over_400_lines() -> None:
    files = [path for path in MODULES + PAGES if BUNDLE not in path.parents]
    most = {".svelte": 200}
    assert [name(path) for path in files if len(text(path).splitlines()) > most.get(path.suffix, 400)] == []


def test_every_file_says_what_its_idea_is() -> None:
    says = {name(path): ast.get_docstring(ast.parse(text(path))) or "" for path in MODULES}
    assert [path for path, idea in says.items() if len(idea.split()) < 3] == []


def test_no_room_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "util", "common", "helpers", "helper", "misc", "tools", "base", "core"}
    assert not {part for path in MODULES for part in path.relative_to(SOURCE).with_suffix("").parts} & drawers


def test_nothing_in_a_file_of_data_can_run() -> None:
    packages = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    functions = {"eval", "exec", "compile", "__import__", "torch.load", "torch.save", "os.system", "os.popen"}
    arguments = re.compile(r"shell\s*=\s*True|allow_pickle\s*=\s*True|trust_remote_code")
    inside = SOURCE / "sandbox/driver.py"  # runs programs, and runs in the sandbox itself
    for path in MODULES:
        tree = ast.parse(text(path))
        assert not imported(tree) & packages, name(path)
        assert path == inside or not calls(tree) & functions, name(path)
        assert not arguments.search(text(path)), name(path)


def test_no_test_is_skipped_but_those_whose_program_is_not_here() -> None:
    ways = re.compile(r"pytest\.(?:mark\.)?(?:skip|skipif|xfail|importorskip)\b|unittest\.skip")
    assert [name(path) for path in TESTS if ways.search(text(path)) and path != Path(__file__)] == ["tests/choice.py"]


def test_no_test_judges_by_the_clock() -> None:
    clocks = {"time.time", "time.perf_counter", "perf_counter"}
    for path in TESTS:
        asserts = [node for node in ast.walk(ast.parse(text(path))) if isinstance(node, ast.Assert)]
        assert not [ast.unparse(node) for node in asserts if calls(node) & clocks], name(path)


def test_imports_only_go_down() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    environment = os.environ | {"PYTHONPATH": str(SOURCE.parent)}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 kept, 0 broken" in done.stdout


def test_every_room_has_its_floor() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    floors = {
        room.strip().removeprefix("gptwright.") for layer in contract["layers"] for room in re.split(r"[|:]", layer)
    }
    rooms = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").is_file()}
    assert floors == rooms | {"cli"}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_file_its_class_and_its_page(verb: str) -> None:
    assert isinstance(VERBS[verb].config_type, type)
    assert callable(import_module(f"gptwright.stages.{verb}").run)
    pages = sorted((ROOT / "docs").glob("[0-9][0-9]-*.md"))
    assert [page for page in pages if re.search(rf"gptwright {verb}\b", text(page))]


def test_the_two_lists_of_kinds_of_tokenizer_agree() -> None:
    assert tuple(registry.TRAINERS) == KINDS


def test_every_file_of_stages_is_a_verb_or_serves_some() -> None:
    files = {path.stem for path in (SOURCE / "stages").glob("*.py")} - {"__init__"}
    assert files - set(VERBS) == {
        "budgets",
        "human_feedback",
        "improvement",
        "openrlhf",
        "policy",
        "prefer",
        "reward_model",
        "samples",
        "served_run",
        "stored_labels",
        "together",
    }


def test_the_version_is_the_changelogs_newest() -> None:
    heading = re.search(r"^## \[?v?([0-9][^\] ]*)", text(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert heading and heading[1] == __version__


def test_the_readme_is_short_and_has_both_commands() -> None:
    readme = text(ROOT / "README.md")
    assert len(readme.split()) < 450
    assert "make start" in readme and "gptwright start" in readme


def test_links_between_pages_lead_somewhere() -> None:
    link = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    prose = {page: re.sub(r"```.*?```", "", text(page), flags=re.DOTALL) for page in pages}  # code may look like a link
    dead = [(name(page), to) for page in pages for to in link.findall(prose[page]) if not (page.parent / to).exists()]
    assert dead == []


def test_the_web_pages_ask_nobody_else() -> None:
    """An address may be a link for a person or a namespace's name; nothing is fetched from one."""
    start = (
        r"""(?:\bsrc\s*=|@import|\burl\(|\bfetch\(|\bimport\s*\(|\bfrom\b|<link[^>]+href\s*=)\s*["'`]?(?:https?:)?//"""
    )
    fetched = re.compile(rf"{start}|new (?:WebSocket|EventSource|XMLHttpRequest)")
    assert [name(page) for page in PAGES if fetched.search(text(page))] == []


def test_the_web_pages_make_no_html_of_text() -> None:
    """One file does, with what purifies it. Styles in attributes are refused by the server's policy."""
    one = ROOT / "ui/src/lib/markdown.ts"
    made = re.compile(
        r"\{@html|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\bstyle\s*=\s*[\"'{]|\beval\(|new Function"
    )
    sources = [page for page in PAGES if page.suffix in (".ts", ".svelte") and page != one]
    assert [name(page) for page in sources if made.search(text(page))] == []


def test_packages_of_the_pages_are_pinned_and_name_no_host() -> None:
    package, lock = (json.loads(text(ROOT / "ui" / file)) for file in ("package.json", "package-lock.json"))
    wanted = package["dependencies"] | package["devDependencies"]
    assert [one for one, version in wanted.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []
    locked = [fields for path, fields in lock["packages"].items() if path]
    assert all("resolved" not in fields and fields["integrity"] for fields in locked)


def test_tests_mirror_the_source() -> None:
    """tests/ROOM/test_FILE.py is about src/gptwright/ROOM/FILE.py, in the rooms where every file has its own.

    Six are about several stages together: their numbers, the commands of the pages, their adapters, the images that
    they refuse, ppo's relatives, and two verbs on many machines. Two are about what the package brings: task files, and
    their data. One sets losses beside TRL's.
    """
    rooms = [path.name for path in SOURCE.iterdir() if path.is_dir() and path.name not in ("serving", "reporting")]
    tests = [path for room in rooms for path in (ROOT / "tests" / room).glob("test_*.py")]
    alone = {name(t) for t in tests if not (SOURCE / t.parent.name / t.name.removeprefix("test_")).is_file()}
    assert alone <= {
        "tests/evaluation/test_task_files.py",
        "tests/models/test_trace.py",
        "tests/objectives/test_trl.py",
        "tests/stages/test_bad_images.py",
        "tests/stages/test_docs.py",
        "tests/stages/test_lora.py",
        "tests/stages/test_numbers.py",
        "tests/stages/test_prepare_machines.py",
        "tests/stages/test_ray_engine.py",
        "tests/stages/test_relatives.py",
        "tests/stages/test_seen_preferences.py",
        "tests/stages/test_stage.py",
        "tests/text/test_task_data.py",
    }
