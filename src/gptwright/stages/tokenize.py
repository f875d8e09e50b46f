"""tokenize: learn a vocabulary on the prepared text, or on pairs to translate, and pack the text into token files."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gptwright.configs.tokenize import Tokenize
from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.progress import say
from gptwright.foundations.runs import RECORD, StageFolder, stage_file
from gptwright.pipelines.load import model_folder
from gptwright.text.jsonl import read_objects
from gptwright.text.pack import TokenFile, pack
from gptwright.text.pairs import interleaved, read_pairs
from gptwright.text.split import Split
from gptwright.tokenizers.registry import train
from gptwright.tokenizers.tokenizer import Tokenizer


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
        packed = pack(
            documents(split),
            tokenizer.encode_many,
            tokenizer.eos_id,
            folder / split,
            tokenizer.vocab,
            tokenizer.sha256,
            pairs=config.pairs is not None,
        )
        metrics |= {
            f"{split}_tokens": packed.tokens,
            f"{split}_bytes_per_token": round(packed.bytes / packed.tokens, 3),
        }
    if config.compare:
        metrics |= _compared(tokenizer, config.compare, documents)
    say(f"tokenize: {tokenizer.vocab} tokens of {metrics['train_bytes_per_token']} bytes each; "
        f"{metrics['train_tokens']:,} to train on")  # fmt: skip
    return metrics


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
