"""nanochat's CORE, against its own way of cutting and scoring, done here by hand."""

import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gptwright.evaluation.harness.core_config import read_core
from gptwright.evaluation.harness.nanochat_core import evaluate_core
from gptwright.evaluation.harness.tasks import find_tasks
from gptwright.foundations.errors import InputError
from gptwright.pipelines.model import Model

WORDS = ["mat", "sea", "dog", "cat"]
DATA = {
    "choice": [{"query": f"we ran {i} to", "choices": WORDS, "gold": i % 4} for i in range(6)],
    "schema": [{"context_options": [f"the {w} {i}" for w in WORDS[:2]], "continuation": "is warm", "gold": i % 2}
               for i in range(6)],
    "words": [{"context": f"the cat {i} sat on ", "continuation": f"the {WORDS[i % 4]}"} for i in range(6)],
}  # fmt: skip
TYPES = {"choice": "multiple_choice", "schema": "schema", "words": "language_modeling"}


def write(folder: Path, shots: int) -> Path:
    (folder / "eval_data").mkdir(exist_ok=True)
    for name, rows in DATA.items():
        (folder / f"eval_data/{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    tasks = [{"label": name, "icl_task_type": kind, "dataset_uri": f"{name}.jsonl", "num_fewshot": [shots],
              "has_categories": False, "continuation_delimiter": ": " if name == "schema" else " "}
             for name, kind in TYPES.items()]  # fmt: skip
    (folder / "core.yaml").write_text(yaml.safe_dump({"icl_tasks": tasks}), "utf-8")
    with (folder / "eval_meta_data.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["Eval Task", "Random baseline"], ["choice", 25], ["schema", 50], ["words", 0]])
    return folder / "core.yaml"


class ByHand:
    """Every prompt as a row of its own, as nanochat scores them."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def ids(self, text: str) -> list[int]:
        return [self.model.tokenizer.bos_id or 0, *self.model.tokenizer.encode(text)]

    def losses(self, ids: list[int]) -> tuple[list[float], list[bool]]:
        """Of ids[1:], and whether each was the likeliest."""
        scores = self.model.network(torch.tensor([ids]))[0, :-1].log_softmax(-1)
        return [-float(row[id]) for row, id in zip(scores, ids[1:], strict=True)], [
            int(row.argmax()) == id for row, id in zip(scores, ids[1:], strict=True)
        ]

    def right(self, kind: str, rows: list[dict[str, Any]], place: int, shots: int, delimiter: str) -> bool:
        row = rows[place]
        others = [
            rows[i] for i in random.Random(1234 + place).sample([i for i in range(len(rows)) if i != place], shots)
        ]
        if kind == "language_modeling":
            before = "".join(f"{o['context'].strip()}{delimiter}{o['continuation']}\n\n" for o in others)
            short = self.ids((before + row["context"].strip() + delimiter).strip())
            whole = self.ids(before + row["context"].strip() + delimiter + row["continuation"])
            assert whole[: len(short)] == short
            return all(self.losses(whole)[1][len(short) - 1 :])
        if kind == "multiple_choice":
            before = "".join(f"{o['query']}{delimiter}{o['choices'][o['gold']]}\n\n" for o in others)
            ids = [self.ids(f"{before}{row['query']}{delimiter}{choice}") for choice in row["choices"]]
            start = next(i for i, column in enumerate(zip(*ids, strict=False)) if len(set(column)) > 1)
            means = [sum(self.losses(each)[0][start - 1 :]) / (len(each) - start) for each in ids]
        else:
            before = "".join(f"{o['context_options'][o['gold']]}{delimiter}{o['continuation']}\n\n" for o in others)
            ids = [self.ids(f"{before}{option}{delimiter}{row['continuation']}") for option in row["context_options"]]
            ends = zip(*(each[::-1] for each in ids), strict=False)
            same = next(i for i, column in enumerate(ends) if len(set(column)) > 1)
            means = [sum(self.losses(each)[0][-same:]) / same for each in ids]
        return means.index(min(means)) == row["gold"]


@pytest.mark.parametrize("shots", [0, 2])
def test_its_tasks_are_scored_as_by_nanochat(model: Model, tmp_path: Path, shots: int) -> None:
    core = read_core(write(tmp_path, shots))
    by_hand = ByHand(model)
    *results, whole = evaluate_core(model, core, limit=5)
    centered = []
    for result, chance in zip(results, (0.25, 0.5, 0.0), strict=True):
        rows = [dict(row) for row in DATA[result.task]]
        random.Random(1337).shuffle(rows)
        rows = rows[:5]
        delimiter = ": " if result.task == "schema" else " "
        right = [by_hand.right(TYPES[result.task], rows, i, shots, delimiter) for i in range(5)]
        assert [bool(next(iter(document["scores"].values()))) for document in result.documents] == right
        assert result.evaluation.estimates["acc"].value == sum(right) / 5
        centered.append((sum(right) / 5 - chance) / (1 - chance))
        assert result.evaluation.metrics["centered"] == pytest.approx(centered[-1])
    assert (whole.task, whole.evaluation.metrics["centered"]) == ("CORE", pytest.approx(sum(centered) / 3))


def test_the_list_is_known_by_its_file_and_by_its_folder(tmp_path: Path) -> None:
    path = write(tmp_path, 0)
    assert find_tasks(str(path)) == find_tasks(str(tmp_path)) == [read_core(path)]


def test_what_is_amiss_in_it_is_named(model: Model, tmp_path: Path) -> None:
    path = write(tmp_path, 0)
    (tmp_path / "eval_data/choice.jsonl").write_text('{"query": "we", "gold": 0}\n', "utf-8")
    with pytest.raises(InputError, match="the fields of multiple_choice in line 1 of"):
        evaluate_core(model, read_core(path))
    (tmp_path / "eval_meta_data.csv").write_text("Eval Task,Random baseline\nother,25\n", "utf-8")
    with pytest.raises(InputError, match="what chance scores in choice"):
        evaluate_core(model, read_core(path))
    path.write_text(path.read_text("utf-8").replace("schema\n", "schemata\n"), "utf-8")
    with pytest.raises(InputError, match="icl_task_type"):
        read_core(path)
