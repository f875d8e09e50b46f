"""One tiny chain of stages, carried out once for all tests of this room, and the command line in this process."""

import json
import os
import pickle
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gptwright.cli import main
from gptwright.configs.clip import Clip
from gptwright.configs.codex import Codex
from gptwright.configs.finetune import Finetune
from gptwright.configs.ppo import PPO
from gptwright.configs.rank import Rank
from gptwright.configs.vision import Vision
from gptwright.models.bert import BERTConfig
from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.models.heads import Classifier
from gptwright.models.transformer import TransformerConfig
from gptwright.pipelines.export import export
from gptwright.recipes.stage import execute_stage
from gptwright.stages.prepare import Prepare
from gptwright.stages.pretrain import Pretrain
from gptwright.stages.reward import Reward
from gptwright.stages.sft import SFT
from gptwright.stages.tokenize import Tokenize
from gptwright.tokenizers.tokenizer import Tokenizer

# Held-out sentences share no word with those for training, so that a test can see where a text came from.
WORDS = {
    "train": "the old miller walked to a river and saw grey cat near boat while rain fell on roof",
    "heldout": "one young baker ran from that forest then heard two brown dogs under trees as snow covered hills",
}
TALK = [
    ("Who walked?", "The old miller walked."),
    ("What fell?", "The rain fell."),
    ("Who is grey?", "The cat is grey."),
]
TINY = GPT2Config(width=16, heads=2, layers=2, context=96)
LENGTH = 32


def write_lines(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def asked(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def said(question: str, answer: str) -> list[dict[str, str]]:
    return [*asked(question), {"role": "assistant", "content": answer}]


@dataclass(frozen=True)
class Said:
    """What a command left: its exit code, its results and its messages."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def gptwright(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`gptwright WORDS…`, in this process."""

    def command(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["gptwright", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return command


@pytest.fixture
def refused(gptwright: Command) -> Callable[..., str]:
    """Runs a command that must end with code 1 and a message in three parts, and gives the message."""

    def command(*words: object) -> str:
        done = gptwright(*words)
        assert done.code == 1, done.err
        assert re.search(r"^gptwright: needed .+; got .+\.\n  \S", done.err, re.MULTILINE | re.DOTALL), done.err
        assert done.out == ""
        return done.err

    return command


@dataclass(frozen=True)
class Ended:
    """What a process left: its exit code as a shell has it, its messages, and its changes of the stage's folder."""

    code: int
    said: str
    changes: list[str]


@pytest.fixture(scope="session")
def in_a_process() -> Iterator[Callable[..., Ended]]:
    """Carries out a stage in a process of its own, which a signal may end (`forks.py`)."""
    source = Path(sys.modules["gptwright"].__file__ or "").parents[1]
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, str(Path(__file__).with_name("forks.py"))]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as server:

        def ended(verb: str, config: Any, out: Path, at: int = 0, number: int = signal.SIGKILL) -> Ended:
            assert server.stdin and server.stdout
            server.stdin.write(pickle.dumps((verb, config, str(out), at, int(number))))
            server.stdin.flush()
            return Ended(*pickle.load(server.stdout))

        yield ended
        server.communicate()


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text, conversations and questions."""
    folder = tmp_path_factory.mktemp("material")
    dice = random.Random(0)
    documents = [
        {"text": _page(dice, WORDS[split].split()), "split": split}
        for split, count in (("train", 24), ("heldout", 4))
        for _ in range(count)
    ]
    write_lines(folder / "text.jsonl", documents)
    write_lines(folder / "talk.jsonl", [{"messages": said(q, a)} for q, a in TALK] * 6)
    write_lines(folder / "questions.jsonl", [{"messages": asked(q), "answer": a, "kind": "known"} for q, a in TALK])
    return folder


def _page(dice: random.Random, words: list[str]) -> str:
    sentences = [" ".join(dice.choices(words, k=20)).capitalize() + "." for _ in range(14)]
    return " ".join(sentences)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tiny chain lies."""
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="session")
def prepared(material: Path, run: Path) -> Path:
    return execute_stage("prepare", Prepare(data=(str(material / "text.jsonl"),)), run / "prepare").path


@pytest.fixture(scope="session")
def tokenized(prepared: Path, run: Path) -> Path:
    return execute_stage("tokenize", Tokenize(text=prepared, vocab=300), run / "tokenize").path


@pytest.fixture(scope="session")
def pretrain_config(tokenized: Path) -> Pretrain:
    return Pretrain(
        tokens=tokenized,
        model=TINY,
        steps=8,
        batch_size=2,
        sequence_length=LENGTH,
        warmup=2,
        threads=1,
        eval_every=4,
        save_every=2,
    )


@pytest.fixture(scope="session")
def pretrained(pretrain_config: Pretrain, run: Path) -> Path:
    return execute_stage("pretrain", pretrain_config, run / "pretrain").path


SOLUTIONS = [{"prompt": f"the {name} ", "completion": f"sat on the {name}"} for name in ("cat", "mat", "dog", "sea")]


@pytest.fixture(scope="session")
def solutions(material: Path) -> Path:
    path = material / "solutions.jsonl"
    lines = [*SOLUTIONS * 3, {"prompt": "a ", "completion": "b c d", "split": "heldout"}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture(scope="session")
def codex_config(pretrained: Path, tokenized: Path, solutions: Path) -> Codex:
    return Codex(base=pretrained, tokens=tokenized, solutions=(solutions,), steps=6, batch_size=2,
                 solutions_batch_size=3, sequence_length=24, eval_every=3, save_every=2, threads=1)  # fmt: skip


@pytest.fixture(scope="session")
def pictures(material: Path) -> Path:
    """A folder with twelve plain pictures in one file, their captions, and conversations about them."""
    folder = material / "pictures"
    folder.mkdir()
    sheet = Image.new("RGB", (12 * 8, 8))
    captions: list[dict[str, Any]] = []
    talk: list[dict[str, Any]] = []
    for number in range(12):
        sheet.paste((20 * number, 240 - 20 * number, 99), (8 * number, 0, 8 * number + 8, 8))
        name, split = f"sheet.png#xywh={8 * number},0,8,8", "heldout" if number % 4 == 3 else "train"
        captions.append({"image": name, "text": f"the cat {number}", "split": split})
        parts = [{"type": "image_url", "image_url": {"url": name}}, {"type": "text", "text": "Who fell?"}]
        turns = [{"role": "user", "content": parts}, {"role": "assistant", "content": f"The rain {number}."}]
        talk.append({"messages": turns, "split": split})
    sheet.save(folder / "sheet.png")
    write_lines(folder / "captions.jsonl", captions)
    write_lines(folder / "talk.jsonl", talk)
    return folder


@pytest.fixture(scope="session")
def clip_config(tokenized: Path, pictures: Path) -> Clip:
    return Clip(captions=(pictures / "captions.jsonl",), tokens=tokenized, preset="clip-nano", steps=6,
                batch_size=4, warmup=1, eval_every=3, save_every=2, threads=1)  # fmt: skip


@pytest.fixture(scope="session")
def clip(clip_config: Clip, run: Path) -> Path:
    return execute_stage("clip", clip_config, run / "clip").path


@pytest.fixture(scope="session")
def vision_config(tuned: Path, clip: Path, tokenized: Path, pictures: Path) -> Vision:
    return Vision(base=tuned, encoder=clip, conversations=(pictures / "talk.jsonl",), tokens=tokenized, steps=6,
                  batch_size=4, sequence_length=LENGTH, warmup=1, save_every=2, threads=1)  # fmt: skip


@pytest.fixture(scope="session")
def seeing(vision_config: Vision, run: Path) -> Path:
    return execute_stage("vision", vision_config, run / "vision").path


@pytest.fixture(scope="session")
def encoder_config(prepared: Path, run: Path) -> Pretrain:
    tokens = execute_stage(
        "tokenize", Tokenize(text=prepared, vocab=180, kind="wordpiece"), run / "tokenize-pieces"
    ).path
    return Pretrain(
        tokens=tokens,
        model=BERTConfig(width=16, heads=2, layers=2, context=48),
        steps=12,
        batch_size=2,
        sequence_length=LENGTH,
        warmup=2,
        threads=1,
        eval_every=6,
        save_every=3,
    )


@pytest.fixture(scope="session")
def encoder(encoder_config: Pretrain, run: Path) -> Path:
    return execute_stage("pretrain", encoder_config, run / "encoder").path


@pytest.fixture(scope="session")
def pairs(material: Path) -> Path:
    """Sentences and what they are word by word in another language: the same words backwards."""
    dice = random.Random(1)
    lines: list[dict[str, Any]] = []
    for split, count in (("train", 40), ("heldout", 6)):
        for _ in range(count):
            words = dice.choices(WORDS["train"].split(), k=dice.randint(2, 6))
            lines.append({"source": " ".join(words), "target": " ".join(w[::-1] for w in words), "split": split})
    return write_lines(material / "pairs.jsonl", lines)


@pytest.fixture(scope="session")
def tokenized_pairs(pairs: Path, run: Path) -> Path:
    return execute_stage("tokenize", Tokenize(pairs=pairs, vocab=300), run / "tokenize-pairs").path


@pytest.fixture(scope="session")
def translate_config(tokenized_pairs: Path) -> Pretrain:
    return Pretrain(
        tokens=tokenized_pairs,
        model=TransformerConfig(context=64, width=16, heads=2, layers=1, hidden=32),
        steps=9,
        batch_size=4,
        sequence_length=LENGTH,
        warmup=2,
        schedule="inverse-root",
        threads=1,
        eval_every=6,
        save_every=2,
        average_checkpoints=3,
    )


@pytest.fixture(scope="session")
def translator(translate_config: Pretrain, run: Path) -> Path:
    return execute_stage("pretrain", translate_config, run / "pretrain-pairs").path


@pytest.fixture(scope="session")
def labelled(material: Path) -> dict[str, Path]:
    """A small table of every task shape, a quarter of it held out."""
    dice = random.Random(2)
    words = WORDS["train"].split()
    tables: dict[str, list[dict[str, Any]]] = {"classification": [], "entailment": [], "similarity": [],
                                               "multiple-choice": []}  # fmt: skip
    for number in range(24):
        split = "train" if number % 4 else "heldout"
        one, other = (" ".join(dice.choices(words, k=4)) for _ in range(2))
        same, label = dice.random() < 0.5, {"split": split}
        tables["classification"].append({"text": one, "label": "river" if "river" in one else "dry", **label})
        tables["entailment"].append({"premise": one, "hypothesis": one[:9] if same else other,
                                     "label": "yes" if same else "no", **label})  # fmt: skip
        shared = len({*one.split()} & {*other.split()})
        tables["similarity"].append({"first": one, "second": other, "label": shared, **label})
        tables["multiple-choice"].append({"context": one, "choices": [other, one[:9], "boat"], "label": 1, **label})
    return {shape: write_lines(material / f"{shape}.jsonl", lines) for shape, lines in tables.items()}


@pytest.fixture(scope="session")
def finetune_config(pretrained: Path, labelled: dict[str, Path]) -> Finetune:
    data = (labelled["similarity"],)
    return Finetune(base=pretrained, data=data, shape="similarity", steps=4, batch_size=4, threads=1, save_every=1)


@pytest.fixture(scope="session")
def finetuned(finetune_config: Finetune, run: Path) -> Path:
    return execute_stage("finetune", finetune_config, run / "finetune").path


@pytest.fixture(scope="session")
def sft_config(pretrained: Path, tokenized: Path, prepared: Path, material: Path) -> SFT:
    return SFT(
        base=pretrained,
        conversations=(material / "talk.jsonl",),
        tokens=tokenized,
        text=prepared,
        questions=material / "questions.jsonl",
        steps=4,
        batch_size=2,
        continuations=8,
        ptx_batch_size=1,
        sequence_length=LENGTH,
        threads=1,
        save_every=2,
    )


@pytest.fixture(scope="session")
def tuned(sft_config: SFT, run: Path) -> Path:
    return execute_stage("sft", sft_config, run / "sft").path


@pytest.fixture(scope="session")
def rank_config(tuned: Path, prepared: Path) -> Rank:
    return Rank(model=tuned, text=prepared, train_prompts=8, heldout_prompts=4, answers=3, max_tokens=8, threads=1)


@pytest.fixture(scope="session")
def ranked(rank_config: Rank, run: Path) -> Path:
    return execute_stage("rank", rank_config, run / "rank").path


@pytest.fixture(scope="session")
def rankings(material: Path) -> Path:
    """Rankings without a split: twelve prompts, three answers each."""
    answers = ["The cat saw a boat.", "Miller walked river roof.", "Fell."]
    lines = [{"messages": asked(f"Question {i}?"), "answers": answers, "ranks": [1, 2, 3]} for i in range(12)]
    return write_lines(material / "rankings.jsonl", lines)


@pytest.fixture(scope="session")
def reward_config(tuned: Path, rankings: Path) -> Reward:
    return Reward(base=tuned, rankings=(rankings,), steps=3, batch_size=2, threads=1, save_every=1)


@pytest.fixture(scope="session")
def rewarded(reward_config: Reward, run: Path) -> Path:
    return execute_stage("reward", reward_config, run / "reward").path


@pytest.fixture(scope="session")
def ppo_config(tuned: Path, rewarded: Path, ranked: Path, tokenized: Path, material: Path) -> PPO:
    return PPO(
        policy=tuned,
        reward=rewarded,
        prompts=ranked / "prompts.jsonl",
        tokens=tokenized,
        conversations=(material / "talk.jsonl",),
        questions=material / "questions.jsonl",
        updates=2,
        episodes=4,
        max_tokens=6,
        ptx_batch_size=1,
        sft_batch_size=2,
        sequence_length=LENGTH,
        threads=1,
        save_every=1,
        heldout_prompts=4,
    )


@pytest.fixture(scope="session")
def improved(ppo_config: PPO, run: Path) -> Path:
    return execute_stage("ppo", ppo_config, run / "ppo").path


@pytest.fixture
def judge(network: GPT2, tokenizer: Tokenizer, tmp_path: Path) -> Path:
    """A classifier's folder."""
    export(Classifier(network, ("fine", "insult", "threat")), tokenizer, tmp_path / "judge")
    return tmp_path / "judge"
