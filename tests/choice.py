"""Which tests run: those that need what few machines have, only when asked for; those that need a program, where it is.

Asked for means named in `-m`: `pytest -m real`. Any other `-m` leaves them out as no `-m` does.
"""

import os
import re
import shutil
from glob import glob
from pathlib import Path

import pytest

AXE = Path(__file__).parents[1] / "ui/node_modules/axe-core/axe.min.js"
ON_DEMAND = ("real", "llama_cpp", "lm_eval", "ray", "transformer_lens")
PROGRAMS = {
    "browser": ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    "sandbox": ("bwrap",),
    "axe": (str(AXE),),
    "postgresql": ("initdb",),
}
SERVERS = "/usr/lib/postgresql/*/bin"  # where Debian and Ubuntu keep them, beside the PATH
WITHOUT = {
    "browser": "tests of the pages SKIPPED: no Chromium is here (Debian, Ubuntu: apt-get install chromium)",
    "sandbox": "tests of the sandbox SKIPPED: no bubblewrap is here (Debian, Ubuntu: apt-get install bubblewrap)",
    "axe": "tests of accessibility SKIPPED: no axe-core is here (make ui, which needs node)",
    "postgresql": "tests of PostgreSQL SKIPPED: none is here (Debian, Ubuntu: apt-get install postgresql)",
}


def program(marker: str) -> str | None:
    """The path of the program that tests with this marker need, if there is one."""
    places = os.pathsep.join([os.environ.get("PATH", ""), *sorted(glob(SERVERS))])
    mode = os.F_OK if marker == "axe" else os.F_OK | os.X_OK  # a script, which a page runs
    return next((path for name in PROGRAMS[marker] if (path := shutil.which(name, mode, places))), None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--need-programs", action="store_true", help="tests without their program fail, not skip")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = set(re.findall(r"\w+", config.option.markexpr))
    left_out = [item for item in items if any(item.get_closest_marker(m) for m in ON_DEMAND if m not in asked)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    for marker in PROGRAMS:
        if not program(marker) and not config.option.need_programs:
            for item in items:
                if item.get_closest_marker(marker):
                    item.add_marker(pytest.mark.skip(reason=WITHOUT[marker]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for reason in WITHOUT.values():
        count = sum(reason in str(report.longrepr) for report in terminalreporter.stats.get("skipped", []))
        if count:
            terminalreporter.write_line(f"{count} {reason}", yellow=True, bold=True)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium."""
    found = program("browser")
    if found is None:
        pytest.fail(WITHOUT["browser"])
    return found
