"""schemathesis, as it is shipped, on our own document: no request of those that it makes is answered by a 5xx, and
every answer has a status, a type and a shape that the document tells."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

Start = Callable[..., AbstractContextManager[str]]

CASES = int(os.environ.get("CASES", "4"))
"""of each operation and kind"""
KEY = "sesame"
CONTEXT = 64
"""so that a text that nobody bounds ends soon"""
BEYOND = "positive_data_acceptance"
"""the check that is left out: fields depend on each other, and on what the store and the model know, which is more than
a schema can say"""


def test_schemathesis(start: Start, tmp_path: Path) -> None:
    with start(tmp_path, CONTEXT, KEY) as served:  # a key: who gives an owner a password shuts out only who has none
        command = [str(Path(sys.executable).parent / "schemathesis"), "--no-color", "run", f"{served}/openapi.json",
                   "--header", f"Authorization: Bearer {KEY}", "--max-examples", str(CASES), "--seed", "1",
                   "--exclude-checks", BEYOND, "--request-timeout", "60",
                   "--continue-on-failure", "--generation-database", "none"]  # fmt: skip
        hooks = {"PYTHONPATH": str(Path(__file__).parent), "SCHEMATHESIS_HOOKS": "schemathesis_hooks"}
        told = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, **hooks})
        assert told.returncode == 0, told.stdout + told.stderr
