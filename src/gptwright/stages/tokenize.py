"""tokenize: learn a vocabulary on the prepared text, or on pairs to translate, and pack the text into token files."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gptwright.configs.tokenize import Tokenize
from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.progress import say
from gptwright.foundations.runs import RECORD, StageFolder, input_paths, stage_file
from gptwright.pipelines.load import model_folder
from gptwright.text.jsonl import read_objects
from gptwright.text.mix import SUFFIX, Mix, read_mix
from gptwright.text.mixture import DocumentFacts, describe, write_mixture
from gptwright.text.pack import TokenFile, TokenFileMeta, pack
from gptwright.text.pairs import interleaved, read_pairs
from gptwright.text.split import Split
from gptwright.tokenizers.registry import train
from gptwright.tokenizers.tokenizer import Tokenizer

UNMIXED = "unmixed"


def inputs(config: Tokenize) -> dict[str, Path]:
    """What the stage reads, the file of a mix too."""
    mix = {"mix": Path(config.mix)} if config.mix and config.mix.endswith(SUFFIX) else {}
    return input_paths(config) | mix


def run(config: Tokenize, folder: StageFolder) -> dict[str, object]:
    """Leaves tokenizer.json and, for training and held-out text, token files (.bin, .idx, .json)."""
    documents = _documents(config)
    if config.model is None:
        tokenizer = train(config.kind, documents("train"), config.vocab, config.special_tokens)
    else:
        tokenizer = _existing(config.model)
    tokenizer.save(folder.path)
    metrics: dict[str, Any] = {"vocab": tokenizer.vocab}
    for split in ("train", "heldout"):
        if config.mix and split == "train":
            packed, mixture = _mixed(config, read_mix(config.mix), tokenizer, folder)
            metrics["mixture"] = mixture
        else:
            packed = _packed(config, documents(split), tokenizer, folder / split)
        metrics |= {
            f"{split}_tokens": packed.tokens,
            f"{split}_bytes_per_token": round(packed.bytes / packed.tokens, 3),
        }
    if config.compare:
        metrics |= _compared(tokenizer, config.compare, documents)
    say(f"tokenize: {tokenizer.vocab} tokens of {metrics['train_bytes_per_token']} bytes each; "
        f"{metrics['train_tokens']:,} to train on")  # fmt: skip
    return metrics


def _packed(config: Tokenize, texts: Iterable[str], tokenizer: Tokenizer, stem: Path) -> TokenFileMeta:
    return pack(texts, tokenizer.encode_many, tokenizer.eos_id, stem, tokenizer.vocab, tokenizer.sha256,
                pairs=config.pairs is not None)  # fmt: skip


def _mixed(
    config: Tokenize, mix: Mix, tokenizer: Tokenizer, folder: StageFolder
) -> tuple[TokenFileMeta, dict[str, object]]:
    """The training text packed once, and mixed from that."""
    assert config.text is not None
    facts = DocumentFacts.empty()

    lines = stage_file(config.text, "train.jsonl", "prepare")

    def texts() -> Iterator[str]:
        for line in read_objects(lines):
            facts.add(line["text"], str(line.get("source")))
            yield line["text"]

    unmixed = folder / UNMIXED
    unmixed.mkdir(exist_ok=True)
    _packed(config, texts(), tokenizer, unmixed / "train")
    packed, figures = write_mixture(TokenFile.open(unmixed / "train"), facts, mix, folder / "train")
    shutil.rmtree(unmixed)
    for line in describe(figures):
        say(f"tokenize: {line}")
    return packed, {name: asdict(each) for name, each in figures.items()}


def _compared(
    tokenizer: Tokenizer, other: Path, documents: Callable[[Split], Iterator[str]]
) -> dict[str, float]:  # fmt: skip
    """Tokens a line of the held-out text that is not blank, with both tokenizers."""
    lines = sum(bool(line.strip()) for text in documents("heldout") for line in text.splitlines())
    ours, theirs = (round(sum(map(len, each.encode_many(list(documents("heldout"))))) / max(lines, 1), 2)
                    for each in (tokenizer, _existing(other)))  # fmt: skip
    say(f"tokenize: {ours} tokens a line of held-out text, {theirs} with {other}")
    return {"heldout_tokens_per_line": ours, "heldout_tokens_per_line_compared": theirs}


def _existing(folder: Path) -> Tokenizer:
    """The tokenizer of a model, or of the finished stage that imported or learned it."""
    is_vocabulary = (folder / RECORD).is_file() and (folder / "tokenizer.json").is_file()
    return Tokenizer.load(stage_file(folder, "tokenizer.json").parent if is_vocabulary else model_folder(folder))


def _documents(config: Tokenize) -> Callable[[Split], Iterator[str]]:
    """A function that gives the texts of a split, as often as it is called."""
    if config.pairs is not None:
        splits = read_pairs(config.pairs)
        return lambda split: interleaved(splits[split])
    assert config.text is not None
    files: dict[str, Path] = {s: stage_file(config.text, f"{s}.jsonl", "prepare") for s in ("train", "heldout")}
    return lambda split: (str(line["text"]) for line in read_objects(files[split]))


def open_tokens(tokenized: Path, split: str, tokenizer: Tokenizer | None = None, *, pairs: bool = False) -> TokenFile:
    """The packed tokens of a finished tokenize folder, each file checked against its hash.

    Raises `ArtifactError` when they were made by another tokenizer than the one given, or hold an id that it does not
    know, or are pairs to translate where running text is asked for, or the other way round.
    """
    for suffix in ("bin", "idx", "json"):
        stage_file(tokenized, f"{split}.{suffix}", "tokenize")
    tokens = TokenFile.open(tokenized / split)
    if tokenizer and tokenizer.sha256 != tokens.meta.tokenizer_sha256:
        raise ArtifactError(f"tokens of the model's own tokenizer in {tokenized}", "those of another",
                            "Give the tokenize folder that the model was trained with, or pack the text anew: "
                            "gptwright tokenize --text TEXT --model MODEL.")  # fmt: skip
    if tokenizer and (most := tokens.greatest()) >= tokenizer.vocab:
        raise ArtifactError(f"token ids below the vocabulary's {tokenizer.vocab:,} in {tokenized}", f"the id {most:,}",
                            "Run tokenize again.")  # fmt: skip
    if tokens.meta.pairs != pairs:
        kinds = ("running text", "pairs to translate")
        raise ArtifactError(f"{kinds[pairs]} in {tokenized}", kinds[not pairs],
                            f"Run tokenize with --{'pairs' if pairs else 'text'}.")  # fmt: skip
    return tokens


def open_tokenizer(tokenized: Path) -> Tokenizer:
    """The tokenizer of a finished tokenize folder."""
    return Tokenizer.load(stage_file(tokenized, "tokenizer.json", "tokenize").parent)
