"""tokenize: learn a byte-level BPE on the prepared text, and pack the text into token files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder, stage_file
from gptwright.text.jsonl import read_objects
from gptwright.text.pack import TokenFile, pack
from gptwright.tokenizers.bpe import Tokenizer
from gptwright.tokenizers.chat import END_OF_TEXT


@dataclass(frozen=True, kw_only=True)
class Tokenize:
    """Learn a byte-level BPE and pack the text with it."""

    text: Path
    """folder of prepare"""
    vocab: int = 2048
    """tokens to know, control tokens and the 256 bytes included"""


def run(config: Tokenize, folder: StageFolder) -> dict[str, Any]:
    """Leaves tokenizer.json and, for training and held-out text, token files (.bin, .idx, .json)."""
    tokenizer = Tokenizer.train(_texts(config.text, "train"), config.vocab)
    tokenizer.save(folder.path)
    figures: dict[str, Any] = {"vocab": tokenizer.vocab}
    for split in ("train", "heldout"):
        packed = pack(
            _texts(config.text, split),
            tokenizer.encode_many,
            tokenizer.control(END_OF_TEXT),
            folder / split,
            tokenizer.vocab,
            tokenizer.sha256,
        )
        figures |= {
            f"{split}_tokens": packed.tokens,
            f"{split}_bytes_per_token": round(packed.bytes / packed.tokens, 3),
        }
    say(f"tokenize: {tokenizer.vocab} tokens of {figures['train_bytes_per_token']} bytes each; "
        f"{figures['train_tokens']:,} to train on")  # fmt: skip
    return figures


def _texts(prepared: Path, split: str) -> Iterator[str]:
    return (str(line["text"]) for line in read_objects(stage_file(prepared, f"{split}.jsonl", "prepare")))


def open_tokens(tokenized: Path, split: str, tokenizer: Tokenizer | None = None) -> TokenFile:
    """The packed tokens of a finished tokenize folder, each file checked against its hash.

    Raises `ArtifactError` when they were made by another tokenizer than the one given.
    """
    for suffix in ("bin", "idx", "json"):
        stage_file(tokenized, f"{split}.{suffix}", "tokenize")
    tokens = TokenFile.open(tokenized / split)
    if tokenizer and tokenizer.sha256 != tokens.meta.tokenizer_sha256:
        raise ArtifactError(f"tokens of the model's own tokenizer in {tokenized}", "those of another",
                            "Give the tokenize folder that the model was trained with.")  # fmt: skip
    return tokens


def open_tokenizer(tokenized: Path) -> Tokenizer:
    """The tokenizer of a finished tokenize folder."""
    return Tokenizer.load(stage_file(tokenized, "tokenizer.json", "tokenize").parent)
