"""Processor time of planning a step and keeping its books, at 64 sequences: what Python costs beside the model.

    python benchmarks/scheduler.py [--sequences 64] [--steps 1000]

Prompts of 512 tokens in groups of four that are alike, answers of 256 tokens, a newcomer for everyone who ends, so
that prompts are read, found, copied and overwritten all the time. "steady" are steps in which everybody writes and
nobody comes. Prints microseconds of a step over both memories: mean, and the worst of a hundred.
"""

import argparse
import time
from collections.abc import Iterator
from itertools import islice
from random import Random

from gptwright.inference.contiguous_allocator import ContiguousAllocator
from gptwright.inference.kv_allocator import KVAllocator
from gptwright.inference.paged_allocator import PagedAllocator
from gptwright.inference.request import Request
from gptwright.inference.sampling import Sampling
from gptwright.inference.scheduler import Scheduler

PROMPT, ANSWER, GROUP = 512, 256, 4


def requests(random: Random, shortest: int) -> Iterator[Request]:
    """Without an end, in groups of equal prompts."""
    while True:
        prompt = [random.randrange(50_000) for _ in range(PROMPT)]
        for _ in range(GROUP):
            yield Request(prompt[:], Sampling(max_tokens=random.randint(shortest, ANSWER)), 0)


def step(scheduler: Scheduler) -> tuple[list[Request], bool]:
    """Plans and carries out one step without a model; who ended, and whether all there was were answers."""
    ended: list[Request] = []
    works = scheduler.schedule()
    scheduler.allocator.take_copies()
    steady = all(work.count == 1 for work in works)
    for work in works:
        request = work.request
        draws = work.count == request.uncomputed
        request.computed += work.count
        if draws:
            request.ids.append(7)
            if len(request.ids) == request.prompt + request.sampling.max_tokens:
                scheduler.remove(request)
                ended.append(request)
    return ended, steady and not ended


def measure(memory: KVAllocator, sequences: int, steps: int) -> None:
    scheduler, source = Scheduler(memory, max_running=sequences), requests(Random(0), ANSWER // 4)
    for request in islice(source, sequences):
        scheduler.add(request)
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(steps + 600):
        began = time.process_time()
        ended, steady = step(scheduler)
        took = time.process_time() - began
        if number >= 600:
            times[steady].append(took * 1e6)
        for request in islice(source, len(ended)):
            scheduler.add(request)
    for name, some in (("all", times[True] + times[False]), ("steady", times[True]), ("others", times[False])):
        if some:
            worst = sorted(some)[len(some) * 99 // 100]
            mean = f"{type(memory).__name__:6} {name:6} {sum(some) / len(some):6.0f} µs a step"
            print(f"{mean}, worst of 100 {worst:6.0f}  ({len(some)} steps of {sequences})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=64)
    parser.add_argument("--steps", type=int, default=1000)
    given = parser.parse_args()
    tokens = given.sequences * (PROMPT + ANSWER) * 3 // 2
    for memory in (ContiguousAllocator(tokens), PagedAllocator(tokens // 64)):
        measure(memory, given.sequences, given.steps)


if __name__ == "__main__":
    main()
