"""Options are read and their help printed, and a corpus is made, without torch, which takes seconds to import."""

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


def test_neither_preparing_nor_tokenizing_imports_torch(tmp_path: Path) -> None:
    code = """if True:
    import sys
    from pathlib import Path
    from gptwright.configs.prepare import Prepare
    from gptwright.configs.tokenize import Tokenize
    from gptwright.recipes.stage import execute_stage

    out = Path(sys.argv[1])
    (out / "notes.txt").write_text("".join(f"Of note {n} no test has a word.\\n\\n" for n in range(1_000)))
    execute_stage("prepare", Prepare(data=(str(out / "notes.txt"),), decontaminate="doctests", explain=True),
                  out / "text")
    execute_stage("tokenize", Tokenize(text=out / "text", vocab=400), out / "tokens")
    execute_stage("tokenize", Tokenize(text=out / "text", model=out / "tokens"), out / "again")
    sys.exit('torch' in sys.modules)
    """
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 0
