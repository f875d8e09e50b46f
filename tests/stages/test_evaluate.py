"""evaluate: the table, the files, the choice of tasks."""

import json
from pathlib import Path

import pytest

from gptwright.configs.evaluate import Evaluate
from gptwright.evaluation.harness.tasks import find_tasks
from gptwright.evaluation.induction import induction_scores
from gptwright.foundations.errors import ConfigError, InputError
from gptwright.models.gpt2 import GPT2
from gptwright.pipelines.model import Model
from gptwright.stages.evaluate import run
from gptwright.tokenizers.tokenizer import Tokenizer

TASK = """
task: {name}
tag: animals
dataset_path: json
dataset_kwargs: {{data_files: {{test: animals.jsonl}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "the {{{{n}}}} sat on the"
doc_to_target: label
doc_to_choice: [mat, sea]
num_fewshot: 1
"""


@pytest.fixture
def folder(network: GPT2, tokenizer: Tokenizer, tmp_path: Path) -> Path:
    Model(network, tokenizer, "tiny").save(tmp_path / "model")
    (tmp_path / "tasks").mkdir()
    for name in ("cats", "dogs"):
        (tmp_path / f"tasks/{name}.yaml").write_text(TASK.format(name=name), "utf-8")
    rows = [{"n": n, "label": n % 2} for n in range(5)]
    (tmp_path / "animals.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return tmp_path


def test_sizes_are_kept_and_tokens_where_a_record_tells(folder: Path, network: GPT2, tokenizer: Tokenizer) -> None:
    for name, verb, told in (("pre", "pretrain", {"tokens": 4096}), ("sft", "sft", {})):
        Model(network, tokenizer, name).save(folder / name / "model")
        record = {"verb": verb, "state": "complete", "config": {"base": str(folder / "pre")}, "metrics": told}
        (folder / name / "stage.json").write_text(json.dumps(record), "utf-8")
    run(Evaluate(model=folder / "sft", compare=(folder / "model",), tasks=str(folder / "tasks/cats.yaml"), limit=2,
                 task_data=folder, out=folder / "out", threads=1))  # fmt: skip
    size = sum(parameter.numel() for parameter in network.parameters())
    assert json.loads((folder / "out/results.json").read_text("utf-8"))["models"] == [
        {"model": "sft", "parameters": size, "tokens": 4096},
        {"model": "model", "parameters": size, "tokens": None},
    ]


def test_it_prints_a_table_and_leaves_every_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = Evaluate(model=folder / "model", tasks=str(folder / "tasks"), shots="0,2", limit=4, task_data=folder,
                     out=folder / "out", threads=1)  # fmt: skip
    run(asked)
    printed = capsys.readouterr()
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.out.splitlines()]
    assert lines[0] == ["task", "shots", "figure", "value", "95 % interval", "documents"]
    assert [line[:3] for line in lines if line[2] == "acc"] == [[t, k, "acc"] for t in ("cats", "dogs") for k in "02"]
    assert "seed 1234" in printed.err
    results = json.loads((folder / "out/results.json").read_text("utf-8"))
    assert results["settings"]["seed"] == 1234 and len(results["results"]) == 4
    first = results["results"][0]
    documents = [json.loads(line) for line in (folder / "out/cats-0.jsonl").read_text("utf-8").splitlines()]
    assert (first["task"], first["shots"], first["evaluation"]["estimates"]["acc"]["count"], len(documents)) == (
        "cats",
        0,
        4,
        4,
    )
    assert sum(each["scores"]["acc"] for each in documents) / 4 == first["evaluation"]["estimates"]["acc"]["value"]
    assert documents[0]["prompt"] == "the 0 sat on the" and len(documents[0]["logprobs"]) == 2
    before = (folder / "out/dogs-2.jsonl").read_bytes()
    run(asked)
    assert (folder / "out/dogs-2.jsonl").read_bytes() == before


def test_heads_are_asked_about_tokens_of_the_prompts(
    folder: Path, network: GPT2, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[set[int]] = []
    monkeypatch.setattr("gptwright.stages.evaluate.induction_scores",
                        lambda _, ids: asked.append(ids) or induction_scores(network))  # fmt: skip
    run(Evaluate(model=folder / "model", tasks=str(folder / "tasks/cats.yaml"), shots="0,1", task_data=folder,
                 out=folder / "out", threads=1))  # fmt: skip
    written = "".join((folder / f"out/cats-{shots}.jsonl").read_text("utf-8") for shots in (0, 1))
    prompts = [json.loads(line)["prompt"] for line in written.splitlines()]
    assert asked == [{id for prompt in prompts for id in tokenizer.encode(prompt)}]
    assert 1 < len(asked[0]) < network.config.vocab


def test_the_task_says_how_many_examples_when_nobody_else_does(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(Evaluate(model=folder / "model", tasks=str(folder / "tasks/cats.yaml"), task_data=folder, threads=1))
    assert "1-shot" in capsys.readouterr().err


def test_tasks_are_found_by_path_name_and_tag(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cats, dogs = folder / "tasks/cats.yaml", folder / "tasks/dogs.yaml"
    assert [task.task for task in find_tasks(f"{dogs}, {cats},{dogs}")] == ["dogs", "cats"]
    monkeypatch.setattr("gptwright.evaluation.harness.tasks.TASK_FILES", folder / "tasks")
    assert [task.task for task in find_tasks("dogs,animals")] == ["dogs", "cats"]
    with pytest.raises(InputError, match="Did you mean 'cats'"):
        find_tasks("cat")


def test_two_models_are_compared_on_the_same_documents(
    folder: Path, network: GPT2, tokenizer: Tokenizer, capsys: pytest.CaptureFixture[str]
) -> None:
    Model(network, tokenizer, "same").save(folder / "same")
    run(Evaluate(model=folder / "model", compare=(folder / "same",), tasks=str(folder / "tasks"), shots="0,1",
                 task_data=folder, shuffle_labels=True, out=folder / "out", threads=1))  # fmt: skip
    printed = capsys.readouterr().out
    assert (folder / "out/comparison.md").read_text("utf-8") == printed
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines()]
    assert rows[0] == ["task", "shots", "figure", "model", "same"]
    (row,) = [row for row in rows if row[:4] == ["cats", "1", "acc", "model − same"]]
    assert row[4:] == ["+0", "0 to 0", "1", "5", "may be chance"]
    for name in ("cats-0", "dogs-1", "dogs-1-shuffled"):
        one, other = (folder / f"out/{model}/{name}.jsonl" for model in ("model", "same"))
        assert one.read_bytes() == other.read_bytes()
    found = json.loads((folder / "out/results.json").read_text("utf-8"))["results"]
    assert len(found) == 12 and {each["model"] for each in found} == {"model", "same"}
    page = (folder / "out/evaluation.html").read_text("utf-8")
    assert "it cannot be said that this model learns the task from examples" in page and "Induction heads" in page
    with pytest.raises(ConfigError, match="different models"):
        run(Evaluate(model=folder / "model", compare=(folder / "model",), tasks=str(folder / "tasks"), threads=1))
    assert "<script" not in page and "http" not in page.replace("http-equiv", "")


def test_what_is_no_list_is_refused() -> None:
    for wrong in ({"tasks": "a,,b"}, {"tasks": ""}, {"tasks": "a", "shots": "1;2"}, {"tasks": "a", "shots": "-1"}):
        with pytest.raises(ConfigError):
            Evaluate(model=Path("m"), **wrong)
