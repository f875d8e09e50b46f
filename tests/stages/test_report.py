import json
import subprocess
import sys
from pathlib import Path

import pytest

from gptwright.foundations.errors import ArtifactError
from gptwright.stages.report import Report, run


@pytest.fixture
def small_run(tmp_path: Path) -> Path:
    folder = tmp_path / "run" / "01-pretrain"
    folder.mkdir(parents=True)
    record = {"verb": "pretrain", "state": "complete", "seconds": 3.0, "config": {"steps": 100},
              "metrics": {"epochs": 9.5, "skipped_steps": 0}}  # fmt: skip
    (folder / "stage.json").write_text(json.dumps(record))
    return folder.parent


def test_the_page_is_written_its_path_printed_and_the_findings_said(
    small_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run(Report(run=small_run))
    out, error = capsys.readouterr()
    assert path == small_run / "report.html" and out == f"{path}\n"
    assert path.read_text(encoding="utf-8").lstrip().startswith("<!doctype html>")
    assert "watch    The same text was read many times: 9.5 times" in error and "1 to watch, 2 healthy" in error
    assert sorted(p.name for p in small_run.iterdir()) == ["01-pretrain", "report.html"]


def test_the_same_run_gives_the_same_bytes(small_run: Path) -> None:
    first = run(Report(run=small_run)).read_bytes()
    assert run(Report(run=small_run)).read_bytes() == first


def test_a_folder_without_stages_is_refused_and_left_alone(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no stage"):
        run(Report(run=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_report_needs_no_torch(small_run: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gptwright.stages.report import Report, run\n"
        "run(Report(run=Path(sys.argv[1]))); assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code, str(small_run)], capture_output=True).returncode == 0
