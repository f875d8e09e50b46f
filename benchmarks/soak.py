"""Serves a tiny model for as long as you say to callers of all kinds, and watches what a server must not lose.

    python benchmarks/soak.py [--minutes 30] [--callers 12]

Callers stream and stay, stream and leave, send what makes no sense, keep conversations and label them; the server is a
process of its own. Every ten seconds its memory and its open files are noted. It ends with an error where anything was
answered by a 5xx, where its memory grew by more than a hundredth in ten minutes over the last half, or its open files
at all.
"""

import argparse
import multiprocessing
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
import psutil
import torch

from gptwright.inference.sampling import Sampling
from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.pipelines.generation_config import GenerationConfig
from gptwright.pipelines.model import Model
from gptwright.serving.api import create_app
from gptwright.serving.server import serve_until_stopped, take_port
from gptwright.store.database import open_store
from gptwright.tokenizers import bytelevel

WORDS = "the cat sat on the mat and the dog ran to the sea where we like to be when it is warm and we are free "
HOSTILE = (
    b"",
    b"[" * 100_000,
    b'{"model": NaN}',
    b'{"model": "tiny", "n": -1}',
    b'{"prompt": "\\ud800"}',
    b"\xff" * 900,
)
EVERY = 10.0  # seconds between two looks
MOST_SLOPE = 1.0  # percent in ten minutes


def serve(told: Connection, folder: str) -> None:
    """The server's process."""
    torch.set_num_threads(1)
    tokenizer = bytelevel.train([WORDS * 3], 290)
    network = GPT2(GPT2Config(vocab=tokenizer.vocab, context=256, width=32, heads=2, layers=1)).requires_grad_(False)
    model = Model(network, tokenizer, "tiny", GenerationConfig.of(Sampling(max_tokens=32)), kv_cache_gb=0.05)
    port = take_port("127.0.0.1", 0)
    with open_store(Path(folder)) as store:
        serve_until_stopped(create_app({"tiny": model}, store), port, lambda: told.send(port.getsockname()[1]))


class Callers:
    """Threads that ask, each in its own order; `statuses` counts what they were answered."""

    def __init__(self, address: str, many: int) -> None:
        self.address, self.statuses, self.ended = address, Counter[int](), threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(many)]

    def _ask(self, number: int) -> None:
        drawn = random.Random(number)
        kinds: list[Callable[[httpx.Client, random.Random], int]] = [_stay, _leave, _nonsense, _converse]
        with httpx.Client(base_url=self.address, timeout=60) as client:
            while not self.ended.is_set():
                self.statuses[drawn.choice(kinds)(client, drawn)] += 1

    def run(self, look: Callable[[], None], seconds: float) -> None:
        """Until the time is over; `look` is called now and then."""
        for thread in self.threads:
            thread.start()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(min(EVERY, max(0.1, until - time.monotonic())))
            look()
        self.ended.set()
        for thread in self.threads:
            thread.join()


def _stay(client: httpx.Client, drawn: random.Random) -> int:
    body = {"model": "tiny", "prompt": WORDS[: drawn.randrange(1, 90)], "max_tokens": drawn.randrange(1, 48),
            "n": drawn.choice((1, 1, 3)), "stream": drawn.random() < 0.5}  # fmt: skip
    return client.post("/v1/completions", json=body).status_code


def _leave(client: httpx.Client, drawn: random.Random) -> int:
    body = {"model": "tiny", "messages": [{"role": "user", "content": "the cat"}], "max_tokens": 200, "stream": True}
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        for _, _chunk in zip(range(drawn.randrange(4)), response.iter_raw(), strict=False):
            pass
    return response.status_code


def _nonsense(client: httpx.Client, drawn: random.Random) -> int:
    path = drawn.choice(("/v1/completions", "/v1/chat/completions", "/api/conversations", "/none"))
    return client.post(path, content=drawn.choice(HOSTILE)).status_code


def _converse(client: httpx.Client, drawn: random.Random) -> int:
    made = client.post("/api/conversations", json={"title": "soak"})
    if made.status_code != 201:
        return made.status_code
    path = f"/api/conversations/{made.json()['id']}"
    said = client.post(f"{path}/messages", json={"role": "user", "content": "the dog"}).json()
    asked = client.post(f"{path}/answers", json={"message_id": said["id"], "max_tokens": 8})
    if asked.status_code == 202 and drawn.random() < 0.7:
        client.get(f"/api/answers/{asked.json()['id']}/events")
    client.put(f"/api/messages/{said['id']}/labels/comment", json={"value": "seen"})
    return client.delete(path).status_code if drawn.random() < 0.5 else asked.status_code


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--callers", type=int, default=12)
    asked = parser.parse_args()
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    with TemporaryDirectory() as folder:
        server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, folder))
        server.start()
        callers, looks = Callers(f"http://127.0.0.1:{ours.recv()}", asked.callers), list[tuple[float, float, int]]()
        process = psutil.Process(server.pid)
        callers.run(lambda: looks.append(_look(process)), asked.minutes * 60)
        time.sleep(2)  # those who left are noticed
        rest = _look(process)
        server.terminate()
        server.join(30)
    sys.exit(_verdict(callers.statuses, looks, rest, server.exitcode))


def _look(process: psutil.Process) -> tuple[float, float, int]:
    """When, MiB of memory, open files."""
    return time.monotonic(), process.memory_info().rss / 2**20, process.num_fds()


def _verdict(
    statuses: Counter[int], looks: list[tuple[float, float, int]], rest: tuple[float, float, int], code: int | None
) -> int:
    """Prints what was found; 1 where something is wrong."""
    half = looks[len(looks) // 2 :]
    times, memory = np.array([look[0] for look in half]), np.array([look[1] for look in half])
    slope = float(np.polyfit(times - times[0], memory, 1)[0]) * 600 / float(memory.mean()) * 100
    files = looks[0][2], max(look[2] for look in looks), rest[2]
    print(f"{sum(statuses.values())} requests: {dict(sorted(statuses.items()))}")
    print(
        f"memory: {looks[0][1]:.0f} MiB at first, {memory.mean():.0f} over the last half, {slope:+.2f} % in ten minutes"
    )
    print(f"open files: {files[0]} at first, {files[1]} at most, {files[2]} at the end; exit {code}")
    bad = max(statuses) >= 500 or slope > MOST_SLOPE or files[2] > files[0] or code != 0
    return int(bad)


if __name__ == "__main__":
    main()
