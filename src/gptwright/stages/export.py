"""export: leave a model as a folder, or a file, that other tools open."""

from typing import Any

from gptwright.configs.export import Export
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.progress import say


def run(config: Export) -> None:
    """Prints the folder or the file."""
    import torch

    dtype = getattr(torch, config.dtype)
    if config.to == "gguf":
        _file(config, dtype)
    elif config.to == "openrlhf":
        _openrlhf(config, dtype)
    else:
        _folder(config, dtype)
    print(config.out)


def _folder(config: Export, dtype: Any) -> None:
    from gptwright.pipelines.load import load

    _check_empty(config)
    model = load(config.model, adapter=config.adapter)
    model.save(config.out, dtype=dtype, shard=int(config.shard_gb * 1e9))
    say(f"export: transformers opens it as {model.architecture}")


def _openrlhf(config: Export, dtype: Any) -> None:
    from gptwright.stages.openrlhf import write_openrlhf

    _check_empty(config)
    write_openrlhf(config, {"dtype": dtype, "shard": int(config.shard_gb * 1e9)})
    files = sorted(path.name for path in config.out.iterdir() if path.is_dir() or path.suffix in (".jsonl", ".sh"))
    say(f"export: {', '.join(files)} for OpenRLHF")


def _check_empty(config: Export) -> None:
    if config.out.exists() and (not config.out.is_dir() or any(config.out.iterdir())):
        raise ConfigError(f"a new or empty folder at {config.out}", "something there", "Choose another with --out.")


def _file(config: Export, dtype: Any) -> None:
    from gptwright.pipelines.export import export_gguf
    from gptwright.pipelines.load import load_decoder

    if config.out.exists():
        raise ConfigError(f"a new file at {config.out}", "something there", "Choose another with --out.")
    model = load_decoder(config.model, adapter=config.adapter)
    export_gguf(model.network, model.tokenizer, config.out, model.name, dtype)
    say(f"export: llama-cli -m {config.out} talks to it")
