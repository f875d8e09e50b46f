"""serve: the model as an HTTP API in OpenAI's shapes, and a page to chat with it and rate its answers."""

import json
import shlex
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gptwright.configs.serve import Serve
from gptwright.foundations.errors import ConfigError, ResourceError
from gptwright.foundations.progress import say
from gptwright.foundations.runs import RECORD
from gptwright.stages.resolve import resolve_model, warn_of_base

if TYPE_CHECKING:
    from socket import socket

    from fastapi import FastAPI

    from gptwright.pipelines.model import Model


def run(config: Serve) -> None:
    """Serves until Ctrl-C. Prints the page's address on stdout once it answers."""
    from gptwright.serving.server import serve_until_stopped, take_port

    with take_port(config.host, config.port) as held:
        app, address, name = _prepared(config, held)
        needs_key = bool(config.api_key or config.api_keys)
        serve_until_stopped(app, held, lambda: _announce(address, name, needs_key))
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
    """The application, its address and the first model's name, once the port is ours."""
    from gptwright.serving.middleware import LOOPBACK
    from gptwright.serving.server import check_public, is_loopback

    keys = read_keys(config)
    check_public(config.host, keys)
    folders = [resolve_model(given) for given in config.models or (None,)]
    config = replace(config, models=tuple(folders))
    from gptwright.serving.api import create_app
    from gptwright.serving.feedback import FeedbackFile

    models = _load(config)
    hosts = LOOPBACK if is_loopback(config.host) else None
    app = create_app(models, FeedbackFile(feedback_path(config)), examples=_examples(config), keys=keys, hosts=hosts)
    return app, f"http://{_in_url(config.host)}:{held.getsockname()[1]}", next(iter(models))


def _load(config: Serve) -> "dict[str, Model]":
    """The models by name: that of their folder, or the whole path where two folders have one name."""
    from gptwright.pipelines.load import load_decoder

    models: dict[str, Model] = {}
    for folder in config.models:
        model = load_decoder(folder, dtype=config.dtype, draft=config.draft)
        model.kv_cache_gb, model.max_requests = config.kv_cache_gb, config.max_requests
        warn_of_base(folder)
        models[str(folder) if model.name in models else model.name] = model
    return models


def read_keys(config: Serve) -> dict[str, str]:
    """The API keys by name. Raises `ConfigError` for a file of another kind."""
    from gptwright.foundations.atomic_io import read_json

    keys: object = read_json(config.api_keys) if config.api_keys else {}
    found = cast("dict[str, object]", keys) if isinstance(keys, dict) else {"": None}
    if not all(name and isinstance(key, str) for name, key in found.items()):
        raise ConfigError(f'{{"NAME": "KEY"}} in {config.api_keys}', "something else", "Correct the file.")
    own = {"key": config.api_key} if config.api_key is not None else {}
    return cast("dict[str, str]", found) | own


def feedback_path(config: Serve) -> Path:
    """The file for ratings, when the models are known."""
    return config.feedback or run_folder(config.models[0]) / "feedback.jsonl"


def run_folder(model: Path) -> Path:
    """The folder in which the model's stage folder lies, also when its inner `model/` was given."""
    folder = model.resolve()
    inside = folder.name == "model" and (folder.parent / RECORD).is_file()
    return (folder.parent if inside else folder).parent


def _examples(config: Serve) -> tuple[str, ...]:
    from gptwright.serving.suggested_prompts import read_examples

    beside = run_folder(config.models[0]) / "examples.jsonl"
    if config.examples is None and not beside.is_file():
        return ()
    return read_examples(config.examples or beside)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _announce(address: str, model: str, needs_key: bool) -> None:
    print(address, flush=True)
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]}, ensure_ascii=False)
    lines = [f"curl {address}/v1/chat/completions", "-H 'Content-Type: application/json'"]
    if needs_key:
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
