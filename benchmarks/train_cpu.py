"""Whole training steps on the CPU against nanoGPT and Hugging Face's GPT-2: same weights, tokens, shapes and optimiser.

    git clone https://github.com/karpathy/nanoGPT
    python benchmarks/train_cpu.py --nanogpt nanoGPT [--shape small] [--threads 1] [--rounds 12] [--peers nanoGPT]

Each contestant lives in its own process with its own settings and takes one step when it is its turn, so that what
disturbs the machine disturbs all. Printed are medians of forward + backward + clip + AdamW: tokens a second of wall
time, processor seconds, the ratio to ours, and the loss after the last round (50 rounds: after 50 steps). A contestant
whose processor time does not fit its threads is marked: it silently stayed on one core, or another program ran.
"""

import argparse
import contextlib
import json
import logging
import lzma
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

from gptwright.foundations.device import fast_dtype, use_threads
from gptwright.kernels.library import reason
from gptwright.models.catalogue import build
from gptwright.models.formats.huggingface import mapping_of
from gptwright.models.gpt2 import GPT2Config
from gptwright.objectives.language import next_token_loss
from gptwright.text.bundled import bundled_text
from gptwright.training.adamw import AdamW
from gptwright.training.compile import compile_parts
from gptwright.training.optimizer import Optimizer, cast_linears

SHAPES = {
    "start": (GPT2Config(vocab=2048, context=256, width=192, heads=6, layers=4), 16, 128),
    "small": (GPT2Config(vocab=8192, context=256, width=384, heads=6, layers=6), 8, 256),
    "124m": (GPT2Config(vocab=50_304), 1, 1024),
}
RATE, WARMUP, DECAY, BETAS = 6e-4, 20, 0.1, (0.9, 0.95)
CONTESTANTS = {
    "gptwright": {},
    "gptwright without its kernels": {"GPTWRIGHT_KERNELS": "off"},
    "gptwright compiled, without them": {"GPTWRIGHT_KERNELS": "off"},
    "nanoGPT as shipped (fp32)": {},
    "nanoGPT bf16 + compile": {},
    "transformers fp32": {},
    "transformers bf16 autocast": {},
}
Batch = tuple[torch.Tensor, torch.Tensor]
Step = Callable[[Batch, float], float]


def ours(config: GPT2Config, *, compiled: bool) -> Step:
    network: Any = build(config, seed=1)
    cast_linears(network, fast_dtype())
    if compiled:
        compile_parts(network, alone=True)
    optimizer = Optimizer(network, AdamW(weight_decay=DECAY, betas=BETAS))
    print(reason(), file=sys.stderr)

    def step(batch: Batch, rate: float) -> float:
        ids, targets = batch
        loss = next_token_loss(network.hidden(ids), network.output, targets)
        loss.backward()
        optimizer.step(rate, 1.0)
        return loss.item()

    return step


def weights(config: GPT2Config, *, transposed: bool) -> dict[str, torch.Tensor]:
    """Our fresh weights under the names that both peers use."""
    mapping = mapping_of(config)
    named: dict[str, torch.Tensor] = {}
    for ours, tensor in build(config, seed=1).state_dict().items():
        (name,) = mapping.theirs(ours)
        named[name] = tensor.T if transposed and name.endswith(mapping.transposed) else tensor
    return named | {"lm_head.weight": named["transformer.wte.weight"]}


def peer(network: Any, call: Callable[[Batch], Any], optimizer: Any, *, bf16: bool) -> Step:
    def step(batch: Batch, rate: float) -> float:
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16) if bf16 else contextlib.nullcontext():
            loss = call(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step


def nanogpt(config: GPT2Config, folder: Path, *, fast: bool) -> Step:
    sys.path.insert(0, str(folder))
    import model as theirs  # pyright: ignore

    network = theirs.GPT(theirs.GPTConfig(  # pyright: ignore
        block_size=config.context, vocab_size=config.vocab, n_layer=config.layers, n_head=config.heads,
        n_embd=config.width, dropout=0.0, bias=True,
    ))  # fmt: skip
    network.load_state_dict(weights(config, transposed=False), strict=False)
    optimizer = network.configure_optimizers(DECAY, RATE, BETAS, "cpu")
    run = torch.compile(network) if fast else network
    return peer(network, lambda batch: run(*batch)[1], optimizer, bf16=fast)


def transformers(config: GPT2Config, *, bf16: bool) -> Step:
    from transformers import GPT2Config as TheirConfig
    from transformers import GPT2LMHeadModel

    network = GPT2LMHeadModel(TheirConfig(
        vocab_size=config.vocab, n_positions=config.context, n_embd=config.width, n_head=config.heads,
        n_layer=config.layers, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, bos_token_id=0, eos_token_id=0,
    )).train()  # fmt: skip
    network.load_state_dict(weights(config, transposed=True), strict=False)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, betas=BETAS, weight_decay=DECAY)
    return peer(network, lambda batch: network(batch[0], labels=batch[0], shift_labels=batch[1]).loss, optimizer,
                bf16=bf16)  # fmt: skip


def contestant(name: str, config: GPT2Config, nanogpt_folder: Path) -> Step:
    if name.startswith("gptwright"):
        return ours(config, compiled="compiled" in name)
    if name.startswith("nanoGPT"):
        return nanogpt(config, nanogpt_folder, fast="bf16" in name)
    return transformers(config, bf16="bf16" in name)


def batches(rows: int, length: int) -> Callable[[int], Batch]:
    """Bytes of the bundled text as tokens: real text, the same for everybody."""
    with lzma.open(bundled_text("novels"), "rt", encoding="utf-8") as lines:
        text = torch.tensor(list("\n".join(json.loads(line)["text"] for line in lines).encode()[:1_000_000]))

    def batch(step: int) -> Batch:
        start = step * rows * length % (len(text) - rows * length - 1)
        part = text[start : start + rows * length + 1]
        return part[:-1].view(rows, length), part[1:].view(rows, length).contiguous()

    return batch


def work(given: argparse.Namespace) -> None:
    """A contestant's process: a step for every line on stdin, its figures on stdout."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    config, rows, length = SHAPES[given.shape]
    if given.worker.startswith("gptwright"):
        use_threads(given.threads)
    torch.set_num_threads(given.threads)
    step, batch = contestant(given.worker, config, given.nanogpt), batches(rows, length)
    for number, _ in enumerate(sys.stdin):
        data = batch(number)
        wall, processor = time.perf_counter(), time.process_time()
        loss = step(data, RATE * min(1.0, (number + 1) / WARMUP))
        metrics = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor, "loss": loss}
        print(json.dumps(metrics), file=results, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nanogpt", type=Path, required=True, help="a checkout of nanoGPT")
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--peers", default="", help="only contestants with this in their name, and ours")
    parser.add_argument("--worker", choices=CONTESTANTS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        return work(given)
    own = {who: subprocess.Popen([sys.executable, __file__, *sys.argv[1:], "--worker", who], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                 env=os.environ | settings) for who, settings in CONTESTANTS.items()
           if given.peers in who or who.startswith("gptwright")}  # fmt: skip
    taken: dict[str, list[dict[str, float]]] = {who: [] for who in own}
    for _ in range(given.rounds + 2):
        for who, process in own.items():
            assert process.stdin and process.stdout
            print(file=process.stdin, flush=True)
            taken[who].append(json.loads(process.stdout.readline()))
    for process in own.values():
        process.kill()
    report(given, taken)


def report(given: argparse.Namespace, taken: dict[str, list[dict[str, float]]]) -> None:
    config, rows, length = SHAPES[given.shape]
    measured = "processor" if given.threads == 1 else "wall"
    seconds = {who: median(figure[measured] for figure in metrics[2:]) for who, metrics in taken.items()}
    print(f"{given.shape}: {config.layers} × {config.width}, vocab {config.vocab}, {rows} × {length} tokens a step, "
          f"{given.threads} threads, {given.rounds} rounds; ratios by {measured} time")  # fmt: skip
    reference = next(metrics[-1]["loss"] for who, metrics in taken.items() if "fp32" in who)
    for who, metrics in taken.items():
        busy = median(figure["processor"] / figure["wall"] for figure in metrics[2:])
        loss, ratio = metrics[-1]["loss"], seconds[who] / seconds["gptwright"]
        disturbed = "" if 0.9 < busy / given.threads < 1.1 else f"  {busy:.2f} cores busy: do not quote"
        print(f"  {who:30} {seconds[who] * 1e3:8.0f} ms  {rows * length / seconds[who]:7.0f} tokens/s  {ratio:5.2f} ×  "
              f"loss {loss:.4f} ({loss / reference - 1:+.2%}){disturbed}")  # fmt: skip


if __name__ == "__main__":
    main()
