"""The verb: what it checks first, what it prints, how it ends."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
import torch
import tyro
from fastapi import FastAPI
from fastapi.testclient import TestClient
from torch import nn

from gptwright.configs.validation import Dtype
from gptwright.foundations.errors import ArtifactError, ConfigError, InputError, ResourceError
from gptwright.inference.packed_model import KERNELS
from gptwright.inference.sampling import Sampling
from gptwright.layers.lora import add_lora, lora_layers
from gptwright.models.formats.huggingface import read_model
from gptwright.models.formats.peft import write_adapter
from gptwright.models.gpt2 import GPT2
from gptwright.pipelines.export import export
from gptwright.pipelines.load import load_decoder
from gptwright.pipelines.resolve import run_folder
from gptwright.stages.serve import Serve, read_aliases, read_keys, run
from gptwright.store.feedback_file import open_run_store
from gptwright.store.passwords import set_password
from gptwright.store.people import add_user
from gptwright.tokenizers.tokenizer import Tokenizer


def test_the_command_line() -> None:
    config = tyro.cli(Serve, args=["runs/start/06-ppo", "--port", "9000", "--api-key", "secret"])
    assert config == Serve(models=(Path("runs/start/06-ppo"),), port=9000, api_key="secret")


@pytest.mark.parametrize("wrong", [{"kv_cache_gb": 0.0}, {"max_requests": 0}])
def test_settings_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"above 0|from 1 to"):
        Serve(models=(Path("x"),), **wrong)


def test_the_formats_are_those_of_the_engine() -> None:
    assert set(get_args(Dtype)) == {"auto", *KERNELS}


def test_the_port_is_looked_at_before_the_model(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(ResourceError, match="--port"):
        run(Serve(models=(tmp_path / "nothing",), port=other.getsockname()[1]))


def test_a_public_address_needs_a_key_or_an_owner_with_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loaded(_: Serve) -> None:
        raise ArtifactError("a model", "none", "Train one.")

    monkeypatch.setattr("gptwright.stages.serve._load", loaded)
    stage = tmp_path / "start" / "06-ppo"
    (stage / "model").mkdir(parents=True)
    (stage / "stage.json").write_text("{}")
    (stage / "model" / "config.json").write_text("{}")
    for role in ("chatter", "owner"):
        with pytest.raises(ConfigError, match="--api-key"):
            run(Serve(models=(stage,), host="0.0.0.0", port=0))
        with open_run_store(run_folder(stage)) as store, store.write() as session:
            add_user(session, role, role)
            set_password(session, role, "hash")
    with pytest.raises(ArtifactError):
        run(Serve(models=(stage,), host="0.0.0.0", port=0))


def test_no_model_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing there"):
        run(Serve(models=(tmp_path / "nothing",), port=0))


def test_the_store_lies_beside_the_stage(tmp_path: Path) -> None:
    stage = tmp_path / "start" / "06-ppo"
    (stage / "model").mkdir(parents=True)
    (stage / "stage.json").write_text("{}")
    for model in (stage, stage / "model"):
        with open_run_store(run_folder(model)) as store:
            assert store.name == str(tmp_path / "start" / "store.sqlite")
    with open_run_store(run_folder(stage), str(tmp_path / "other.sqlite")) as store:
        assert store.name == str(tmp_path / "other.sqlite")


PROGRAM = """
import sys
from pathlib import Path
import gptwright.pipelines.load as opening
from gptwright.inference.stream import Chunk
from gptwright.inference.sampling import Sampling
from gptwright.stages.serve import Serve, run

class Fake:
    name, context, sampling, max_requests, vocab = "tiny", 64, Sampling(), 1, 9
    tokenizer = property(lambda self: self)
    engine = property(lambda self: self)
    def matcher(self, sampling, starts_text):
        pass
    def chat_ids(self, messages, *_):
        return [1]
    def open_stream(self, ids, sampling, **_):
        return self
    def embeddings(self, rows):
        return []
    def step(self):
        pass
    def next(self):
        return Chunk("hello", "stop", 1, 1)

opening.load_served = lambda path, **_: Fake()
opening.weights_hash = lambda path: ""
run(Serve(models=(Path(sys.argv[1]),), port=0))
"""


def test_it_serves_until_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "examples.jsonl").write_text('{"prompt": "What is a cat?"}\n')
    (tmp_path / "06-ppo").mkdir()
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "06-ppo")]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ.copy())
    try:
        assert server.stdout
        address = server.stdout.readline().strip()
        asked = urllib.request.Request(
            f"{address}/v1/chat/completions",
            json.dumps({"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]}).encode(),
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            assert json.load(answer)["choices"][0]["message"]["content"] == "hello"
        with urllib.request.urlopen(f"{address}/examples", timeout=30) as offered:
            assert json.load(offered) == ["What is a cat?"]
    finally:
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=60)
    assert server.returncode == 0 and out == "" and "Traceback" not in err
    assert f"curl {address}/v1/chat/completions" in err


def announced(config: Serve, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """The application that `run` would serve, once it has said how to ask it."""
    apps: list[FastAPI] = []

    def serve(app: FastAPI, held: object, ready: Callable[[], None]) -> None:
        apps.append(app)
        ready()

    monkeypatch.setattr("gptwright.serving.server.serve_until_stopped", serve)
    run(config)
    return apps[0]


def ids(app: FastAPI) -> list[str]:
    return [card["id"] for card in TestClient(app, base_url="http://localhost").get("/v1/models").json()["data"]]


def test_a_classifier_by_itself(
    judge: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (judge / "moderation.json").write_text('{"neutral": ["fine"]}')
    app = announced(Serve(models=(judge,), port=0), monkeypatch)
    said = capsys.readouterr().err
    assert "/v1/moderations" in said and '{"model": "judge", "input": "Hello"}' in said and "neutral" not in said
    asked = TestClient(app, base_url="http://localhost").post("/v1/moderations", json={"input": "the cat"}).json()
    assert asked["results"][0]["category_scores"].keys() == {"fine", "insult", "threat"}
    assert asked["results"][0]["flagged"] is False


def test_a_classifier_beside_a_model_that_writes(
    judge: Path,
    network: GPT2,
    tokenizer: Tokenizer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for folder in (tmp_path / "writer", tmp_path / "other" / "judge"):
        export(network, tokenizer, folder)
    models = (judge, tmp_path / "writer", tmp_path / "other" / "judge")
    app = announced(Serve(models=models, port=0), monkeypatch)
    said = capsys.readouterr().err
    assert '{"neutral": ["LABEL"]}' in said and "fine, insult, threat" in said and "/v1/chat/completions" in said
    assert ids(app) == ["writer", str(tmp_path / "other" / "judge"), "judge"]


def test_several_keys_have_names(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text('{"anna": "secret-a", "ben": "secret-b"}')
    assert read_keys(Serve(api_keys=file)) == {"anna": "secret-a", "ben": "secret-b"}
    assert read_keys(Serve(api_keys=file, api_key="own")) == {"anna": "secret-a", "ben": "secret-b", "key": "own"}
    assert read_keys(Serve()) == {}


@pytest.mark.parametrize("text", ["[]", '{"": "secret"}', '{"anna": 7}', '"secret"'])
def test_a_file_of_keys_of_another_kind_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(text)
    with pytest.raises(ConfigError, match="NAME"):
        read_keys(Serve(api_keys=tmp_path / "keys.json"))


def test_aliases_are_other_names_of_what_is_served() -> None:
    assert read_aliases(["chat=08-ppo", "base=03-pretrain"], ["08-ppo", "03-pretrain"]) == {
        "chat": "08-ppo", "base": "03-pretrain",
    }  # fmt: skip


@pytest.mark.parametrize("wrong", [["chat"], ["=a"], ["chat="], ["a=b"], ["c=a", "c=b"], ["latest=a"], ["chat=c"]])
def test_an_alias_that_is_taken_or_leads_nowhere(wrong: list[str]) -> None:
    with pytest.raises(ConfigError, match="--alias"):
        read_aliases(wrong, ["a", "b"])


@pytest.fixture
def base_and_adapters(network: GPT2, tokenizer: Tokenizer, tmp_path: Path) -> tuple[Path, list[Path]]:
    export(network, tokenizer, tmp_path / "base")
    folders = [tmp_path / name for name in ("kind", "curt")]
    for seed, folder in enumerate(folders, 1):
        adapted, random = read_model(tmp_path / "base"), torch.Generator().manual_seed(seed)
        add_lora(adapted, 2, seed)
        for layer in lora_layers(adapted).values():
            nn.init.normal_(layer.lora_b, std=1.0, generator=random)
        write_adapter(adapted, read_model(tmp_path / "base"), folder, "base")
    return tmp_path / "base", folders


def test_adapters_of_one_base_answer_by_their_names_in_mixed_load(
    base_and_adapters: tuple[Path, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, adapters = base_and_adapters
    app = announced(Serve(models=(base,), adapter=tuple(adapters), alias=("nice=kind",), port=0), monkeypatch)
    asked: Any = {"prompt": "the cat", "temperature": 0, "max_tokens": 12}

    async def all_together() -> dict[str, set[str]]:
        said: dict[str, set[str]] = {name: set() for name in ("base", "kind", "curt")}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as client:
            names = [name for name in said for _ in range(6)]
            posted = [client.post("/v1/completions", json={"model": name, **asked}) for name in names]
            for name, answer in zip(names, await asyncio.gather(*posted), strict=True):
                assert answer.json()["model"] == name
                said[name].add(answer.json()["choices"][0]["text"])
            alias = (await client.post("/v1/completions", json={"model": "nice", **asked})).json()
            cards = (await client.get("/v1/models")).json()["data"]
        assert alias["model"] == "kind" and {alias["choices"][0]["text"]} == said["kind"]
        assert [card["base"] for card in cards] == [None, "base", "base"] and len({c["weights"] for c in cards}) == 3
        return said

    merged = {"base": load_decoder(base), **{one.name: load_decoder(base, adapter=one) for one in adapters}}
    drawn = Sampling(temperature=0, max_tokens=12)
    alone = {name: {"".join(chunk.text for chunk in model.stream("the cat", drawn))} for name, model in merged.items()}
    assert asyncio.run(all_together()) == alone and len({*map(tuple, alone.values())}) == 3


def test_an_adapter_needs_its_base(base_and_adapters: tuple[Path, list[Path]], judge: Path) -> None:
    base, adapters = base_and_adapters
    with pytest.raises(ConfigError, match="a model that writes for --adapter"):
        run(Serve(models=(judge,), adapter=(adapters[0],), port=0))
    with pytest.raises(ArtifactError, match="an adapter in"):
        run(Serve(models=(base,), adapter=(base,), port=0))
