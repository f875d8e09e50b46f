from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gptwright.engine.blocks import Blocks
from gptwright.engine.memory import Memory
from gptwright.engine.request import Request
from gptwright.engine.sampling import Sampling
from gptwright.engine.scheduler import Scheduler
from gptwright.engine.slots import Slots
from gptwright.foundations.errors import InputError

SCHEDULES = 5000  # over each of the two memories


def play(random: Random, machine, memory: Memory, alone) -> object:
    """One schedule: texts that begin alike come, are aborted, have drafts right and wrong; sometimes weights change."""
    texts = [[random.randrange(2) for _ in range(14)] for _ in range(random.randint(1, 3))]
    it = machine(
        memory, budget=random.choice((1, 4, 12)), wide=random.choice((4, 24)), most=random.choice((1, 2, 4, 8))
    )
    asked, eager = [], random.random()
    for _ in range(random.randint(1, 14)):
        for _ in range(random.choice((0, 1, 1, 3))):
            ids = random.choice(texts)[: random.randint(1, 14)] + [
                random.randrange(2) for _ in range(random.choice((0, 2)))
            ]
            tokens = random.randint(1, 24 - len(ids))
            asked.append((it.add(ids, tokens, random.choice((None, None, None, 0, 5))), ids, tokens))
        event = random.random()
        if event < 0.1 and it.live:
            it.end(random.choice(it.live))
        elif event < 0.15:
            it.forget()
        for request in it.live:
            right = alone(request.ids, 2)[len(request.ids) :]
            request.drafts = (
                random.choice(([], right, [right[0], 1 - right[1]], [1 - right[0]])) if random.random() < eager else []
            )
        it.step()
    aborted = set(map(id, (request for request, *_ in asked))) - set(map(id, it.live))
    it.finish()
    for request, ids, tokens in asked:
        whole = alone(ids, tokens)
        assert request.ids == whole or (id(request) in aborted and request.ids == whole[: len(request.ids)])
    it.check_all_free()
    return it


def test_ten_thousand_random_schedules_lose_and_leak_nothing(machine, memory, alone) -> None:
    seen = dict.fromkeys(("preempted", "found", "drafted", "read"), 0)
    for seed in range(SCHEDULES):
        random = Random(seed)
        it = play(random, machine, memory(random), alone)
        for what in seen:
            seen[what] += getattr(it, what)
    print(seen)
    assert all(seen.values())
