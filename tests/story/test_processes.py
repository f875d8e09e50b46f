"""`torchrun … -m gptwright pretrain`: two processes, one of them killed, and the same course as that of one."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import gptwright
from gptwright.foundations.metrics import read_metrics
from gptwright.foundations.runs import finished_stage
from gptwright.recipes.stage import execute_stage
from gptwright.stages.prepare import Prepare
from gptwright.stages.tokenize import Tokenize

WORDS = (
    "the",
    "old",
    "miller",
    "walked",
    "to",
    "a",
    "river",
    "and",
    "saw",
    "grey",
    "cat",
    "near",
    "boat",
    "while",
    "rain",
)
STEPS, SAVED = 24, 4
SIZES = {"steps": STEPS, "save-every": SAVED, "eval-every": 3, "sequence_length": 32, "batch_size": 8, "threads": 1,
         "dtype": "float32", "model": "gpt2-nano", "model.width": 32, "model.heads": 4, "model.layers": 2,
         "model.context": 64}  # fmt: skip
HERE = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(gptwright.__file__).parents[1])}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokens")
    dice = random.Random(0)
    pages = [{"text": " ".join(dice.choices(WORDS, k=120)) + "."} for _ in range(60)]
    (folder / "text.jsonl").write_text("".join(json.dumps(page) + "\n" for page in pages))
    execute_stage("prepare", Prepare(data=(str(folder / "text.jsonl"),)), folder / "prepare")
    execute_stage("tokenize", Tokenize(text=folder / "prepare", vocab=300), folder / "tokenize")
    return folder / "tokenize"


def command(tokens: Path, out: Path, **more: object) -> list[str]:
    options = SIZES | {"tokens": tokens} | more | {"out": out}
    return ["-m", "gptwright", "pretrain", *(f"--{name}={value}" for name, value in options.items())]


def start(restarts: int, words: list[str]) -> psutil.Popen:
    """Two processes, and returns when they have left a checkpoint."""
    meet = ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", "--nnodes=1", "--nproc-per-node=2"]
    command = [sys.executable, "-m", "torch.distributed.run", *meet, f"--max-restarts={restarts}", *words]
    started = psutil.Popen(command, env=HERE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out = Path(words[-1].removeprefix("--out="))
    while started.poll() is None and not list((out / "checkpoints").glob("step-*")):
        time.sleep(0.02)
    return started


def alone(words: list[str]) -> str:
    """One process; what it said."""
    done = subprocess.run([sys.executable, *words], env=HERE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


def workers(started: psutil.Popen) -> Iterator[psutil.Process]:
    """The processes that torchrun started, from the first."""
    found: dict[str, psutil.Process] = {}
    for child in started.children():
        try:
            found[child.environ().get("RANK", "")] = child
        except psutil.Error:
            continue
    return (child for rank, child in sorted(found.items()) if rank)


@pytest.fixture(scope="module")
def one(tokens: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process leaves that nobody disturbs."""
    out = tmp_path_factory.mktemp("alone") / "one"
    alone(command(tokens, out))
    return out


def as_if_alone(out: Path, one: Path) -> None:
    train_state = [line for line in read_metrics(out / "metrics.jsonl") if "loss_nats" in line]
    assert [line["step"] for line in train_state] == list(range(1, STEPS + 1))
    expected = [line["loss_nats"] for line in read_metrics(one / "metrics.jsonl") if "loss_nats" in line]
    assert [line["loss_nats"] for line in train_state] == pytest.approx(expected, rel=1e-5)
    metrics, wanted = (finished_stage(folder)["metrics"] for folder in (out, one))
    assert metrics["heldout_nats"] == pytest.approx(wanted["heldout_nats"], rel=1e-5)
    assert (out / "samples.md").read_text() == (one / "samples.md").read_text()


def test_one_of_two_is_killed_and_the_work_goes_on(tokens: Path, one: Path, tmp_path: Path) -> None:
    started = start(3, command(tokens, tmp_path / "two"))
    *_, last = workers(started)
    last.send_signal(signal.SIGKILL)
    out, said = started.communicate(timeout=200)
    assert started.returncode == 0, said
    assert "pretrain goes on after step" in said
    assert out.splitlines() == [str(tmp_path / "two")]
    as_if_alone(tmp_path / "two", one)
    assert finished_stage(tmp_path / "two")["metrics"]["processes"] == 2


def stopped_on_the_way(tokens: Path, tmp_path: Path) -> tuple[Path, str]:
    """The folder of a run one of whose processes was asked to stop, and what was said. On a busy machine the signal may
    come when all steps are done: then it is tried again."""
    for attempt in range(5):
        out = tmp_path / f"run-{attempt}"
        started = start(0, command(tokens, out, **{"mesh.tensor": 2}))
        *_, last = workers(started)
        last.send_signal(signal.SIGTERM)
        _, said = started.communicate(timeout=200)
        if started.returncode != 0:
            return out, said
    pytest.fail("five runs were done before the signal came")


def test_one_is_asked_to_stop_all_stop_and_one_goes_on_alone(tokens: Path, one: Path, tmp_path: Path) -> None:
    out, said = stopped_on_the_way(tokens, tmp_path)
    assert "pretrain saved at step" in said, said
    newest = max((out / "checkpoints").iterdir())
    assert {path.name for path in newest.glob("state-*")} == {f"state-0000{n}-of-00002.safetensors" for n in (1, 2)}
    assert f"goes on after step {int(newest.name[5:])}" in alone(command(tokens, out))
    as_if_alone(out, one)
