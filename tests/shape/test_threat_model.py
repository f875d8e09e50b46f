"""The page of threats names tests that are there, and leaves none out of what happened to others."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/24-threat-model.md").read_text(encoding="utf-8")
HAPPENED = """
CVE-2025-32434 CVE-2026-1839 CVE-2024-3568 CVE-2026-31214 CVE-2025-62164 GHSA-x3m8-f7g5-qhm7 CVE-2025-6242
CVE-2026-45400 CVE-2026-45401 CVE-2025-48956 CVE-2026-34756 CVE-2025-48944 CVE-2025-62426 CVE-2026-34755
CVE-2026-22773 CVE-2026-22778 CVE-2026-21869 GHSA-7rxv-5jhh-j6xx CVE-2024-34359 CVE-2026-44568 CVE-2026-45349
CVE-2026-54015 CVE-2026-45339 CVE-2026-31950 GHSA-qrm5-r67f-6692 CVE-2026-28414 llama.cpp#25790 OWASP-PR-9
""".split()  # noqa: SIM905 (a list to read)


def test_every_test_on_the_page_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)
    assert len(named) > 40
    for file, test in named:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, f"{file}::{test}"


def test_each_of_the_28_has_a_line_with_a_test() -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith("|")]
    assert len(HAPPENED) == 28
    for id in HAPPENED:
        (line,) = (line for line in lines if re.search(rf"{re.escape(id)}\b", line.split("|")[1]))
        assert "::test_" in line, id


def test_each_of_the_ten_has_a_line_with_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if re.match(r"\| \d\d ", line)]
    assert [row[2:4] for row in rows] == [f"{number:02}" for number in range(1, 11)]
    assert all("::test_" in row for row in rows)
