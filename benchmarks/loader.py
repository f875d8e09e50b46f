"""Tokens a second of the loader on one core: windows of a step, shuffled, cut at the epoch's own place, as tensors.

    python benchmarks/loader.py [--tokens FOLDER] [--seconds 1]

FOLDER is tokenize's; without one a token file of 100 million random tokens is made and thrown away. Time is the
processor's. Prints rows × length of a step, tokens a second, and the share of a training step that reads 20,000.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from gptwright.foundations.atomic_io import write_json
from gptwright.text.pack import TokenFile
from gptwright.training.batch_schedule import BatchSizeSchedule
from gptwright.training.batches import Windows

TOKENS = 100_000_000


def random_tokens(folder: Path) -> TokenFile:
    """A file as tokenize writes it, of one document."""
    np.random.default_rng(0).integers(0, 2**16, TOKENS, dtype=np.uint16).tofile(folder / "train.bin")
    np.array([TOKENS], dtype="<u8").tofile(folder / "train.idx")
    write_json(folder / "train.json", {"tokens": TOKENS, "documents": 1, "dtype": "uint16", "tokenizer_sha256": "",
                                       "bytes": TOKENS * 4, "pairs": False})  # fmt: skip
    return TokenFile.open(folder / "train")


def tokens_a_second(windows: Windows, seconds: float) -> float:
    """Of steps one after another, the first not counted."""
    windows.batch(0)
    read, step, began = 0, 0, time.process_time()
    while (taken := time.process_time() - began) < seconds:
        step += 1
        read += windows.batch(step)[0].numel()
    return read / taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=Path)
    parser.add_argument("--seconds", type=float, default=1.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tokens = TokenFile.open(given.tokens / "train") if given.tokens else random_tokens(Path(folder))
        for rows, length in ((16, 128), (8, 256), (64, 256), (512, 1024)):
            for name, batch_schedule in (
                ("", BatchSizeSchedule(rows)),
                (", growing from 1 row", BatchSizeSchedule(rows, 1, 1000 * rows)),
            ):
                speed = tokens_a_second(Windows(tokens, length, batch_schedule, seed=1), given.seconds)
                print(f"{rows:4} × {length:4}{name:22} {speed / 1e6:7.1f} M tokens/s  {2e4 / speed:7.2%}")


if __name__ == "__main__":
    main()
