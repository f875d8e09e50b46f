"""What tokenize leaves, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.runs import finished_stage
from gptwright.stages.tokenize import open_tokenizer, open_tokens
from gptwright.tokenizers import bytelevel
from gptwright.tokenizers.chat import END_OF_TEXT


def texts(prepared: Path, split: str) -> list[str]:
    return [json.loads(line)["text"] for line in (prepared / f"{split}.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("split", ["train", "heldout"])
def test_the_tokens_are_the_text(prepared: Path, tokenized: Path, split: str) -> None:
    tokenizer, tokens = open_tokenizer(tokenized), open_tokens(tokenized, split)
    wanted = texts(prepared, split)
    assert [tokenizer.decode(tokens.document(i).tolist()) for i in range(len(tokens.documents))] == wanted
    assert tokens.meta.bytes == sum(len(text.encode()) for text in wanted)
    assert tokens.window(int(tokens.documents[0]) - 1, 1)[0] == tokenizer.control(END_OF_TEXT)


def test_the_figures(tokenized: Path) -> None:
    record = finished_stage(tokenized, "tokenize")
    figures, tokens = record["figures"], open_tokens(tokenized, "train")
    assert figures["vocab"] == 300 == open_tokenizer(tokenized).vocab
    assert figures["train_tokens"] == len(tokens)
    assert figures["train_bytes_per_token"] == round(tokens.meta.bytes / len(tokens), 3)
    assert {"train.bin", "train.idx", "train.json", "heldout.bin", "tokenizer.json"} <= set(record["outputs"])


def test_merges_are_learned_from_training_text_only(prepared: Path, tokenized: Path) -> None:
    learned = bytelevel.train(texts(prepared, "train"), 300)
    assert learned.sha256 == open_tokenizer(tokenized).sha256


def test_tokens_of_another_tokenizer_are_refused(prepared: Path, tokenized: Path) -> None:
    assert open_tokens(tokenized, "train", open_tokenizer(tokenized))
    with pytest.raises(ArtifactError, match="own tokenizer"):
        open_tokens(tokenized, "train", bytelevel.train(texts(prepared, "train"), 299))


@pytest.mark.parametrize(("vocab", "says"), [(10, "at least 262"), (9999, "Lower vocab"), (0, "at least 262")])
def test_a_vocabulary_too_small_or_too_large(
    refused: Callable[..., str], prepared: Path, tmp_path: Path, vocab: int, says: str
) -> None:
    assert says in refused("tokenize", "--text", prepared, "--vocab", vocab, "--out", tmp_path / "out")
