from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gptwright.foundations.errors import InputError
from gptwright.inference.contiguous_allocator import ContiguousAllocator
from gptwright.inference.kv_allocator import KVAllocator
from gptwright.inference.paged_allocator import PagedAllocator
from gptwright.inference.request import Request
from gptwright.inference.sampling import Sampling
from gptwright.inference.scheduler import ScheduledWork, Scheduler

SCHEDULES = 5000


def play(random: Random, machine, allocator: KVAllocator, alone):
    """One schedule: texts that begin alike come, are aborted, have drafts right and wrong; sometimes weights change."""
    texts = [random.choices((0, 1), k=14) for _ in range(random.randint(1, 3))]
    limits = {
        "budget": random.choice((1, 4, 12)),
        "unwatched_budget": random.choice((4, 24)),
        "max_running": random.choice((1, 2, 4, 8)),
    }
    it, asked, aborted, eager = machine(allocator, **limits), [], [], random.random()
    for _ in range(random.randint(1, 7)):
        for _ in range(random.choice((0, 1, 1, 3))):
            ids = random.choice(texts)[: random.randint(1, 14)] + random.choices((0, 1), k=random.choice((0, 2)))
            tokens = random.randint(1, 24 - len(ids))
            asked.append((it.add(ids, tokens, random.choice((None, None, None, 0, 5))), ids, tokens))
        event = random.random()
        if event < 0.1 and it.live:
            aborted.append(random.choice(it.live))
            it.end(aborted[-1])
        elif event < 0.15:
            it.forget()
        for request in it.live:
            request.drafts = drafts(random, alone, request) if random.random() < eager else []
        it.step()
    it.finish()
    for request, ids, tokens in asked:
        whole = alone(ids, tokens)
        assert request.ids == (whole[: len(request.ids)] if request in aborted else whole)
    it.check_all_free()
    return it


def drafts(random: Random, alone, request: Request) -> list[int]:
    """Right ones, wrong ones, or first right and then wrong."""
    right = alone(request.ids, 2)[len(request.ids) :]
    return random.choice((right, [right[0], 1 - right[1]], [1 - right[0]]))


def test_ten_thousand_random_schedules_lose_and_leak_nothing(machine, allocator, alone) -> None:
    """Every text is the one that is written alone, whatever came in between; the machine checks the rest."""
    seen = dict.fromkeys(("preempted", "found", "drafted"), 0)
    for seed in range(SCHEDULES):
        random = Random(seed)
        it = play(random, machine, allocator(random), alone)
        for what in seen:
            seen[what] += getattr(it, what)
    assert all(number > SCHEDULES // 10 for number in seen.values()), seen


@given(st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_hypothesis_finds_no_schedule_that_goes_wrong(machine, allocator, alone, random: Random) -> None:
    play(random, machine, allocator(random), alone)


def counts(works: list[ScheduledWork]) -> list[tuple[int, int]]:
    """Who reads how many tokens."""
    return [(work.request.arrival, work.count) for work in works]


def test_answers_come_first_and_prompts_take_what_the_budget_leaves(machine) -> None:
    it = machine(ContiguousAllocator(1000), budget=8, unwatched_budget=20)
    it.add([1, 2], 9)
    it.add([3, 4, 5], 9)
    assert counts(it.step()) == [(0, 2), (1, 3)]
    it.add(list(range(10, 20)), 9)
    assert counts(it.step()) == [(0, 1), (1, 1), (2, 6)]
    assert counts(it.step()) == [(0, 1), (1, 1), (2, 4)]
    assert counts(it.step()) == [(0, 1), (1, 1), (2, 1)]


def test_a_step_is_wide_while_nobody_waits_for_a_word(machine) -> None:
    it = machine(PagedAllocator(100, 16), budget=8, unwatched_budget=20)
    it.add(list(range(50)), 9)
    it.add([1, 2, 3], 9)
    assert counts(it.step()) == [(0, 20)]
    assert counts(it.step()) == [(0, 20)]
    assert counts(it.step()) == [(0, 10), (1, 3)]
    assert counts(it.step()) == [(0, 1), (1, 1)]


def test_a_quarter_of_the_budget_is_for_prompts_however_many_write(machine) -> None:
    it = machine(PagedAllocator(100, 16), budget=8, unwatched_budget=100)
    for token in range(12):
        it.add([token, 1], 9)
    it.step()
    it.add(list(range(50)), 9)
    assert counts(it.step()) == [(number, 1) for number in range(12)] + [(12, 2)]


def test_prompts_are_read_one_after_another_and_so_many_run_at_once(machine) -> None:
    it = machine(PagedAllocator(100, 16), unwatched_budget=10, max_running=2)
    for token in range(3):
        it.add([token] * 12, 1)
    assert counts(it.step()) == [(0, 10)]
    assert counts(it.step()) == [(0, 2), (1, 8)]
    assert counts(it.step()) == [(1, 4), (2, 6)]


def test_drafts_have_what_the_others_leave(machine) -> None:
    it = machine(PagedAllocator(100, 16), budget=8, unwatched_budget=100)
    writers = [it.add([token, 1], 90) for token in range(2)]
    it.step()
    for request in writers:
        request.drafts = [8] * 4
    assert [len(work.drafts) for work in it.step()] == [4, 2]
    it.add(list(range(30)), 9)
    assert [(work.count, len(work.drafts)) for work in it.step()] == [(1, 0), (1, 0), (6, 0)]


def test_drafts_go_where_memory_is_short_and_push_nobody_out(machine) -> None:
    it = machine(PagedAllocator(4, 2))
    first, second = it.add([1, 2, 3], 2), it.add([4, 5], 3)
    it.step()
    first.drafts = second.drafts = [8, 8, 8]
    assert [(work.request, work.drafts) for work in it.step()] == [(first, []), (second, [])]
    assert it.preempted == 0


@pytest.mark.parametrize("make", [lambda: ContiguousAllocator(500), lambda: PagedAllocator(40, 16)])
def test_answers_of_one_prompt_share_its_reading(machine, make) -> None:
    it = machine(make(), unwatched_budget=20)
    prompt = list(range(48))
    for _ in range(5):
        it.add([*prompt, 50], 2)
    other = it.add([60, 61], 9)
    first = it.step()
    assert counts(first) == [(0, 20)], "the others wait, and there is no budget left for the last"
    it.step()
    works = it.step()
    assert other in [work.request for work in works], "who shares nothing need not wait"
    it.finish()
    assert it.read == 49 + 4 + 2 + 5 + 8 and it.found == 4 * 48


def test_who_waits_for_a_reader_goes_on_without_it(machine) -> None:
    it = machine(PagedAllocator(40, 16), unwatched_budget=20)
    first, second = it.add(list(range(60)), 2), it.add(list(range(60)), 2)
    it.step()
    assert second.allocation is None
    it.end(first)
    assert counts(it.step()) == [(1, 20)] and it.found == 16
    it.finish()


def test_nobody_waits_for_one_who_came_later_or_for_what_it_must_read_itself(machine) -> None:
    it = machine(PagedAllocator(40, 16), unwatched_budget=80)
    first, second = it.add(list(range(60)), 2), it.add(list(range(60)), 2)
    third = it.add(list(range(60)), 2, max_reused=0)
    assert counts(it.step()) == [(0, 60), (2, 20)], "the third may not use what the first reads"
    it.end(first)
    it.step()
    assert second.allocation and third.uncomputed > 0, "the third is about to read the same, but it came later"


def test_nobody_waits_for_what_is_read_already(machine) -> None:
    it = machine(ContiguousAllocator(500, block_size=16), unwatched_budget=25)
    it.add(list(range(60)), 2)
    second = it.add([*range(20), *range(80, 90)], 2)
    it.step()
    it.step()
    assert second.allocation is None, "the first has the whole budget"
    it.step()
    assert second.allocation and it.found == 20


def test_the_newest_loses_its_memory_and_is_read_again(machine, alone) -> None:
    it = machine(PagedAllocator(4, 2))
    first, second = it.add([1, 2], 6), it.add([3, 4], 6)
    third = it.add([5, 6], 2)
    it.step()
    assert second.allocation and third.allocation is None
    for _ in range(3):
        it.step()
    assert it.preempted == 1 and it.scheduler.waiting == [second, third] and len(second.ids) > 2
    it.finish()
    assert first.ids == alone([1, 2], 6) and second.ids == alone([3, 4], 6)


def test_other_weights_read_everybody_anew_and_keep_what_was_written(machine) -> None:
    it = machine(ContiguousAllocator(500), unwatched_budget=100)
    first, second = it.add(list(range(40)), 5), it.add(list(range(50, 90)), 5)
    it.step()
    it.forget()
    assert it.scheduler.running == [] and it.scheduler.waiting == [first, second]
    assert counts(it.step()) == [(0, 41), (1, 41)]
    it.finish()


def test_who_can_never_fit_is_told_and_the_others_go_on(machine) -> None:
    it = machine(ContiguousAllocator(20))
    fits = it.add([1] * 11, 10)
    with pytest.raises(InputError, match=r"at most 20 tokens.*a prompt of 12 and an answer of up to 10"):
        it.add([1] * 12, 10)
    with pytest.raises(InputError, match="at least one token"):
        it.add([], 10)
    it.finish()
    assert len(fits.ids) == 21


def test_to_remove_twice_is_to_remove_once() -> None:
    scheduler = Scheduler(ContiguousAllocator(20))
    request = Request([1, 2], Sampling(max_tokens=3), 0)
    scheduler.remove(request)
    scheduler.add(request)
    scheduler.remove(request)
    scheduler.remove(request)
    assert scheduler.schedule() == []
