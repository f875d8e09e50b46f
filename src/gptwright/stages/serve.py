"""serve: the model as an HTTP API in OpenAI's shapes, and a page to chat with it and rate its answers."""

import json
import shlex
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from gptwright.configs.validation import Dtype
from gptwright.foundations.errors import ResourceError
from gptwright.foundations.progress import say
from gptwright.foundations.runs import RECORD
from gptwright.foundations.settings import Port, Range, settings
from gptwright.stages.resolve import resolve_model, warn_of_base

if TYPE_CHECKING:
    from socket import socket

    from fastapi import FastAPI


@settings
class Serve:
    """Serve a model: OpenAI-compatible API and chat page."""

    model: tyro.conf.Positional[Path | None] = None
    """folder of a stage, of a run (its last model), or of Hugging Face; without it the newest model under runs/"""
    host: str = "127.0.0.1"
    """address to listen on; any but this machine's own needs --key"""
    port: Port = 8000
    """port to listen on; 0 takes any free one"""
    key: str | None = None
    """what callers must send as `Authorization: Bearer KEY`"""
    feedback: Path | None = None
    """file for the ratings; feedback.jsonl beside the model's stage folder when not given"""
    examples: Path | None = None
    """prompts that the page offers; examples.jsonl beside the model's stage folder when it is there"""
    dtype: Dtype = "auto"
    """number format in which the model writes"""
    kv_cache_gb: Annotated[float, Range(0, 10**6, above=True)] = 1.0
    """memory for keys and values of the texts that are written, and of beginnings that may come again"""
    max_requests: Annotated[int, Range(1, 10**5)] = 128
    """texts written side by side; further ones wait"""


def run(config: Serve) -> None:
    """Serves until Ctrl-C. Prints the page's address on stdout once it answers."""
    from gptwright.serving.server import serve_until_stopped, take_port

    with take_port(config.host, config.port) as held:
        app, address, name = _prepared(config, held)
        serve_until_stopped(app, held, lambda: _announce(address, name, config.key))
    say("stopped")


@contextmanager
def serve_beside(config: Serve) -> Generator[None]:
    """Serves while the block runs, on the port asked for or any free one, and says the page's address."""
    from gptwright.serving.server import serving, take_port

    try:
        held = take_port(config.host, config.port)
    except ResourceError:
        held = take_port(config.host, 0)
    app, address, _ = _prepared(config, held)
    with serving(app, held):
        say(f"chat page: {address}")
        yield


def _prepared(config: Serve, held: "socket") -> "tuple[FastAPI, str, str]":
    """The application, its address and the model's name, once the port is ours."""
    from gptwright.serving.server import check_public, is_loopback

    check_public(config.host, config.key)
    folder = resolve_model(config.model)
    config = replace(config, model=folder)
    from gptwright.pipelines.load import load_decoder
    from gptwright.serving.api import create_app
    from gptwright.serving.middleware import LOOPBACK

    model = load_decoder(folder, dtype=config.dtype)
    model.kv_cache_gb, model.max_requests = config.kv_cache_gb, config.max_requests
    warn_of_base(folder)
    hosts = LOOPBACK if is_loopback(config.host) else None
    app = create_app(model, feedback_path(config), examples=_examples(config), key=config.key, hosts=hosts)
    return app, f"http://{_in_url(config.host)}:{held.getsockname()[1]}", model.name


def feedback_path(config: Serve) -> Path:
    """Where the ratings go, of a model that is known."""
    assert config.model
    return config.feedback or run_folder(config.model) / "feedback.jsonl"


def run_folder(model: Path) -> Path:
    """The folder in which the model's stage folder lies, also when its inner `model/` was given."""
    folder = model.resolve()
    inside = folder.name == "model" and (folder.parent / RECORD).is_file()
    return (folder.parent if inside else folder).parent


def _examples(config: Serve) -> tuple[str, ...]:
    from gptwright.serving.suggested_prompts import read_examples

    assert config.model
    beside = run_folder(config.model) / "examples.jsonl"
    if config.examples is None and not beside.is_file():
        return ()
    return read_examples(config.examples or beside)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _announce(address: str, model: str, key: str | None) -> None:
    print(address, flush=True)
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]}, ensure_ascii=False)
    lines = [f"curl {address}/v1/chat/completions", "-H 'Content-Type: application/json'"]
    if key is not None:
        lines.append('-H "Authorization: Bearer $KEY"')
    say(
        "\n".join(
            [
                "Open the address in a browser, or ask:",
                " \\\n  ".join([*lines, f"-d {shlex.quote(body)}"]),
                "Ctrl-C stops.",
            ]
        )
    )
