"""Options can be read, and their help printed, without torch, which takes seconds to import."""

import subprocess
import sys
from pathlib import Path

import pytest

import gptwright.configs

NAMES = sorted(path.stem for path in Path(gptwright.configs.__file__).parent.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", NAMES)
def test_importing_it_does_not_import_torch(name: str) -> None:
    code = f"import sys, gptwright.configs.{name}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
