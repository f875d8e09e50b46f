"""A small run folder written by hand, whose every figure a reader of the tests can find here."""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

HOSTILE = "<script>alert('x')</script> & \"quoted\" <img src=http://evil.example/a.png>"
MACHINE = {"system": "Linux x86_64", "python": "3.11.7", "cores": 2, "memory_gb": 16.0}
RECIPE = """
name = "start"
[prepare]
[tokenize]
[pretrain]
[sft]
[rank]
[reward]
[reward-control]
verb = "reward"
[ppo]
[plan]
minutes = 2
seed = 1
[plan.seconds]
start = 6.0
prepare = 1.0
tokenize = 2.0
pretrain = 40.0
sft = 30.0
rank = 5.0
reward = 4.0
reward-control = 4.0
ppo = 20.0
"""


def estimate(value: float, count: int = 100, reach: float = 0.05) -> dict[str, float]:
    return {"value": value, "low": max(value - reach, 0.0), "high": min(value + reach, 1.0), "count": count}


def evaluation(nats: float, form: float, samples: Sequence[str] = (), **metrics: float) -> dict[str, Any]:
    metrics = {"heldout_nats": nats, "heldout_bits_per_byte": nats / 2, **metrics}
    estimates = {"held-out form": estimate(form), "held-out fact": estimate(0.0)}
    return {"metrics": metrics, "estimates": estimates, "samples": samples}


def write_stage(folder: Path, verb: str, *, seconds: float = 1.0, complete: bool = True, **parts: Any) -> Path:
    """Writes stage.json; `parts` may be config, metrics, history (a list), evaluation, and the folders it `reads`."""
    folder.mkdir(parents=True)
    outputs = {"made": _hash(folder.name)}
    state = "complete" if complete else "unfinished"
    record = {"verb": verb, "state": state, "config": parts.get("config", {}), "seconds": seconds,
              "inputs": {name: _folder_hash(name) for name in parts.get("reads", ())}, "machine": MACHINE,
              "version": "0.1.0", "started": "2030-01-02T03:04:05+00:00"}  # fmt: skip
    if complete:
        record |= {
            "outputs": outputs,
            "metrics": parts.get("metrics", {}),
            "ended": "2030-01-02T03:05:05+00:00",
            "peak_memory_gb": 1.5,
        }
    (folder / "stage.json").write_text(json.dumps(record))
    if "history" in parts:
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in parts["history"]))
    if "evaluation" in parts:
        (folder / "evaluation.json").write_text(json.dumps(parts["evaluation"]))
    return folder


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _folder_hash(name: str) -> str:
    return _hash(json.dumps({"made": _hash(name)}))


def _account(documents: int, dropped: int) -> dict[str, Any]:
    side = {"documents": documents, "characters": 500 * documents, "bytes": 500 * documents}
    return {"documents_in": 2 * documents + dropped, "characters_in": 1000 * documents, "train": side, "heldout": side,
            "dropped": {"duplicate": {"documents": dropped, "characters": 9}} if dropped else {},
            "cut": {"characters": 7, "lines": {"menu": 3}}}  # fmt: skip


def _text_stages(path: Path) -> None:
    prepare = write_stage(
        path / "01-prepare", "prepare", metrics={"characters": 120_000, "bytes": 120_000, "documents": 120}
    )
    sources = {"total": _account(60, 4), "sources": {"books": _account(60, 4)}, "ignored_files": 1,
               "files": [{"file": "a.txt", "bytes": 2048, "sha256": "ab" * 32}]}  # fmt: skip
    (prepare / "sources.json").write_text(json.dumps(sources))
    write_stage(
        path / "02-tokenize",
        "tokenize",
        seconds=2,
        reads=["01-prepare"],
        metrics={"train_tokens": 30_000, "train_bytes_per_token": 3.0},
    )
    losses = [{"step": n, "loss_nats": 8.0 - n / 20} for n in range(1, 101)]
    looks = [{"step": n, "heldout_bits_per_byte": 1.6 + (100 - n) / 50} for n in range(20, 101, 20)]
    pretrain = write_stage(
        path / "03-pretrain", "pretrain", seconds=41, config={"steps": 100}, history=losses + looks,
        reads=["02-tokenize"],
        metrics={"parameters": 1_500_000, "epochs": 1.5, "heldout_bits_per_byte": 1.6, "skipped_steps": 0},
    )  # fmt: skip
    sections = [f"\n## Step {n}\n\n> It was a word{n} {HOSTILE}\n\n" for n in (20, 40, 60, 80)]
    (pretrain / "samples.md").write_text("# Samples\n" + "".join(sections))


def _answer_stages(path: Path) -> None:
    lines = [{"step": n, "loss_nats": 5 - n / 10, "answer_nats": 2 - n / 10, "text_nats": 3.0} for n in range(1, 11)]
    models = {"untrained": evaluation(7.6, 0.0), "pretrained": evaluation(3.2, 0.0), "sft": evaluation(3.3, 0.9)}
    write_stage(path / "04-sft", "sft", seconds=30, config={"steps": 10}, history=lines, evaluation=models,
                metrics={"heldout_nats_rise": 0.1}, reads=["02-tokenize", "03-pretrain"])  # fmt: skip
    write_stage(path / "05-rank", "rank", seconds=5, metrics={"rankings": 64}, reads=["01-prepare", "04-sft"])
    for name, shuffled, after in (("06-reward", False, 0.8), ("07-reward-control", True, 0.5)):
        models = {name: {"estimates": {"pair_accuracy": estimate(value)}}
                  for name, value in (("before", 0.5), ("after", after))}  # fmt: skip
        write_stage(path / name, "reward", seconds=4, config={"steps": 10, "shuffled": shuffled}, history=lines,
                    metrics={"pair_accuracy": after}, evaluation=models, reads=["04-sft", "05-rank"])  # fmt: skip


def _policy_stage(path: Path) -> None:
    updates = [
        {"step": n, "score": n / 4, "kl_nats": n / 2, "answer_tokens": 20.0, "ended": 0.95, "explained_variance": 0.4,
         "first_ratio_error": 1e-5} for n in range(1, 9)
    ]  # fmt: skip
    sft = evaluation(3.3, 0.9, ["Old answer.", HOSTILE], judge_score=-5.0, distinct_pairs=0.8, answer_words=12.0)
    ppo = evaluation(3.35, 0.88, ["New answer.", "Fine."], judge_score=-4.0, distinct_pairs=0.7, answer_words=12.0)
    comparison = {"metrics": {"kl_nats": 4.0}, "estimates": {"win_rate": estimate(0.9)},
                  "notes": {"rule": "plain-words"}}  # fmt: skip
    models = {"sft": sft, "ppo": ppo, "comparison": comparison}
    write_stage(path / "08-ppo", "ppo", seconds=21, config={"updates": 8}, history=updates, evaluation=models,
                metrics={"win_rate": 0.9, "kl_nats": 4.0, "heldout_nats_rise": 0.05},
                reads=["02-tokenize", "04-sft", "05-rank", "06-reward"])  # fmt: skip


@pytest.fixture
def whole_run(tmp_path: Path) -> Path:
    """All eight stages, finished and healthy."""
    path = tmp_path / "my run"
    _text_stages(path)
    _answer_stages(path)
    _policy_stage(path)
    (path / "recipe.toml").write_text(RECIPE)
    return path


@pytest.fixture
def other_run(whole_run: Path) -> Path:
    """The same with fewer steps and another depth, so from pretrain on other files, and with another answer."""
    path = Path(shutil.copytree(whole_run, whole_run.parent / "other"))
    names = sorted(folder.name for folder in path.glob("0*"))
    for record in path.glob("*/stage.json"):
        text = record.read_text()
        for name in names[2:]:
            text = text.replace(_hash(name), _hash(f"other {name}"))
            text = text.replace(_folder_hash(name), _folder_hash(f"other {name}"))
        record.write_text(text)
    _edit(path / "03-pretrain/stage.json", "config", steps=90, model={"layers": 3})
    for run, answer in ((whole_run, "New answer."), (path, "Another.")):
        evaluated = run / "08-ppo/evaluation.json"
        _edit(evaluated, "comparison", samples=["Who is Mira?", HOSTILE])
        _edit(evaluated, "ppo", samples=[answer, HOSTILE])
    return path


def _edit(path: Path, part: str, **values: Any) -> None:
    content = json.loads(path.read_text())
    content[part] |= values
    path.write_text(json.dumps(content))


@pytest.fixture
def stage_writer() -> Callable[..., Path]:
    """`write_stage`, for tests that make a folder of their own."""
    return write_stage
