"""export: leave a model as a folder or a file that other tools open, or a page that a browser runs."""

from pathlib import Path
from typing import Any

from gptwright.configs.export import Export
from gptwright.foundations.atomic_io import write_text
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.progress import say
from gptwright.foundations.runs import RECORD


def run(config: Export) -> None:
    """Prints the folder or the file."""
    import torch

    dtype = getattr(torch, config.dtype)
    if config.to == "gguf":
        _file(config, dtype)
    elif config.to == "html":
        _page(config)
    elif config.to == "openrlhf":
        _openrlhf(config, dtype)
    else:
        _folder(config, dtype)
    print(config.out)


def _folder(config: Export, dtype: Any) -> None:
    from gptwright.pipelines.load import load
    from gptwright.pipelines.resolve import resolve_model
    from gptwright.reporting.model_card import CARD, model_card

    _check_empty(config)
    source = resolve_model(config.model)
    model = load(source, adapter=config.adapter)
    card = model_card(model, source, config.out)
    model.save(config.out, dtype=dtype, shard=int(config.shard_gb * 1e9))
    write_text(config.out / CARD, card)
    say(f"export: transformers opens it as {model.architecture}")


def _openrlhf(config: Export, dtype: Any) -> None:
    from gptwright.pipelines.load import load
    from gptwright.pipelines.resolve import resolve_model
    from gptwright.reporting.model_card import CARD, model_card
    from gptwright.stages.openrlhf import write_openrlhf

    _check_empty(config)
    cards: dict[Path, str] = {}
    for name, given in (("policy", config.model), ("reward", config.reward)):
        if given:
            source, to = resolve_model(given), config.out / name
            cards[to / CARD] = model_card(load(source), source, to)
    write_openrlhf(config, {"dtype": dtype, "shard": int(config.shard_gb * 1e9)})
    for path, card in cards.items():
        write_text(path, card)
    files = sorted(path.name for path in config.out.iterdir() if path.is_dir() or path.suffix in (".jsonl", ".sh"))
    say(f"export: {', '.join(files)} for OpenRLHF")


def _check_empty(config: Export) -> None:
    if config.out.exists() and (not config.out.is_dir() or any(config.out.iterdir())):
        raise ConfigError(f"a new or empty folder at {config.out}", "something there", "Choose another with --out.")


def _check_new(path: Path) -> None:
    if path.exists():
        raise ConfigError(f"a new file at {path}", "something there", "Choose another with --out.")


def _file(config: Export, dtype: Any) -> None:
    from gptwright.pipelines.export import export_gguf
    from gptwright.pipelines.load import load_decoder
    from gptwright.pipelines.resolve import resolve_model
    from gptwright.reporting.model_card import model_card

    beside = config.out.with_name(f"{config.out.name}.md")
    for path in (config.out, beside):
        _check_new(path)
    source = resolve_model(config.model)
    model = load_decoder(source, adapter=config.adapter)
    card = model_card(model, source, config.out, "gguf")
    export_gguf(model.network, model.tokenizer, config.out, model.name, dtype)
    write_text(beside, card)
    say(f"export: llama-cli -m {config.out} talks to it")


def _page(config: Export) -> None:
    """With the report of the run and the questions that it offers, where the model lies in a run."""
    from gptwright.pipelines.load import find, load
    from gptwright.pipelines.resolve import run_folder, warn_of_base
    from gptwright.pipelines.run_page import Extras, run_page
    from gptwright.reporting.collect import collect
    from gptwright.reporting.plain_report import plain_report
    from gptwright.serving.suggested_prompts import EXAMPLES, read_examples

    _check_new(config.out)
    folder = find(config.model)
    model = load(folder if folder.is_dir() else config.model, adapter=config.adapter)
    run = run_folder(folder)
    in_run = folder.is_dir() and any(run.glob(f"*/{RECORD}"))
    examples = run / EXAMPLES
    warn_of_base(folder)
    extras = Extras(
        name=config.out.stem,
        prompts=read_examples(examples) if in_run and examples.is_file() else (),
        report=plain_report(collect(run)) if in_run else None,
    )
    write_text(config.out, run_page(model, extras))
    say(f"export: {config.out.stat().st_size / 1e6:.1f} MB; open {config.out} in a browser")
