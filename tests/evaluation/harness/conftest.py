"""Tasks as small files, and a model that was told the answers."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gptwright.evaluation.harness.task_config import TaskConfig, read_task
from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.pipelines.model import Model
from gptwright.tokenizers.tokenizer import Tokenizer

PLACES = ["mat", "sea", "dog", "cat"]
Rows = Sequence[dict[str, Any]]
MakeTask = Callable[..., TaskConfig]


def questions(count: int = 24) -> list[dict[str, Any]]:
    """Which of four words belongs to a number: nothing in the question says it."""
    return [{"n": i, "choices": PLACES, "label": (i * i + i // 3) % 4} for i in range(count)]


@pytest.fixture
def make_task(tmp_path: Path) -> MakeTask:
    """A task in a file, with documents for each split."""

    def make(test: Rows, train: Rows | None = None, **fields: Any) -> TaskConfig:
        splits = {"test": test} | ({"train": train} if train is not None else {})
        for split, rows in splits.items():
            (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        said = {
            "task": "made", "dataset_path": "json", "test_split": "test", "output_type": "multiple_choice",
            "dataset_kwargs": {"data_files": {split: f"{split}.jsonl" for split in splits}},
            **({"training_split": "train"} if train is not None else {}),
            "doc_to_text": "we ran {{n}} to", "doc_to_target": "label", "doc_to_choice": "choices", **fields,
        }  # fmt: skip
        path = tmp_path / "made.yaml"
        path.write_text(yaml.safe_dump(said), "utf-8")
        return read_task(path)

    return make


@pytest.fixture
def model(network: GPT2, tokenizer: Tokenizer) -> Model:
    return Model(network, tokenizer, "tiny", dtype="float32")


@pytest.fixture(scope="session")
def told(tokenizer: Tokenizer) -> Model:
    """It has learned by heart what follows each question, and the line end after it."""
    torch.manual_seed(0)
    texts = [f"we ran {row['n']} to {PLACES[row['label']]}\n\nwe" for row in questions()]
    rows = [[tokenizer.bos_id, *tokenizer.encode(text)] for text in texts]
    ids = torch.tensor([row + [tokenizer.eos_id] * (max(map(len, rows)) - len(row)) for row in rows])
    network = GPT2(GPT2Config(vocab=tokenizer.vocab, context=64, width=64, heads=4, layers=2))
    network.initialise(0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(150):
        optimizer.zero_grad()
        logits = network(ids)[:, :-1]
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).backward()
        optimizer.step()
    return Model(network.requires_grad_(False).eval(), tokenizer, "told", dtype="float32")
