"""Which tests run: those that need what few machines have, only when asked for; those of the pages, where Chromium is.

Asked for means named in `-m`: `pytest -m real`. Any other `-m` leaves them out as no `-m` does.
"""

import re
import shutil

import pytest

ON_DEMAND = ("real", "llama_cpp", "lm_eval", "ray")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NO_BROWSER = "no Chromium is here (Debian, Ubuntu: apt-get install chromium)"


def browser() -> str | None:
    """The path of a Chromium, if there is one."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--need-browser", action="store_true", help="tests of the pages fail, not skip, without Chromium")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = set(re.findall(r"\w+", config.option.markexpr))
    left_out = [item for item in items if any(item.get_closest_marker(m) for m in ON_DEMAND if m not in asked)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    if not browser() and not config.option.need_browser:
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason=NO_BROWSER))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if NO_BROWSER in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} tests of the pages SKIPPED: {NO_BROWSER}", yellow=True, bold=True)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium."""
    found = browser()
    if found is None:
        pytest.fail(NO_BROWSER)
    return found
