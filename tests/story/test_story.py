"""The whole story at a tiny size, through the command line: killed, gone on with, done again, bit-equal."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

WORDS = [
    "the",
    "old",
    "miller",
    "walked",
    "to",
    "the",
    "river",
    "and",
    "saw",
    "a",
    "grey",
    "cat",
    "near",
    "the",
    "boat",
    "while",
    "the",
    "rain",
    "fell",
    "on",
    "the",
    "roof",
]
RECIPE = """
name = "story"
[prepare]
data = ["{text}"]
[tokenize]
text = "prepare"
vocab = 300
[pretrain]
tokens = "tokenize"
model = {{ preset = "gpt2-nano", width = 16, heads = 2, layers = 2, context = 64 }}
steps = 60
batch_size = 4
sequence_length = 32
eval_every = 30
save_every = 5
threads = 1
[sft]
base = "pretrain"
tokens = "tokenize"
text = "prepare"
conversations = ["{conversations}"]
questions = "{questions}"
steps = 6
batch_size = 4
ptx_batch_size = 1
sequence_length = 32
continuations = 20
save_every = 2
threads = 1
[rank]
model = "sft"
text = "prepare"
train_prompts = 12
heldout_prompts = 6
max_tokens = 8
threads = 1
[reward]
base = "sft"
rankings = ["rank/rankings.jsonl"]
steps = 3
batch_size = 4
save_every = 1
threads = 1
[ppo]
policy = "sft"
reward = "reward"
prompts = "rank/prompts.jsonl"
tokens = "tokenize"
conversations = ["{conversations}"]
questions = "{questions}"
updates = 6
episodes = 8
sft_batch_size = 2
ptx_batch_size = 1
sequence_length = 32
max_tokens = 8
heldout_prompts = 6
save_every = 1
threads = 1
"""
STAGES = ["01-prepare", "02-tokenize", "03-pretrain", "04-sft", "05-rank", "06-reward", "07-ppo"]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe over a few pages of made-up text, a few conversations and questions."""
    folder = tmp_path_factory.mktemp("story")
    sentences = [" ".join(WORDS[(i * k) % len(WORDS)] for k in range(3, 27)).capitalize() + "." for i in range(1, 1200)]
    (folder / "book.txt").write_text("\n\n".join(" ".join(sentences[i : i + 4]) for i in range(0, len(sentences), 4)))
    asked = [("Who walked?", "The old miller walked."), ("What fell?", "The rain fell.")]
    talk = [{"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]} for q, a in asked]
    (folder / "talk.jsonl").write_text("\n".join(json.dumps(line) for line in talk * 10))
    questions = [
        {"messages": line["messages"][:1], "answer": a, "kind": "known"}
        for line, (_, a) in zip(talk, asked, strict=True)
    ]
    (folder / "questions.jsonl").write_text("\n".join(json.dumps(line) for line in questions))
    path = folder / "story.toml"
    names = {"text": "book.txt", "conversations": "talk.jsonl", "questions": "questions.jsonl"}
    path.write_text(RECIPE.format(**{key: (folder / name).as_posix() for key, name in names.items()}))
    return path


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "gptwright", *map(str, words)]


def gptwright(*words: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, input=given, timeout=300)


def tensors(run: Path) -> dict[str, str]:
    """Hash of every model that a run left."""
    return {
        str(p.relative_to(run)): hashlib.sha256(p.read_bytes()).hexdigest() for p in run.glob("*/model/*.safetensors")
    }


@pytest.fixture(scope="module")
def done(recipe: Path) -> Path:
    """The recipe, carried out once without disturbance."""
    out = recipe.parent / "done"
    result = gptwright("run", recipe, "--out", out)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == str(out)
    return out


def test_every_stage_leaves_its_record(done: Path) -> None:
    assert [p.name for p in sorted(done.iterdir()) if p.is_dir()] == STAGES
    for name in STAGES:
        record = json.loads((done / name / "stage.json").read_text())
        assert record["state"] == "complete"
        assert record["outputs"]


def test_a_second_run_does_nothing(recipe: Path, done: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in done.rglob("*") if p.is_file()}
    result = gptwright("run", recipe, "--out", done)
    assert result.returncode == 0, result.stderr
    assert {p: p.stat().st_mtime_ns for p in done.rglob("*") if p.is_file()} == before


def test_killed_in_pretrain_and_in_ppo_the_same_command_ends_bit_equal(recipe: Path, done: Path) -> None:
    out = recipe.parent / "killed"
    for stage in ("03-pretrain", "07-ppo"):
        kill_after_a_checkpoint(command("run", recipe, "--out", out), out / stage, signal.SIGKILL)
    result = gptwright("run", recipe, "--out", out)
    assert result.returncode == 0, result.stderr
    assert "ppo goes on after step" in result.stderr
    assert tensors(out) == tensors(done)


def test_asked_to_stop_it_saves_and_says_so(recipe: Path, done: Path) -> None:
    out = recipe.parent / "stopped"
    process = kill_after_a_checkpoint(command("run", recipe, "--out", out), out / "03-pretrain", signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    result = gptwright("run", out / "recipe.toml", "--out", out)
    assert result.returncode == 0, result.stderr
    assert "pretrain goes on after step" in result.stderr
    assert tensors(out) == tensors(done)


def kill_after_a_checkpoint(words: list[str], stage: Path, number: signal.Signals) -> subprocess.Popen[bytes]:
    """Runs the command until the stage has left its first checkpoint, then sends the signal."""
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while not list(stage.glob("checkpoints/step-*/manifest.json")):
        assert process.poll() is None, "the run ended before it could be stopped"
        assert time.monotonic() < deadline, "no checkpoint appeared"
        time.sleep(0.005)
    os.kill(process.pid, number)
    process.wait(timeout=60)
    assert json.loads((stage / "stage.json").read_text())["state"] == "unfinished"
    return process


def test_what_is_generated_is_what_is_chatted_is_what_transformers_says(done: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    for stage in ("03-pretrain", "04-sft", "07-ppo"):
        folder = done / stage
        ours = gptwright("generate", folder, "The old", "--temperature", "0", "--max-tokens", "12")
        assert ours.returncode == 0, ours.stderr
        tokenizer = AutoTokenizer.from_pretrained(folder / "model")
        model = AutoModelForCausalLM.from_pretrained(folder / "model")
        ids = tokenizer("<|endoftext|>The old", return_tensors="pt")
        greedy = model.generate(**ids, do_sample=False, max_new_tokens=12)[0, ids["input_ids"].shape[1] :]
        assert ours.stdout.removesuffix("\n") == tokenizer.decode(greedy, skip_special_tokens=True)


def test_what_is_served_is_what_is_generated(done: Path) -> None:
    from starlette.testclient import TestClient

    from gptwright.pipelines.load import load_decoder as load
    from gptwright.serving.api import create_app
    from gptwright.store.database import open_store

    folder = done / "07-ppo"
    ours = gptwright("generate", folder, "The old", "--temperature", "0", "--max-tokens", "12")
    with (
        open_store(done) as store,
        TestClient(create_app({folder.name: load(folder)}, store), base_url="http://127.0.0.1") as client,
    ):
        asked = {"model": folder.name, "prompt": "The old", "temperature": 0, "max_tokens": 12}
        served = client.post("/v1/completions", json=asked)
    assert served.status_code == 200, served.text
    assert served.json()["choices"][0]["text"] == ours.stdout.removesuffix("\n")


def test_the_report_and_the_chat(done: Path) -> None:
    report = gptwright("report", done)
    assert report.returncode == 0, report.stderr
    assert (done / "report.html").stat().st_size > 5000
    chat = gptwright("chat", done / "07-ppo", "--max-tokens", "8", given="Who walked?\n/reset\n/quit\n")
    assert chat.returncode == 0, chat.stderr
    assert "a new conversation" in chat.stderr


def test_a_flipped_bit_is_noticed_and_named(recipe: Path, done: Path, tmp_path: Path) -> None:
    import shutil

    run = tmp_path / "run"
    shutil.copytree(done, run)
    weights = run / "04-sft/model/model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-100] ^= 1
    weights.write_bytes(data)
    result = gptwright("generate", run / "04-sft", "The")
    assert result.returncode == 1
    assert "model.safetensors" in result.stderr
    assert "damaged" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_stage_folder_is_named(done: Path, tmp_path: Path) -> None:
    result = gptwright("sft", "--base", tmp_path / "none", "--tokens", done / "02-tokenize", "--conversations",
                       tmp_path / "talk.jsonl", "--out", tmp_path / "sft")  # fmt: skip
    assert result.returncode == 1
    assert str(tmp_path / "none") in result.stderr
    assert "Traceback" not in result.stderr
