"""Options of serve."""

from pathlib import Path
from typing import Annotated

import tyro

from gptwright.configs.validation import Dtype
from gptwright.foundations.settings import Port, Range, settings


@settings
class Serve:
    """Serve models and classifiers: OpenAI-compatible API and chat page."""

    models: tyro.conf.Positional[tuple[Path, ...]] = ()
    """folders of stages, of runs (their last model), or of Hugging Face; without any the newest model under runs/"""
    adapter: tuple[Path, ...] = ()
    """adapters of the first model, by stages with --lora or by peft: each is a model, and all share its weights"""
    alias: tuple[str, ...] = ()
    """NAME=MODEL: another name of a model; latest is always the one that answers who names none"""
    host: str = "127.0.0.1"
    """address to listen on; any but this machine's own needs an API key, or an owner with a password (store user)"""
    port: Port = 8000
    """port to listen on; 0 takes any free one"""
    api_key: str | None = None
    """what callers must send as `Authorization: Bearer KEY`"""
    api_keys: Path | None = None
    """JSON file of several keys, {"NAME": "KEY"}; feedback is stored with the name"""
    store: str | None = None
    """file of SQLite or URL where ratings are kept; store.sqlite beside the first model's stage folder if not given"""
    examples: Path | None = None
    """prompts that the page offers; examples.jsonl beside the first model's stage folder when it is there"""
    dtype: Dtype = "auto"
    """number format in which the model writes"""
    draft: Path | None = None
    """a smaller model with the same tokenizer: the text is the same, and comes sooner where it is often right"""
    kv_cache_gb: Annotated[float, Range(0, 10**6, above=True)] = 1.0
    """GiB for keys and values: of requests that run, and of prefixes that may come again; each model has as much"""
    max_requests: Annotated[int, Range(1, 10**5)] = 128
    """requests of a model that writes which run at once; others wait"""
