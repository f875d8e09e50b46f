"""Clients as they are shipped, against our server: each in the way in which its own documentation calls it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

os.environ |= {"OPENAI_API_KEY": "none", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "HF_HUB_OFFLINE": "1",
               "TOKENIZERS_PARALLELISM": "false", "LANGSMITH_TRACING": "false"}  # fmt: skip
HERE, BIN = Path(__file__).parent, Path(sys.executable).parent
WEATHER: dict[str, Any] = {"type": "object", "properties": {"sunny": {"type": "boolean"}}, "required": ["sunny"],
                           "additionalProperties": False}  # fmt: skip
TOOL: Any = {"type": "function", "function": {"name": "tell", "description": "Tells it.", "parameters": WEATHER}}
HELLO: Any = [{"role": "user", "content": "How is the weather?"}]


@pytest.fixture
def base(address: str) -> str:
    return f"{address}/v1"


def test_openai(base: str) -> None:
    from openai import OpenAI

    client = OpenAI(base_url=base)
    assert client.models.list().data[0].id == "tiny"
    assert client.completions.create(model="tiny", prompt="the cat", max_tokens=4).choices[0].text
    reply = client.chat.completions.create(model="tiny", messages=HELLO, tools=[TOOL], tool_choice="required")
    (call,) = reply.choices[0].message.tool_calls or []
    assert call.type == "function" and set(json.loads(call.function.arguments)) == {"sunny"}
    assert client.responses.create(model="tiny", input="How?", max_output_tokens=4).output_text
    assert len(client.embeddings.create(model="tiny", input=["a cat", "a dog"]).data) == 2
    chunks = client.chat.completions.create(model="tiny", messages=HELLO, max_tokens=4, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def test_openai_for_javascript(base: str) -> None:
    script = HERE / "openai.mjs"
    modules = BIN.parent / "node/node_modules"
    told = subprocess.run(["node", str(script), str(modules), base], capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    assert found["models"] == ["tiny"] and found["streamed"] and found["vectors"] == 2
    assert set(json.loads(found["call"])) == {"sunny"} and found["refused"] == [400, "temperature"]


def test_llm(base: str, tmp_path: Path) -> None:
    models = [{"model_id": "tiny", "model_name": "tiny", "api_base": base},
              {"model_id": "text", "model_name": "tiny", "api_base": base, "completion": True}]  # fmt: skip
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps(models), encoding="utf-8")
    environment = {**os.environ, "LLM_USER_PATH": str(tmp_path)}
    for words in (["-m", "tiny", "How?"], ["-m", "tiny", "--no-stream", "How?"], ["-m", "text", "the cat"]):
        told = subprocess.run([str(BIN / "llm"), *words, "-o", "max_tokens", "8"], env=environment, capture_output=True,
                              text=True, timeout=60)  # fmt: skip
        assert told.returncode == 0 and told.stdout.strip(), told.stderr


def test_langchain_completions(base: str) -> None:
    from langchain_openai import OpenAI

    model = OpenAI(base_url=base, model="tiny")
    assert model.invoke("the cat")
    assert len(model.generate(["the cat", "a dog"]).generations) == 2
    assert "".join(model.stream("the cat"))


def test_langchain_chat(base: str, folder: Path) -> None:
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings

    model = ChatOpenAI(base_url=base, model="tiny", max_tokens=64)
    assert model.invoke("How?").response_metadata["finish_reason"] == "length"
    assert "".join(str(chunk.content) for chunk in model.stream("How?"))
    (call,) = model.bind_tools([TOOL], tool_choice="tell").invoke("How?").tool_calls
    assert call["name"] == "tell" and set(call["args"]) == {"sunny"}
    assert model.bind_tools([TOOL]).invoke("How?").type == "ai"
    schema = {"title": "weather", "description": "The weather.", **WEATHER}
    for method in ("json_schema", "function_calling"):
        found: Any = model.with_structured_output(schema, method=method).invoke("How?")
        assert set(found) == {"sunny"}
    vocabulary = json.loads((folder / "model/tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    ending = ChatOpenAI(base_url=base, model="tiny", model_kwargs={"logit_bias": {str(vocabulary["}"]): 100}})
    assert ending.with_structured_output(None, method="json_mode").invoke("How?") == {}
    embeddings = OpenAIEmbeddings(base_url=base, model="tiny", check_embedding_ctx_length=False)
    assert len(embeddings.embed_documents(["a cat", "a dog"])) == 2


def test_litellm(base: str) -> None:
    import litellm

    ask: Any = {"api_base": base, "api_key": "none"}
    assert litellm.completion("openai/tiny", HELLO, max_tokens=8, **ask).choices[0].finish_reason == "length"
    chunks = litellm.completion("openai/tiny", HELLO, max_tokens=8, stream=True, **ask)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert litellm.text_completion("the cat", "text-completion-openai/tiny", max_tokens=8, **ask).choices[0].text
    forced = litellm.completion("openai/tiny", HELLO, tools=[TOOL], tool_choice="required", **ask)
    assert set(json.loads(forced.choices[0].message.tool_calls[0].function.arguments)) == {"sunny"}
    assert len(litellm.embedding("openai/tiny", ["a cat", "a dog"], **ask).data) == 2
    long: Any = [{"role": "user", "content": "the cat " * 3000}]
    with pytest.raises(litellm.ContextWindowExceededError):
        litellm.completion("openai/tiny", long, **ask)
    with pytest.raises(litellm.BadRequestError):
        litellm.completion("openai/tiny", HELLO, temperature=9, **ask)


@pytest.mark.parametrize(("model", "options"), [
    ("openai/tiny", {}), ("openai/tiny", {"responses_api": True}), ("openai-api/ours/tiny", {}),
])  # fmt: skip
def test_inspect(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, options: Any) -> None:
    import inspect_ai
    from inspect_ai.dataset import Sample
    from inspect_ai.model import get_model
    from inspect_ai.scorer import includes

    monkeypatch.setenv("OURS_API_KEY", "none")
    task = inspect_ai.Task(dataset=[Sample("How?", target="the")], scorer=includes())
    made = get_model(model, base_url=base, memoize=False, **options)
    (log,) = inspect_ai.eval(task, model=made, log_dir=str(tmp_path), display="none", max_tokens=8)
    assert log.status == "success" and log.results and log.results.completed_samples == 1, log.error


TASKS = {
    "choice": {"output_type": "multiple_choice", "doc_to_text": "the cat sat on", "doc_to_choice": ["the mat", "a sea"],
               "doc_to_target": 0},
    "writing": {"output_type": "generate_until", "doc_to_text": "the cat", "doc_to_target": "sat",
                "generation_kwargs": {"until": ["\n", "Question:"], "max_gen_toks": 8},
                "metric_list": [{"metric": "exact_match"}]},
}  # fmt: skip


@pytest.mark.parametrize(("kind", "path", "tasks"), [
    ("local-completions", "completions", ["choice", "writing"]),
    ("local-chat-completions", "chat/completions", ["writing"]),
])  # fmt: skip
def test_lm_eval(base: str, folder: Path, tmp_path: Path, kind: str, path: str, tasks: list[str]) -> None:
    import lm_eval
    from lm_eval.tasks import TaskManager

    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"number": number}) + "\n" for number in range(6)), encoding="utf-8")
    for name in tasks:
        task = {"task": name, "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(rows)}},
                "test_split": "test", **TASKS[name]}  # fmt: skip
        (tmp_path / f"{name}.yaml").write_text(json.dumps(task), encoding="utf-8")
    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
    is_chat = kind == "local-chat-completions"
    found = lm_eval.simple_evaluate(
        model=kind, model_args={"model": "tiny", "base_url": f"{base}/{path}", "tokenizer": str(folder / "model")},
        tasks=tasks, task_manager=manager, batch_size=1 if is_chat else 3, apply_chat_template=is_chat,
        bootstrap_iters=0,
    )  # fmt: skip
    assert found and set(found["results"]) == set(tasks)
