"""serve: models as an HTTP API in OpenAI's shapes, and a page to chat with one and rate its answers."""

import json
import shlex
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gptwright.configs.serve import Serve
from gptwright.foundations.errors import ConfigError, ResourceError, nearest
from gptwright.foundations.progress import say
from gptwright.pipelines.resolve import resolve_model, run_folder, warn_of_base

if TYPE_CHECKING:
    from socket import socket

    from fastapi import FastAPI

    from gptwright.pipelines.model import Model
    from gptwright.pipelines.sequence_scorer import SequenceScorer
    from gptwright.serving.routes.jobs import Improving
    from gptwright.serving.served_models import Origin

Example = tuple[str, dict[str, object]]
"""a route, and a body that it answers"""


def run(config: Serve) -> None:
    """Serves until Ctrl-C. Prints the page's address on stdout once it answers."""
    from gptwright.serving.server import serve_until_stopped, take_port

    with take_port(config.host, config.port) as held, _prepared(config, held) as (app, address, example):
        serve_until_stopped(app, held, lambda: _announce(address, example, app.state.door.locked))
    say("stopped")


@contextmanager
def serve_beside(config: Serve) -> Generator[None]:
    """Serves while the block runs, on the port asked for or any free one, and says the page's address."""
    from gptwright.serving.server import serving, take_port

    try:
        held = take_port(config.host, config.port)
    except ResourceError:
        held = take_port(config.host, 0)
    with _prepared(config, held) as (app, address, _), serving(app, held):
        say(f"chat page: {address}")
        yield


@contextmanager
def _prepared(config: Serve, held: "socket") -> "Generator[tuple[FastAPI, str, Example]]":
    """The application, its address and what may be asked of it, once the port is ours; its store is open meanwhile."""
    from gptwright.serving.middleware import LOOPBACK
    from gptwright.serving.server import check_public, is_loopback

    keys = read_keys(config)
    folders = [resolve_model(given) for given in config.models or (None,)]
    config = replace(config, models=tuple(folders))
    from gptwright.serving.api import create_app
    from gptwright.store.feedback_file import open_run_store
    from gptwright.store.passwords import an_owner_has_one

    with open_run_store(run_folder(config.models[0]), config.store) as store:
        with store.read() as session:
            check_public(config.host, keys, passwords=an_owner_has_one(session))
        models, classifiers, origins = _load(config)
        hosts = LOOPBACK if is_loopback(config.host) else None
        app = create_app(models, store, classifiers=classifiers, origins=origins,
                         examples=_examples(config), keys=keys, hosts=hosts, improving=_improving(config))  # fmt: skip
        yield app, f"http://{_in_url(config.host)}:{held.getsockname()[1]}", _example(models, classifiers)


def _improving(config: Serve) -> "Improving":
    """The run of the first model is improved, from what the store holds."""
    from gptwright.stages.served_run import improving
    from gptwright.store.database import FILE

    run = run_folder(config.models[0])
    return improving(run, config.store or str(run / FILE), config.dtype)


def _load(config: Serve) -> "tuple[dict[str, Model], dict[str, SequenceScorer], dict[str, Origin]]":
    """Those that write, the classifiers, and where all come from, by name: that of their folder, or the whole path
    where two folders have one name."""
    from gptwright.pipelines.load import load_served
    from gptwright.pipelines.sequence_scorer import SequenceScorer
    from gptwright.stages.served_run import origin_of

    models: dict[str, Model] = {}
    classifiers: dict[str, SequenceScorer] = {}
    origins: dict[str, Origin] = {}
    for folder in config.models:
        model = load_served(folder, dtype=config.dtype, draft=config.draft)
        name = _free(model.name, folder, origins)
        origins[name] = origin_of(folder)
        if isinstance(model, SequenceScorer):
            _warn_of_no_neutral_label(model)
            classifiers[name] = model
        else:
            warn_of_base(folder)
            models[name] = model
    _add_adapters(config, models, origins)
    for model in models.values():
        model.kv_cache_gb, model.max_requests = config.kv_cache_gb, config.max_requests
    for alias, name in read_aliases(config.alias, origins).items():
        origins[name].setdefault("aliases", []).append(alias)
    return models, classifiers, origins


def _free(name: str, folder: Path, taken: Collection[str]) -> str:
    return str(folder) if name in taken else name


def _add_adapters(config: Serve, models: "dict[str, Model]", origins: "dict[str, Origin]") -> None:
    """Each is a model behind the others, with the weights of the first."""
    from gptwright.pipelines.adapted_model import AdaptedModel, adapted_weights
    from gptwright.pipelines.provenance import provenance

    base = next(iter(models), None)
    if config.adapter and base is None:
        raise ConfigError("a model that writes for --adapter", "none", "Give the adapter's base first.")
    for folder in config.adapter:
        model = AdaptedModel(models[cast("str", base)], folder)
        name = _free(model.name, folder, origins)
        weights = adapted_weights(origins[cast("str", base)].get("weights", ""), folder)
        origins[name] = cast("Origin", {**provenance(folder), "base": base, "weights": weights})
        models[name] = model


def _warn_of_no_neutral_label(model: "SequenceScorer") -> None:
    if not (model.moderation.neutral or model.network.several):
        say(f"{model.name} has the labels {', '.join(model.labels)}, and each of them flags a text: name those that do "
            'not in its moderation.json, {"neutral": ["LABEL"]}')  # fmt: skip


def read_aliases(given: Sequence[str], served: Collection[str]) -> dict[str, str]:
    """Other names of models, of NAME=MODEL. Raises `ConfigError` for one that is taken or stands for nothing."""
    from gptwright.serving.served_models import LATEST

    found: dict[str, str] = {}
    for one in given:
        alias, _, name = one.partition("=")
        if not (alias and name) or alias in (*served, *found, LATEST):
            raise ConfigError("NAME=MODEL with a new name for --alias", f"'{one}'", "Such as --alias chat=08-ppo.")
        if name not in served:
            raise ConfigError(f"a model that is served for --alias {alias}", f"'{name}'", nearest(name, served))
        found[alias] = name
    return found


def read_keys(config: Serve) -> dict[str, str]:
    """The API keys by name. Raises `ConfigError` for a file of another kind."""
    from gptwright.foundations.atomic_io import read_json

    keys: object = read_json(config.api_keys) if config.api_keys else {}
    found = cast("dict[str, object]", keys) if isinstance(keys, dict) else {"": None}
    if not all(name and isinstance(key, str) for name, key in found.items()):
        raise ConfigError(f'{{"NAME": "KEY"}} in {config.api_keys}', "something else", "Correct the file.")
    own = {"key": config.api_key} if config.api_key is not None else {}
    return cast("dict[str, str]", found) | own


def _examples(config: Serve) -> tuple[str, ...]:
    from gptwright.serving.suggested_prompts import EXAMPLES, read_examples

    beside = run_folder(config.models[0]) / EXAMPLES
    if config.examples is None and not beside.is_file():
        return ()
    return read_examples(config.examples or beside)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _example(models: "Mapping[str, Model]", classifiers: "Mapping[str, SequenceScorer]") -> Example:
    """A question to the first model, and where to ask it."""
    for name in models:
        return "/v1/chat/completions", {"model": name, "messages": [{"role": "user", "content": "Hello"}]}
    return "/v1/moderations", {"model": next(iter(classifiers)), "input": "Hello"}


def _announce(address: str, example: Example, needs_key: bool) -> None:
    print(address, flush=True)
    route, asked = example
    body = json.dumps(asked, ensure_ascii=False)
    lines = [f"curl {address}{route}", "-H 'Content-Type: application/json'"]
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
