import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gptwright.foundations.errors import ArtifactError
from gptwright.stages.report import Report, run

Command = Callable[..., Any]


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
    path = run(Report(runs=(small_run,)))
    out, error = capsys.readouterr()
    assert path == small_run / "report.html" and out == f"{path}\n"
    assert path.read_text(encoding="utf-8").lstrip().startswith("<!doctype html>")
    assert "watch    The same text was read many times: 9.5 times" in error and "1 to watch, 2 healthy" in error
    assert sorted(p.name for p in small_run.iterdir()) == ["01-pretrain", "report.html"]


def test_the_same_run_gives_the_same_bytes(small_run: Path) -> None:
    first = run(Report(runs=(small_run,))).read_bytes()
    assert run(Report(runs=(small_run,))).read_bytes() == first


def test_a_folder_without_stages_is_refused_and_left_alone(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no stage"):
        run(Report(runs=(tmp_path,)))
    assert list(tmp_path.iterdir()) == []


def test_a_report_needs_no_torch(small_run: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gptwright.stages.report import Report, run\n"
        "run(Report(runs=(Path(sys.argv[1]),))); assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code, str(small_run)], capture_output=True).returncode == 0


def copies(run: Path, *names: str) -> list[Path]:
    return [Path(shutil.copytree(run, run.parent / name)) for name in names]


def test_runs_side_by_side_are_one_page_in_the_folder_that_holds_them(small_run: Path, gptwright: Command) -> None:
    (other,) = copies(small_run, "other")
    done = gptwright("report", small_run, other)
    path = small_run.parent / "comparison.html"
    assert (done.code, done.out) == (0, f"{path}\n") and "run, other" in path.read_text(encoding="utf-8")
    elsewhere = small_run.parent / "deep/page.html"
    assert gptwright("report", small_run, other, "--out", elsewhere).out == f"{elsewhere}\n"
    assert path.read_bytes() == elsewhere.read_bytes()  # no report is there yet to be linked


def test_runs_in_different_folders_are_compared_where_their_folders_meet(small_run: Path, gptwright: Command) -> None:
    deep = Path(shutil.copytree(small_run, small_run.parent / "more/deep"))
    assert gptwright("report", small_run, deep).out == f"{small_run.parent / 'comparison.html'}\n"


def test_a_folder_of_runs_is_a_list_with_a_report_of_each(small_run: Path, gptwright: Command) -> None:
    damaged, other = copies(small_run, "damaged", "other")
    (damaged / "01-pretrain/stage.json").write_text("[")
    done = gptwright("report", small_run.parent)
    path = small_run.parent / "index.html"
    assert (done.code, done.out) == (0, f"{path}\n") and "damaged is left out" in done.err
    html = path.read_text(encoding="utf-8")
    assert 'href="run/report.html"' in html and 'href="other/report.html"' in html and 'href="damaged' not in html
    assert (other / "report.html").is_file() and not (damaged / "report.html").exists()


def test_a_report_is_written_anew_only_when_its_run_went_on(small_run: Path, gptwright: Command) -> None:
    report, record = small_run / "report.html", small_run / "01-pretrain/stage.json"
    report.write_text("with judgements")
    gptwright("report", small_run.parent)
    assert report.read_text() == "with judgements"
    later = report.stat().st_mtime + 1
    os.utime(record, (later, later))
    gptwright("report", small_run.parent)
    assert report.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_stages_beside_the_runs_are_listed_as_one(small_run: Path, gptwright: Command) -> None:
    shutil.copytree(small_run / "01-pretrain", small_run.parent / "loose")
    assert gptwright("report", small_run.parent).out == f"{small_run.parent / 'index.html'}\n"
    html = (small_run.parent / "index.html").read_text(encoding="utf-8")
    assert f"{small_run.parent.name}, its own stages" in html and 'href="report.html"' in html


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("RUN nothere", "a run folder at"),
        ("RUN RUN", "RUN twice"),
        ("RUN RUN/01-pretrain", "the folder of one stage"),
        ("RUN empty", "no stage.json in its folders"),
        ("RUN other --judgements FILE", "one run with --judgements"),
        ("ABOVE --judgements FILE", "one run with --judgements"),
        (" ".join(f"r{n}" for n in range(11)), "1 to 10 run folders; got 11"),
    ],
)
def test_what_cannot_be_compared_is_said(
    small_run: Path, refused: Callable[..., str], given: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies(small_run, "other")
    (small_run.parent / "empty").mkdir()
    monkeypatch.chdir(small_run.parent)
    words = [word.replace("RUN", "run").replace("ABOVE", ".") for word in given.split()]
    assert named.replace("RUN", "run") in refused("report", *words)
    assert not {"comparison.html", "index.html"} & {path.name for path in small_run.parent.iterdir()}


def test_no_folder_at_all_is_said(refused: Callable[..., str]) -> None:
    assert "1 to 10 run folders; got 0" in refused("report")
