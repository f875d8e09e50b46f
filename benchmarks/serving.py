"""What the server costs beside the model, and what continuous batching gives.

    python benchmarks/serving.py [--streams 32] [--tokens 400] [--pace 20]

First the server's processor time for a streamed token, with a model that takes no time: its process is measured, the
client is another. "paced" makes a token for every stream each PACE milliseconds, so that each token is an event and a
write of its own; "flat out" makes them as fast as the server goes on, where tokens that wait are sent together.
Then a real tiny model: 16 streams, one after another and at once, beside the same texts written as a batch.
"""

import argparse
import asyncio
import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from gptwright.inference.sampling import Sampling
from gptwright.inference.stream import Chunk
from gptwright.serving.api import create_app
from gptwright.serving.server import serve_until_stopped, take_port
from gptwright.store.database import open_store

TEXT = " word"


class Instant:
    """Stands for a model, its tokenizer and its engine: every step says a word in every stream."""

    name, context, max_requests, vocab = "fake", 1 << 20, 128, 100
    sampling = Sampling(max_tokens=1 << 19)

    def __init__(self, pace: float) -> None:
        self.pace = pace
        self.engine = self.tokenizer = self
        self.next_step = 0.0
        self.steps = 0

    def step(self) -> None:
        self.steps += 1
        if self.pace:
            now = time.perf_counter()
            self.next_step = max(self.next_step + self.pace, now)
            time.sleep(self.next_step - now)

    def said(self, id: int) -> bytes:
        return b"x"

    def matcher(self, sampling: Sampling, *, starts_text: bool) -> None: ...

    def chat_ids(self, messages: Any) -> list[int]:
        return [1]

    def open_stream(self, ids: Sequence[int], sampling: Sampling, **_: Any) -> "InstantStream":
        return InstantStream(self, sampling.max_tokens)


class InstantStream:
    """One reply: a word a step."""

    def __init__(self, model: Instant, max_running: int) -> None:
        self.model, self.max_running, self.made, self.seen = model, max_running, 0, model.steps

    def next(self) -> Chunk | None:
        if self.seen == self.model.steps:
            return None
        self.seen = self.model.steps
        self.made += 1
        return Chunk(TEXT, "length" if self.made == self.max_running else None, 1, self.made)

    def close(self) -> None: ...


def tiny() -> Any:
    """A GPT-2 of 10 million parameters and a byte-level tokenizer."""
    import torch

    from gptwright.models.gpt2 import GPT2, GPT2Config
    from gptwright.pipelines.generation_config import GenerationConfig
    from gptwright.pipelines.model import Model
    from gptwright.tokenizers import bytelevel

    torch.manual_seed(0)
    tokenizer = bytelevel.train(["the cat sat on the mat and the dog ran to the sea " * 3], 280)
    network = GPT2(GPT2Config(vocab=tokenizer.vocab, context=512, width=384, heads=6, layers=6)).requires_grad_(False)
    return Model(network, tokenizer, "fake", GenerationConfig.of(Sampling(temperature=1.0)))


def serve(told: Connection, pace: float | None) -> None:
    model: Any = tiny() if pace is None else Instant(pace)
    held = take_port("127.0.0.1", 0)
    with TemporaryDirectory() as folder, open_store(folder) as store:
        app = create_app({model.name: model}, store)
        serve_until_stopped(app, held, lambda: told.send(held.getsockname()[1]))


class Server:
    """A server in a process of its own; `pace` None serves the tiny model."""

    def __init__(self, pace: float | None) -> None:
        spawn = multiprocessing.get_context("spawn")
        here, there = spawn.Pipe()
        self.process = spawn.Process(target=serve, args=(there, pace), daemon=True)
        self.process.start()
        self.port: int = here.recv()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.join()

    def seconds(self) -> float:
        """Processor time so far."""
        used = psutil.Process(self.process.pid).cpu_times()
        return used.user + used.system


async def stream(port: int, tokens: int, seed: int) -> int:
    """Asks for one streamed reply; how many events came."""
    bias = '"logit_bias": {"0": -100, "1": -100, "2": -100, "3": -100, "4": -100, "5": -100}'
    body = (
        f'{{"model": "fake", "messages": [{{"role": "user", "content": "the cat"}}], "stream": true, "seed": {seed}, '
        f'"max_tokens": {tokens}, {bias}}}'
    ).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    found, tail = 0, b""
    while b"data: [DONE]" not in tail:
        part = await reader.read(1 << 16)
        assert part, tail
        found += part.count(b'"content":"')
        tail = (tail + part)[-32:]
    writer.close()
    return found


def overhead(streams: int, tokens: int, pace: float) -> float:
    """Microseconds of the server's processor time for a token."""

    async def all_streams(many: int) -> None:
        await asyncio.gather(*(stream(server.port, many, i) for i in range(streams)))

    with Server(pace) as server:
        asyncio.run(all_streams(5))
        before = server.seconds()
        asyncio.run(all_streams(tokens))
        return (server.seconds() - before) / (streams * tokens) * 1e6


def together(streams: int, tokens: int) -> tuple[float, float, float]:
    """Seconds of the real model: the texts one after another, all at once, and as a batch without a server."""

    async def side_by_side() -> None:
        await asyncio.gather(*(stream(server.port, tokens, i) for i in range(streams)))

    async def one_by_one() -> None:
        for i in range(streams):
            await stream(server.port, tokens, i)

    with Server(None) as server:
        asyncio.run(side_by_side())
        times = [_timed(lambda: asyncio.run(one_by_one()), 1), _timed(lambda: asyncio.run(side_by_side()))]
    model = tiny()
    ids = model.chat_ids([{"role": "user", "content": "the cat"}])
    sampling = Sampling(max_tokens=tokens, temperature=1.0, logit_bias=dict.fromkeys(range(6), -100))
    model.answers([ids] * streams, sampling)
    return times[0], times[1], _timed(lambda: model.answers([ids] * streams, sampling))


def _timed(work: Any, times: int = 3) -> float:
    """The best of some, as the machine is rarely ours alone."""
    found: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=400)
    parser.add_argument("--pace", type=float, default=20.0)
    given = parser.parse_args()
    for name, pace in (("paced", given.pace / 1000), ("flat out", 0.0)):
        print(f"{name:9} {overhead(given.streams, given.tokens, pace):6.1f} µs a token of {given.streams} streams")
    alone, max_requests, batch = together(16, 200)
    print(f"16 texts of 200 tokens: one by one {alone:.2f} s, at once {max_requests:.2f} s, as a batch {batch:.2f} s")


if __name__ == "__main__":
    main()
