"""A corpus packed in parts: by however many processes, and however often stopped, the same bytes."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gptwright.foundations.errors import ProcessLost
from gptwright.foundations.workers import open_workers
from gptwright.pipelines.packing import PARTS, Corpus, pack_corpus
from gptwright.text.file_ranges import FileRange, ranges
from gptwright.text.jsonl import stream_range, write_objects
from gptwright.text.pack import TokenFile, pack
from gptwright.text.split import Split
from gptwright.tokenizers import bytelevel
from gptwright.tokenizers.tokenizer import Tokenizer

TEXTS = [f"The {number}th house by the river \u6cb3" * (number % 5) for number in range(60)]
DIES = "dies"


def read(piece: FileRange, split: Split) -> Iterator[tuple[str, str]]:
    return (("houses", line["text"]) for line in stream_range(piece.path, piece.begin, piece.begin + piece.size))


def read_or_die(piece: FileRange, split: Split) -> Iterator[tuple[str, str]]:
    if piece.begin and (dies := piece.path.with_name(DIES)).exists():
        dies.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return read(piece, split)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    path = tmp_path / "train.jsonl"
    write_objects(path, [{"text": text} for text in TEXTS])
    return Corpus({"train": list(ranges(path, 500))}, read)


def saved(folder: Path, vocab: int = 280) -> Tokenizer:
    folder.mkdir(exist_ok=True)
    tokenizer = bytelevel.train(TEXTS, vocab)
    tokenizer.save(folder)
    return tokenizer


def packed(corpus: Corpus, folder: Path, tokenizer: Tokenizer, count: int = 1) -> list[bytes]:
    with open_workers("processes", count, folder / PARTS) as workers:
        meta = pack_corpus(corpus, "train", folder, tokenizer.sha256, folder / "train", workers)
    assert TokenFile.open(folder / "train").meta == meta
    return three(folder / "train")


def three(stem: Path) -> list[bytes]:
    return [stem.with_suffix(f".{suffix}").read_bytes() for suffix in ("bin", "idx", "json")]


def whole(folder: Path, tokenizer: Tokenizer) -> list[bytes]:
    pack(TEXTS, tokenizer.encode_many, tokenizer.eos_id, folder / "whole", tokenizer.vocab, tokenizer.sha256)
    return three(folder / "whole")


@pytest.mark.parametrize("count", [1, 2])
def test_as_if_packed_at_once(corpus: Corpus, tmp_path: Path, count: int) -> None:
    tokenizer = saved(tmp_path / "out")
    assert packed(corpus, tmp_path / "out", tokenizer, count) == whole(tmp_path, tokenizer)
    assert len(list((tmp_path / "out" / PARTS).glob("*.json"))) == len(corpus.pieces["train"]) > 3
    assert list(corpus.texts("train")) == TEXTS


def test_a_part_that_is_there_is_not_packed_again_but_one_in_pieces_or_of_another_tokenizer_is(
    corpus: Corpus, tmp_path: Path
) -> None:
    tokenizer, out = saved(tmp_path / "out"), tmp_path / "out"
    packed(corpus, out, tokenizer)
    first = out / PARTS / "train-0.json"
    table = json.loads(first.read_text())
    first.write_text(json.dumps(table | {"bytes": 0}))
    assert (
        json.loads(packed(corpus, out, tokenizer)[2])["bytes"] == sum(len(t.encode()) for t in TEXTS) - table["bytes"]
    )
    first.write_text(json.dumps(table))
    for missing in ("bin", "idx", "json"):
        first.with_suffix(f".{missing}").unlink()
        assert packed(corpus, out, tokenizer) == whole(tmp_path, tokenizer)
    other = saved(out, 290)
    assert packed(corpus, out, other) == whole(tmp_path, other)


def test_a_process_that_dies_is_told_and_the_next_run_goes_on(corpus: Corpus, tmp_path: Path) -> None:
    tokenizer = saved(tmp_path / "out")
    (tmp_path / DIES).touch()
    dying = Corpus(corpus.pieces, read_or_die)
    with pytest.raises(ProcessLost, match="it has ended") as raised:
        packed(dying, tmp_path / "out", tokenizer, 2)
    assert "it goes on from what was done" in raised.value.remedy and not (tmp_path / "out/train.json").exists()
    assert packed(dying, tmp_path / "out", tokenizer, 2) == whole(tmp_path, tokenizer)
