"""lint: faults in files of text, conversations and rankings, before a model learns them."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from gptwright.configs.lint import Lint
from gptwright.text.find import resolve
from gptwright.text.lint.lint_files import Linter


def run(config: Lint) -> None:
    """Prints findings with their places, and how many of each kind there are. Raises `SystemExit` with 1 when there
    are any, `InputError` when a file is not there or of a kind that is not read."""
    files, linter, kinds = lint_files(config.files), Linter(config.max_characters), Counter[str]()
    for path in files:
        for finding in linter.findings(path):
            kinds[finding.kind] += 1
            if kinds[finding.kind] <= config.examples:
                print(finding)
    found = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
    print(f"lint: {linter.documents:,} texts and lines in {_files(len(files))}: {found or 'nothing found'}", flush=True)
    if kinds:
        sys.exit(1)


def lint_files(patterns: Sequence[str]) -> list[Path]:
    """What the patterns stand for, each file once; a table, which is no corpus, where it is named."""
    found = (path for each in patterns for path in ([Path(each)] if Path(each).is_file() else resolve([each])))
    return list({path.resolve(): path for path in reversed(list(found))}.values())[::-1]


def _files(count: int) -> str:
    return f"{count:,} file" + ("" if count == 1 else "s")
