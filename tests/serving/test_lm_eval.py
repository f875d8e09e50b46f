"""lm-evaluation-harness, unmodified: five tasks by its own Hugging Face backend, by our models as its LM, through our
server as it talks to any, and by `evaluate`: every document's log-likelihoods are equal.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from gptwright.evaluation.harness.fewshot import Shots
from gptwright.evaluation.harness.run import evaluate
from gptwright.evaluation.harness.task_config import read_task
from gptwright.models.gpt2 import GPT2
from gptwright.pipelines.load import load_decoder
from gptwright.pipelines.model import Model
from gptwright.serving.api import create_app
from gptwright.store.database import Store
from gptwright.tokenizers.tokenizer import Tokenizer
from tokenizers import Tokenizer as Backend
from tokenizers import processors

pytestmark = [pytest.mark.lm_eval, pytest.mark.filterwarnings("ignore")]
SHOTS, SEED = 1, 1234
ROWS = [
    {"text": "the cat sat on the mat", "choices": ["mat", "sea", "big dog"], "label": 0, "name": "the cat"},
    {"text": "a dog ran to the sea and the cat", "choices": ["cat", "mat"], "label": 0, "name": "a dog"},
    {"text": "we ran and sat", "choices": ["sat", "dog sat", "sea"], "label": 1, "name": "we"},
    {"text": "the sea ran to the dog", "choices": ["dog", "the cat"], "label": 0, "name": "the sea"},
]
Found = dict[str, list[list[float]]]
TASKS: Mapping[str, Mapping[str, Any]] = {
    "last_word": {"output_type": "loglikelihood", "doc_to_text": "{{text.split(' ')[:-1]|join(' ')}}",
                  "doc_to_target": "{{' ' + text.split(' ')[-1]}}", "target_delimiter": "",
                  "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}]},
    "choice": {"output_type": "multiple_choice", "doc_to_text": "{{name}} sat on", "doc_to_choice": "choices",
               "doc_to_target": "label"},
    "choice_without_blank": {"output_type": "multiple_choice", "doc_to_text": "{{name}} ran to ",
                             "doc_to_choice": "choices", "doc_to_target": "label", "target_delimiter": ""},
    "partial": {"output_type": "multiple_choice", "doc_to_text": "label",
                "doc_to_choice": "{{['the ' + choices[0], 'a ' + choices[1]]}}", "doc_to_target": "and {{text}}"},
    "rolling": {"output_type": "loglikelihood_rolling", "doc_to_text": "",
                "doc_to_target": "{{(text + ' ') * 9}}",
                "metric_list": [{"metric": "bits_per_byte"}]},
}  # fmt: skip


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """A folder of task files that both harnesses read."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    for name, fields in TASKS.items():
        task = {"task": name, "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(data)}},
                "test_split": "test", "num_fewshot": 0 if name == "rolling" else SHOTS, **fields}  # fmt: skip
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(task), encoding="utf-8")
    return folder


@pytest.fixture
def model(network: GPT2, tokenizer: Tokenizer, tmp_path: Path) -> Model:
    """It puts nothing before a text: lm-eval's backend would put it there twice when it reads whole texts."""
    backend = Backend.from_str(tokenizer.backend.to_str())
    backend.post_processor = processors.ByteLevel(trim_offsets=False)
    bare = Tokenizer(backend, replace(tokenizer.special_tokens, bos=None))
    Model(network, bare, "tiny").save(tmp_path / "model")
    return load_decoder(tmp_path / "model", dtype="float32")


def theirs(lm: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Found:
    """The log-likelihoods of every document, by task, as lm-eval asks for them."""
    import lm_eval  # pyright: ignore[reportMissingImports]
    from lm_eval.tasks import TaskManager  # pyright: ignore[reportMissingImports]

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    found = lm_eval.simple_evaluate(model=lm, tasks=[*TASKS], task_manager=manager, bootstrap_iters=0,
                                    fewshot_random_seed=SEED)  # fmt: skip
    logprobs: Found = {}
    for name, samples in found["samples"].items():
        rows = sorted(samples, key=lambda row: row["doc_id"])
        logprobs[name] = [[first(reply[0]) for reply in row["resps"]] for row in rows]
    return logprobs


def first(reply: Any) -> float:
    """A pair of log-likelihood and greediness, or the log-likelihood alone."""
    return float(reply[0] if isinstance(reply, list | tuple) else reply)


def ours(model: Model, folder: Path) -> Found:
    found: Found = {}
    for name in TASKS:
        task = read_task(folder / f"{name}.yaml")
        documents = evaluate(model, task, Shots(task.num_fewshot or 0, SEED, "document")).documents
        found[name] = [document["logprobs"] for document in documents]
        if name == "rolling":  # lm-eval adds the windows of a text up
            found[name] = [[sum(windows)] for windows in found[name]]
    return found


def assert_equal(a: Found, b: Found) -> None:
    assert a.keys() == b.keys()
    for name, documents in a.items():
        assert len(documents) == len(b[name]) == len(ROWS)
        for mine, other in zip(documents, b[name], strict=True):
            assert mine == pytest.approx(other, abs=1e-5, rel=1e-5), name


@pytest.fixture
def expected(model: Model, tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Found:
    """What lm-eval's own Hugging Face backend says."""
    from lm_eval.models.huggingface import HFLM  # pyright: ignore[reportMissingImports]

    backend = HFLM(pretrained=str(tmp_path / "model"), device="cpu", dtype="float32", batch_size=2,
                   prefix_token_id=model.tokenizer.eos_id)  # fmt: skip
    return theirs(backend, tasks, monkeypatch)


def test_evaluate_says_what_lm_eval_says_on_its_own_backend(model: Model, tasks: Path, expected: Found) -> None:
    assert_equal(ours(model, tasks), expected)


def test_our_models_are_an_lm_of_lm_eval(
    model: Model, tasks: Path, expected: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gptwright.evaluation.lm_eval_model import GPTWrightLM

    assert_equal(theirs(GPTWrightLM(model), tasks, monkeypatch), expected)


def test_its_client_of_completions_scores_through_our_server(
    model: Model, tasks: Path, expected: Found, serve: Any, store: Store, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from lm_eval.models.openai_completions import LocalCompletionsAPI  # pyright: ignore[reportMissingImports]

    with serve(create_app({model.name: model}, store)) as address:
        client = LocalCompletionsAPI(model=model.name, base_url=f"{address}/v1/completions", batch_size=2,
                                     tokenizer=str(tmp_path / "model"), tokenizer_backend="huggingface",
                                     max_length=model.context,
                                     custom_prefix_token_id=model.tokenizer.eos_id)  # fmt: skip
        found = theirs(client, tasks, monkeypatch)
    windows = found.pop("rolling"), expected.pop("rolling")
    assert_equal(found, expected)
    for mine, other in zip(*windows, strict=True):  # this client's windows are one token shorter than its backend's
        assert mine == pytest.approx(other, rel=1e-3)


def test_its_answers_are_ours(model: Model) -> None:
    from lm_eval.api.instance import Instance  # pyright: ignore[reportMissingImports]

    from gptwright.evaluation.lm_eval_model import GPTWrightLM

    wishes = [("the cat sat", {"until": ["."], "max_gen_toks": 6}), ("a dog", {"until": "mat", "max_gen_toks": 9}),
              ("we ran", {"until": ["."], "max_gen_toks": 6})]  # fmt: skip
    requests = [Instance("generate_until", {}, pair, number) for number, pair in enumerate(wishes)]
    answers = GPTWrightLM(model).generate_until(requests)
    alone = [model.generate(context, max_tokens=how["max_gen_toks"], temperature=0) for context, how in wishes]
    assert answers == [text.split(how["until"][0] if isinstance(how["until"], list) else how["until"])[0]
                       for text, (_, how) in zip(alone, wishes, strict=True)]  # fmt: skip
