"""The engine against transformers, CTranslate2, OpenVINO GenAI and llama.cpp: same weights, prompts and lengths.

    python benchmarks/generate.py [--threads 1] [--rounds 5] [--rows decode-bf16,ragged] [--peers transformers]
                                  [--optimum-cli PATH] [--keep FOLDER]

Each contestant lives in its own process and does one piece of work when it is its turn, so that what disturbs the
machine disturbs all. One thread is judged by processor time, more by the clock; the best round counts. Tokens are
counted from ids. Weights are random (seed 0) where the row does not say otherwise, converted for each peer from the
folder that our export writes; every round has prompts of its own, so that nobody finds one in a cache. A contestant
whose processor time does not fit its threads is marked: another program ran. A peer that is not installed is said and
left out; OpenVINO needs `optimum-cli` (package optimum-intel, of any environment) to convert for it.
"""

import argparse
import contextlib
import json
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from generate_contestants import Answer, Ids, Ours, absent, contestant, greedy, prepare

from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.llama import LlamaConfig
from gptwright.pipelines.load import load_decoder
from gptwright.pipelines.packaged import packaged_path
from gptwright.tokenizers import bytelevel
from gptwright.tokenizers.byte_unicode import BYTE_TO_UNICODE
from gptwright.tokenizers.chat_templates.chat import prompt_ids
from gptwright.tokenizers.special_tokens import CHAT_TOKENS
from gptwright.tokenizers.tokenizer import Tokenizer

SHAPES: dict[str, Any] = {
    "124m": GPT2Config(),
    "124m-2048": GPT2Config(context=2048),
    "15m": LlamaConfig(context=1024, width=288, heads=6, kv_heads=6, layers=6, hidden=768, tied=True),
    "smollm2": "smollm2-135m",
}
QUESTIONS = (
    "What is the capital of France, and what is it known for?", "How do I bake a simple bread at home?",
    "Why is the sky blue during the day and red in the evening?", "Write a short story about a fox and a crow.",
    "Explain what a prime number is to a child.", "What should I see in Rome in one day?",
    "How does a bicycle stay upright when it moves?", "Give me three reasons to learn to swim.",
)  # fmt: skip
COPIED = (
    "The old mill stood by the river for two hundred years. Its wheel turned day and night, and the miller knew every "
    "stone of it by name. When the flood came in the spring of the ninth year, it took the bridge, the garden and the "
    "wheel, but the old mill stood by the river as before."
)
SHARED, TAIL = 512, 16
STREAMS, LONG = 16, 1024


@dataclass
class Spent:
    """Seconds, and the ids that came of it. What `before` took is not counted; `note` is said beside the figure."""

    wall: float
    processor: float
    tokens: int
    first: list[int]
    before: "Spent | None" = None
    note: str = ""


class Draw:
    """The prompts of a round: another round, others; another contestant, the same."""

    def __init__(self, row: str, number: int, vocab: int, texts: Ids) -> None:
        self.random = random.Random(f"{row} {number}")
        self.number, self.vocab, self.texts = number, vocab, texts

    def prompts(self, rows: int, length: int) -> Ids:
        return [[self.random.randrange(300, self.vocab) for _ in range(length)] for _ in range(rows)]


Work = Callable[[Any, Draw], Spent]


def spent(answer: Answer, prompts: Ids, lengths: list[int]) -> Spent:
    wall, processor = time.perf_counter(), time.process_time()
    said = answer(prompts, lengths)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    assert [len(ids) for ids in said] == lengths, f"asked for {lengths}, got {[len(ids) for ids in said]}"
    return Spent(wall, processor, sum(lengths), [ids[0] for ids in said])


def decode(answer: Answer, draw: Draw) -> Spent:
    before = spent(answer, draw.prompts(1, 32), [1])
    found = spent(answer, draw.prompts(1, 32), [33])
    return Spent(found.wall, found.processor, 32, found.first, before)


def prefill(answer: Answer, draw: Draw) -> Spent:
    found = spent(answer, draw.prompts(1, 512), [1])
    return Spent(found.wall, found.processor, 512, found.first)


def equal(answer: Answer, draw: Draw) -> Spent:
    return spent(answer, draw.prompts(16, 128), [128] * 16)


def ragged(answer: Answer, draw: Draw) -> Spent:
    fixed = random.Random(0)  # the same in every round
    lengths = [fixed.randrange(16, 257) for _ in range(64)]
    return spent(answer, draw.prompts(64, 64), lengths)


def chat(answer: Answer, draw: Draw) -> Spent:
    return spent(answer, [draw.texts[draw.number % len(QUESTIONS)]], [64])


def copying(answer: Answer, draw: Draw) -> Spent:
    return spent(answer, [draw.texts[len(QUESTIONS) + draw.number % len(QUESTIONS)]], [72])


def cold(answer: Answer, draw: Draw) -> Spent:
    return spent(answer, draw.prompts(1, SHARED + TAIL), [1])


def warm(answer: Answer, draw: Draw) -> Spent:
    (shared,), tails = Draw("shared", 0, draw.vocab, []).prompts(1, SHARED), draw.prompts(2, TAIL)
    answer([shared + tails[0]], [1])
    return spent(answer, [shared + tails[1]], [1])


def alone(ours: Ours, draw: Draw) -> Spent:
    """The median step of 16 streams."""
    with streams(ours, draw) as steps:
        found = [next(steps) for _ in range(40)]
    return Spent(median(wall for wall, _ in found), median(processor for _, processor in found), 1, [0])


def newcomer(ours: Ours, draw: Draw) -> Spent:
    """The 99th percentile of steps from the newcomer's arrival to its first token."""
    with streams(ours, draw) as steps:
        late = ours.engine.submit(draw.prompts(1, LONG)[0], greedy(4))
        found: list[tuple[float, float]] = []
        while len(late.ids) == LONG:
            found.append(next(steps))
        ours.engine.abort(late)
    waited = sum(wall for wall, _ in found)
    worst = [sorted(kind)[int(0.99 * len(kind))] for kind in zip(*found, strict=True)]
    return Spent(worst[0], worst[1], 1, [0], note=f"its first token after {waited * 1e3:.0f} ms, {len(found)} steps")


@contextlib.contextmanager
def streams(ours: Ours, draw: Draw) -> Iterator[Iterator[tuple[float, float]]]:
    """16 answers that are being written; every step of the iterator writes a token of each. Seconds of each step."""
    engine = ours.engine
    requests = [engine.submit(prompt, greedy(400)) for prompt in draw.prompts(STREAMS, 64)]

    def steps() -> Iterator[tuple[float, float]]:
        while True:
            wall, processor = time.perf_counter(), time.process_time()
            came = engine.step()
            assert all(any(request is other for other in came) for request in requests)
            yield time.perf_counter() - wall, time.process_time() - processor

    while any(len(request.ids) == 64 for request in requests):
        engine.step()
    yield steps()
    for request in requests:
        engine.abort(request)


def planning(_: Any, draw: Draw) -> Spent:
    """The scheduler's plans of 200 steps of 64 answers, and of nothing else."""
    from gptwright.inference.contiguous_allocator import ContiguousAllocator
    from gptwright.inference.request import Request
    from gptwright.inference.scheduler import Scheduler

    memory: Any = ContiguousAllocator(65_536)
    scheduler: Any = Scheduler(memory)
    for number, prompt in enumerate(draw.prompts(64, 64)):
        scheduler.add(Request(ids=prompt, sampling=greedy(400), seed=number))

    def step() -> tuple[int, float]:
        start = time.process_time()
        works = scheduler.schedule()
        memory.copies()
        taken = time.process_time() - start
        for work in works:
            work.request.computed += work.count
            if work.request.computed == len(work.request.ids):
                work.request.ids.append(7)
        return len(works), taken

    while step()[0] < 64:
        pass
    taken = [step() for _ in range(200)]
    assert all(works == 64 for works, _ in taken)
    total = sum(seconds for _, seconds in taken)
    return Spent(total, total, 200, [0])


@dataclass(frozen=True, kw_only=True)
class Row:
    """A piece of work for several contestants; `works` by words of their names where it is not the same for all."""

    title: str
    shape: str
    work: Work
    who: tuple[str, ...]
    works: tuple[tuple[str, Work], ...] = ()

    def work_of(self, who: str) -> Work:
        return next((work for word, work in self.works if word in who.split()), self.work)


ROWS = {
    "decode-bf16": Row(title="decode, one request, GPT-2 124M, prompt 32 (not counted), 32 new", shape="124m",
                       work=decode, who=("gptwright bf16", "transformers bf16", "transformers fp32", "openvino bf16",
                                         "ctranslate2 fp32", "llama.cpp bf16")),
    "decode-int8": Row(title="the same with 8-bit weights", shape="124m", work=decode,
                       who=("gptwright int8", "ctranslate2 int8", "openvino int8", "transformers bf16")),
    "prefill": Row(title="first token of a prompt of 512, GPT-2 124M", shape="124m", work=prefill,
                   who=("gptwright bf16", "gptwright int8", "transformers bf16", "openvino bf16",
                        "ctranslate2 int8")),
    "equal": Row(title="16 requests of 128 + 128, GPT-2 124M", shape="124m", work=equal,
                 who=("gptwright bf16", "gptwright int8", "transformers bf16", "ctranslate2 int8", "openvino bf16")),
    "ragged": Row(title="64 requests of 64 + 16 to 256, GPT-2 124M", shape="124m", work=ragged,
                  who=("gptwright bf16", "gptwright int8", "transformers bf16", "transformers bf16 generate_batch",
                       "openvino bf16")),
    "decode-15m": Row(title="decode, one request, LLaMA 15M, prompt 32 (not counted), 32 new", shape="15m",
                      work=decode, who=("gptwright bf16", "gptwright int8", "transformers bf16", "ctranslate2 int8",
                                        "openvino int8", "llama.cpp bf16")),
    "smollm2": Row(title="a chat's reply of 64, SmolLM2-135M, real weights", shape="smollm2", work=chat,
                   who=("gptwright bf16", "gptwright bf16 drafting", "gptwright int8", "llama.cpp the-same-gguf",
                        "transformers bf16")),
    "lookup": Row(title="72 tokens that copy the prompt, SmolLM2-135M, real weights", shape="smollm2", work=copying,
                  who=("gptwright bf16 drafting", "gptwright bf16")),
    "prefix": Row(title="first token of 512 shared + 16 own tokens, GPT-2 124M", shape="124m", work=cold,
                  works=(("warm", warm),), who=("gptwright bf16 warm", "gptwright bf16 cold")),
    "newcomer": Row(title="a step of 16 streams, alone (median) and while a prompt of 1,024 is read (99 %)",
                    shape="124m-2048", work=alone, works=(("newcomer", newcomer),),
                    who=("gptwright bf16 alone", "gptwright bf16 newcomer")),
    "scheduler": Row(title="the scheduler's plan of a step of 64 requests", shape="", work=planning,
                     who=("gptwright scheduler",)),
}  # fmt: skip


def write_shape(name: str, folder: Path) -> None:
    """`folder`/hf with the weights, and what of it cannot be computed from them: vocab and prompts of ids."""
    if (folder / "shape.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    texts: Ids = []
    if isinstance(SHAPES[name], str):
        model = load_decoder(SHAPES[name])
        copies = [f"Repeat this text word by word.\n\n{COPIED[i:].strip()}" for i in range(0, 8 * len(QUESTIONS), 8)]
        texts = [prompt_ids([{"role": "user", "content": text}], model.tokenizer) for text in (*QUESTIONS, *copies)]
        model.save(folder / "hf")
        (folder / "model.gguf").symlink_to(packaged_path(SHAPES[name]))
    else:
        from gptwright.pipelines.export import export

        network = build(SHAPES[name], seed=0)
        export(network, full_tokenizer(network.config.vocab), folder / "hf")
        model = load_decoder(folder / "hf")
    (folder / "shape.json").write_text(json.dumps({"vocab": model.network.config.vocab, "texts": texts}))


def full_tokenizer(vocab: int) -> Tokenizer:
    """One with a token for every row of the embedding: CTranslate2 converts no GPT-2 that has more rows."""
    space = BYTE_TO_UNICODE[32]
    tokens = [*CHAT_TOKENS.tokens, *BYTE_TO_UNICODE.values(), f"{space}t"]
    tokens += [f"{space}filler{i}" for i in range(len(tokens), vocab)]
    return bytelevel.build({token: i for i, token in enumerate(tokens)}, [(space, "t")], CHAT_TOKENS)


def work(given: argparse.Namespace) -> None:
    """A contestant's process: a piece of work for every line on stdin, its figures on stdout."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    row, who = ROWS[given.rows], given.worker
    shape: dict[str, Any] = {"vocab": 50_257, "texts": []}
    answer = None
    if row.shape:
        folder = given.keep / row.shape
        shape = json.loads((folder / "shape.json").read_text())
        answer = contestant(who, folder, given.threads)
    for number, _ in enumerate(sys.stdin):
        draw = Draw(given.rows, number, shape["vocab"], shape["texts"])
        found = row.work_of(who)(answer, draw)
        print(json.dumps(found, default=vars), file=results, flush=True)


def rounds(name: str, who: list[str], given: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """Everybody's figures, a round after the other; the first is not counted. Who fails is said and left out."""
    environment = os.environ | {"OMP_NUM_THREADS": str(given.threads), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, __file__, "--rows", name, "--threads", str(given.threads), "--keep", str(given.keep)]
    logs = {one: given.keep / f"{one}.log" for one in who}
    own = {one: subprocess.Popen([*command, "--worker", one], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=logs[one].open("w"), text=True, env=environment) for one in who}  # fmt: skip
    taken: dict[str, list[dict[str, Any]]] = {one: [] for one in who}
    for number in range(given.rounds + 1):
        for one, process in list(own.items()):
            assert process.stdin and process.stdout
            with contextlib.suppress(BrokenPipeError):
                print(file=process.stdin, flush=True)
            line = process.stdout.readline()
            if line and number:
                taken[one].append(json.loads(line))
            elif not line:
                last = (logs[one].read_text().strip().splitlines() or ["no word"])[-1]
                print(f"  {one} failed ({process.wait()}): {last}", file=sys.stderr)
                del own[one], taken[one]
    for process in own.values():
        process.kill()
        process.wait()
    return taken


def report(name: str, taken: dict[str, list[dict[str, Any]]], threads: int) -> None:
    measured = "processor" if threads == 1 else "wall"

    def least(metrics: list[dict[str, Any]]) -> float:
        found = min(figure[measured] for figure in metrics)
        return found - min(figure["before"][measured] for figure in metrics) if metrics[0]["before"] else found

    seconds = {who: least(metrics) / metrics[0]["tokens"] for who, metrics in taken.items()}
    ours = [who for who in taken if who.startswith("gptwright")] or list(taken)[:1]
    truth = next((metrics for who, metrics in taken.items() if who.startswith("transformers")), None)
    print(f"{name}: {ROWS[name].title}; {threads} threads, {measured} time, best of {max(map(len, taken.values()))}")
    for who, metrics in taken.items():
        busy = median(figure["processor"] / figure["wall"] for figure in metrics)
        ratios = "  ".join(f"{seconds[who] / seconds[one]:6.2f} ×" for one in ours)
        notes = [metrics[-1]["note"]] if metrics[-1]["note"] else []
        if truth and truth is not metrics:
            pairs = [a == b for mine, theirs in zip(metrics, truth, strict=False)
                     for a, b in zip(mine["first"], theirs["first"], strict=True)]  # fmt: skip
            notes.append(f"first tokens as transformers': {sum(pairs)} of {len(pairs)}")
        if not 0.9 < busy / threads < 1.1:
            notes.append(f"{busy:.2f} cores busy: do not quote")
        print(f"  {who:32} {seconds[who] * 1e3:9.3f} ms  {1 / seconds[who]:9.1f}/s  {ratios}  {', '.join(notes)}")
    print(flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", default="", help=f"some of {', '.join(ROWS)}, with commas between them")
    parser.add_argument("--peers", default="", help="only contestants with this in their name, and ours")
    parser.add_argument("--optimum-cli", help="to convert for OpenVINO")
    parser.add_argument("--keep", type=Path, help="folder for the converted weights, kept for the next time")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        return work(given)
    names = given.rows.split(",") if given.rows else list(ROWS)
    if unknown := [name for name in names if name not in ROWS]:
        parser.error(f"no row {unknown[0]}; there are {', '.join(ROWS)}")
    with tempfile.TemporaryDirectory() as temporary:
        given.keep = given.keep or Path(temporary)
        for name in names:
            present = _present(ROWS[name], given)
            if present and (taken := rounds(name, present, given)):
                report(name, taken, given.threads)


def _present(row: Row, given: argparse.Namespace) -> list[str]:
    """Contestants that are installed, with what they read."""
    present: list[str] = []
    for who in row.who:
        why = absent(who, given.optimum_cli)
        if given.peers not in who and not who.startswith("gptwright"):
            continue
        if why:
            print(f"  without {who}: {why}", file=sys.stderr)
            continue
        if row.shape:
            write_shape(row.shape, given.keep / row.shape)
            try:
                prepare(who, given.keep / row.shape, given.optimum_cli)
            except (subprocess.CalledProcessError, RuntimeError, ValueError) as error:
                print(f"  without {who}: converting failed ({error})", file=sys.stderr)
                continue
        present.append(who)
    return present


if __name__ == "__main__":
    main()
