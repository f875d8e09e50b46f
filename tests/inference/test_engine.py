"""The engine writes what the plain loop writes, whatever its memory, its budget and its company."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.models.test_family import DECODERS, TINY

from gptwright.foundations.errors import ArtifactError, ConfigError, InputError
from gptwright.inference.contiguous_allocator import ContiguousAllocator
from gptwright.inference.engine import Engine, PromptTooLong
from gptwright.inference.kv_allocator import KVAllocator
from gptwright.inference.kv_cache import KVCache
from gptwright.inference.packed_model import KERNELS
from gptwright.inference.paged_allocator import PagedAllocator
from gptwright.inference.request import Request
from gptwright.inference.sampling import Sampling
from gptwright.inference.scheduler import Scheduler
from gptwright.models.catalogue import FAMILIES, build
from gptwright.models.gpt2 import GPT2, GPT2Config

GREEDY = Sampling(temperature=0, max_tokens=12)
PROMPTS = [[5, 6, 7], [9], [4, 8, 15, 16, 23, 42], [108, 200], [4, 8, 15, 16, 23, 42, 7], [9] * 40]
ALLOCATORS: dict[str, Callable[[int], KVAllocator]] = {
    "slots": ContiguousAllocator,
    "blocks": lambda n: PagedAllocator(n // 4, block_size=4),
}


def plainly(network: Any, prompt: list[int], count: int) -> list[int]:
    """Greedy decoding without memory: the whole text is read anew for every token."""
    ids = list(prompt)
    for _ in range(count):
        ids.append(int(network(torch.tensor([ids]))[0, -1].argmax()))
    return ids[len(prompt) :]


def answers(requests: list[Request]) -> list[list[int]]:
    return [request.answer for request in requests]


def engine(network: Any, allocator: str = "slots", addresses: int = 512, **how: Any) -> Engine:
    """An engine over one kind of memory; `budget`, `unwatched_budget` and `max_running` go to its scheduler."""
    planning = {name: how.pop(name) for name in ("budget", "unwatched_budget", "max_running") if name in how}
    made = Engine(network, **how)
    made.allocator = ALLOCATORS[allocator](addresses)
    made.kv_cache = KVCache.of(made.view, addresses)
    made.scheduler = Scheduler(made.allocator, **planning)
    return made


@pytest.fixture(params=DECODERS)
def family(request: pytest.FixtureRequest) -> Any:
    built = FAMILIES[request.param].model(TINY[request.param])
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.normal_(0.0, 0.3)
    return built


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_every_family_writes_what_the_plain_loop_writes(family: Any, allocator: str) -> None:
    prompts = [[5, 6, 7], [9], [4, 8, 15, 16, 23, 42], [4, 8, 15, 16, 23, 42, 7]]
    found = engine(family, allocator, budget=4, unwatched_budget=5).generate(
        prompts, Sampling(temperature=0, max_tokens=9)
    )
    assert answers(found) == [plainly(family, prompt, 9) for prompt in prompts]


@pytest.mark.parametrize("drafts", [0, 5])
@pytest.mark.parametrize("addresses", [512, 64])
@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_greedy_text_depends_on_nothing_but_the_prompt(
    network: GPT2, allocator: str, addresses: int, drafts: int
) -> None:
    found = engine(network, allocator, addresses, drafts=drafts, budget=8, unwatched_budget=16, max_running=4).generate(
        PROMPTS, GREEDY
    )
    assert answers(found) == [plainly(network, prompt, 12) for prompt in PROMPTS]
    assert [request.finish for request in found] == ["length"] * len(PROMPTS)


@pytest.mark.parametrize("form", KERNELS)
@pytest.mark.parametrize("drafts", [0, 5])
def test_in_every_format_a_text_does_not_depend_on_its_company(form: str, drafts: int) -> None:
    model = build(GPT2Config(vocab=300, context=64, width=64, heads=4, layers=2), seed=3)
    sampling = Sampling(temperature=1.0, max_tokens=20)
    together = engine(model, addresses=90, dtype=form, drafts=drafts, budget=8, unwatched_budget=16, max_running=4)
    requests = [together.submit(prompt, sampling, seed=i) for i, prompt in enumerate(PROMPTS)]
    together.run(requests)
    for i, (prompt, request) in enumerate(zip(PROMPTS, requests, strict=True)):
        alone = Engine(model, dtype=form)
        again = alone.submit(prompt, sampling, seed=i)
        alone.run([again])
        assert again.answer == request.answer


@pytest.mark.parametrize("allocator", ALLOCATORS)
@pytest.mark.parametrize("temperature", [0, 1.0])
def test_a_draft_network_changes_nothing_but_the_number_of_steps(allocator: str, temperature: float) -> None:
    model, other = (build(GPT2Config(vocab=300, context=64, width=32, heads=2, layers=n), seed=n) for n in (2, 1))
    sampling = Sampling(temperature=temperature, max_tokens=20, seed=3, presence_penalty=0.5)
    plain = answers(engine(model, allocator).generate(PROMPTS, sampling))
    for draft, tight in ((other, 512), (model, 512), (other, 72)):
        found = engine(model, allocator, tight, draft=draft, drafts=3, budget=16, max_running=4).generate(
            PROMPTS, sampling
        )
        assert answers(found) == plain


def test_a_draft_network_that_is_the_same_is_always_right(network: GPT2) -> None:
    writer = Engine(network, draft=network, drafts=4)
    request = writer.submit([5, 6, 7], Sampling(temperature=1.0, max_tokens=21, seed=1))
    steps = 0
    while not request.finish:
        writer.step()
        steps += 1
    assert steps == 1 + 20 / 5


def test_a_draft_network_of_other_tokens_is_refused(network: GPT2) -> None:
    with pytest.raises(ConfigError, match="a draft model of the same"):
        Engine(network, draft=build(GPT2Config(vocab=99, context=64, width=32, heads=2, layers=1), seed=1))


@pytest.mark.parametrize("drafts", [0, 4])
def test_the_seed_chooses_the_text_whatever_else_is_written(network: GPT2, drafts: int) -> None:
    sampling = Sampling(temperature=1.0, max_tokens=12, seed=7)
    together = engine(network, drafts=drafts, budget=8)
    requests = [together.submit(prompt, sampling, seed=i) for i, prompt in enumerate(PROMPTS)]
    together.run(requests)
    for i, (prompt, request) in enumerate(zip(PROMPTS, requests, strict=True)):
        alone = Engine(network)
        again = alone.submit(prompt, sampling, seed=i)
        alone.run([again])
        assert again.answer == request.answer
    first, second = (
        answers(Engine(network).generate(PROMPTS, Sampling(temperature=1.0, seed=seed))) for seed in (7, 8)
    )
    assert first != second


@pytest.mark.parametrize(
    "settings",
    [{"temperature": 1.0}, {"temperature": 0.6}, {"temperature": 0}, {"temperature": 2.0, "top_k": 3, "top_p": 0.5},
     {"temperature": 0.6, "repetition_penalty": 5.0, "logit_bias": {3: 50.0}}],
)  # fmt: skip
def test_noted_log_probabilities_are_those_of_a_whole_reading(network: GPT2, settings: dict[str, Any]) -> None:
    """The model's own, however the tokens were drawn; those under the temperature are noted apart."""
    sampling = Sampling(**settings, max_tokens=10, seed=3, logprobs=2, sampled_logprobs=True)
    for request in Engine(network, [17]).generate(PROMPTS, sampling):
        logits = network.logits(network.hidden(torch.tensor([request.ids]))[0, request.prompt - 1 : -1])
        rows, answer = torch.arange(len(request.answer)), torch.tensor(request.answer)
        scores = logits.log_softmax(-1)
        torch.testing.assert_close(torch.tensor(request.logprobs), scores[rows, answer], atol=1e-5, rtol=1e-5)
        tempered = (logits / (sampling.temperature or 1.0)).log_softmax(-1)[rows, answer]
        torch.testing.assert_close(torch.tensor(request.sampled_logprobs), tempered, atol=1e-5, rtol=1e-5)
        assert [list(top) for top in request.top] == scores.topk(2).indices.tolist()


@pytest.mark.parametrize("sampling", [Sampling(temperature=0.3), Sampling(temperature=0), Sampling(top_k=1)])
def test_a_prompts_log_probabilities_are_the_models_own(network: GPT2, sampling: Sampling) -> None:
    prompt = [4, 8, 15, 16, 23, 42]
    (request,) = Engine(network).generate([prompt], replace(sampling, max_tokens=1, prompt_logprobs=2))
    scores = network(torch.tensor([prompt]))[0, :-1].log_softmax(-1)
    assert request.prompt_logprobs == pytest.approx(scores[torch.arange(5), prompt[1:]].tolist(), abs=1e-5)
    assert [list(top) for top in request.prompt_top_logprobs] == scores.topk(2).indices.tolist()


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_without_tokens_to_write_a_prompt_is_only_read_up_to_the_whole_context(network: GPT2, allocator: str) -> None:
    writer = engine(network, allocator)
    only_read = Sampling(max_tokens=0, prompt_logprobs=0)
    length = network.config.context
    whole, short = writer.generate([[5] * length, [6, 7]], only_read)
    assert (whole.answer, whole.finish, len(whole.prompt_logprobs)) == ([], "length", length - 1)
    assert short.prompt_logprobs == pytest.approx(writer.score([[6, 7]], [1])[0], abs=1e-5)
    with pytest.raises(PromptTooLong, match=f"at most {length} tokens"):
        writer.submit([5] * (length + 1), only_read)
    with pytest.raises(PromptTooLong, match=f"fewer than {length} tokens") as error:
        writer.submit([5] * length, GREEDY)
    assert (error.value.tokens, error.value.context) == (length, length)


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_what_is_given_is_scored_as_by_a_whole_reading(network: GPT2, allocator: str) -> None:
    reader = engine(network, allocator, budget=4, unwatched_budget=7)
    rows = [[4, 8, 15, 16, 23, 42, *tail] for tail in ([1, 2, 3], [3, 2], [5, 5, 5, 5])]
    requests = [reader.read(row, start=6) for row in rows]
    reader.run(requests)
    for row, request in zip(rows, requests, strict=True):
        hidden = network.hidden(torch.tensor([row]))[0]
        scores = network.logits(hidden).log_softmax(-1)
        expected = scores[torch.arange(5, len(row) - 1), torch.tensor(row[6:])]
        torch.testing.assert_close(torch.tensor(request.prompt_logprobs), expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(request.state, hidden[-1], atol=1e-5, rtol=1e-5)
        assert request.answer == []
    for found, request in zip(reader.score(rows, [6] * 3), requests, strict=True):
        assert found == pytest.approx(request.prompt_logprobs, abs=1e-5)


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_the_last_id_of_a_row_is_scored_without_being_read(network: GPT2, allocator: str) -> None:
    reader = engine(network, allocator, budget=4, unwatched_budget=7)
    row = [(i * 7) % 50 for i in range(network.config.context + 1)]
    scores = network(torch.tensor([row[:-1]]))[0].log_softmax(-1)
    (found,) = reader.score([row], [1])
    assert found == pytest.approx(scores[torch.arange(len(row) - 1), row[1:]].tolist(), abs=1e-5)
    tails = [reader.read(row[:20], 20, following=id, top=2) for id in (3, 4, 3)]
    reader.run(tails)
    assert [each.prompt_logprobs for each in tails] == [
        [pytest.approx(scores[19, id].item(), abs=1e-5)] for id in (3, 4, 3)
    ]
    assert [list(top) for top in tails[0].prompt_top_logprobs] == [scores[19].topk(2).indices.tolist()]


def test_a_prompts_log_probabilities_survive_its_loss_of_memory(network: GPT2) -> None:
    sampling = Sampling(temperature=0, max_tokens=12, prompt_logprobs=0)
    roomy, tight = (engine(network, addresses=addresses, budget=8, unwatched_budget=8) for addresses in (512, 60))
    for one, other in zip(*(made.generate(PROMPTS, sampling) for made in (roomy, tight)), strict=True):
        torch.testing.assert_close(one.prompt_logprobs, other.prompt_logprobs, atol=1e-5, rtol=1e-5)
        assert len(one.prompt_logprobs) == one.prompt - 1


def test_equal_beginnings_are_read_once(network: GPT2, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    hidden = network.hidden

    def counted(ids: torch.Tensor, *rest: Any, **more: Any) -> torch.Tensor:
        read.append(ids.shape[1])
        return hidden(ids, *rest, **more)

    monkeypatch.setattr(network, "hidden", counted)
    prompt = list(range(40, 80))
    writer = Engine(network)
    four = writer.generate([prompt], Sampling(temperature=1.0, max_tokens=5, seed=1, n=4))
    assert len({tuple(request.answer) for request in four}) > 1
    assert sum(read) <= 40 + 3 + 4 * 4
    read.clear()
    later = writer.generate([[*prompt, 3]], GREEDY)[0]
    assert read[0] <= 2
    assert later.answer == plainly(network, [*prompt, 3], 12)


def test_new_weights_forget_what_the_old_ones_read(network: GPT2) -> None:
    writer = Engine(network)
    writer.generate(PROMPTS, GREEDY)
    running = [writer.submit(prompt, GREEDY) for prompt in PROMPTS]
    writer.step()
    with torch.no_grad():
        network.blocks[0].mlp.up.weight.mul_(2.0)  # pyright: ignore
    writer.refresh()
    assert answers(writer.generate(PROMPTS, GREEDY)) == [plainly(network, prompt, 12) for prompt in PROMPTS]
    writer.run(running)


def test_an_answer_ends_at_a_stop_id_which_it_keeps(network: GPT2) -> None:
    free = plainly(network, PROMPTS[0], 12)
    ended = Engine(network, [free[3]], drafts=4).generate(PROMPTS[:1], GREEDY)[0]
    assert (ended.answer, ended.finish) == (free[: free.index(free[3]) + 1], "stop")
    own = Sampling(temperature=0, max_tokens=12, stop_ids=(free[3],))
    assert Engine(network).generate(PROMPTS[:1], own)[0].answer == ended.answer


@pytest.mark.parametrize("length", [1, 60, 62, 63])
def test_prompt_and_answer_fill_the_context_and_no_more(network: GPT2, length: int) -> None:
    found = Engine(network).generate([[5] * length, [6]], Sampling(temperature=0, max_tokens=1000))
    assert [len(request.answer) for request in found] == [64 - length, 63]


def test_one_that_is_aborted_leaves_the_others_alone(network: GPT2) -> None:
    writer = Engine(network)
    requests = [writer.submit(prompt, GREEDY) for prompt in PROMPTS]
    writer.step()
    writer.abort(requests[0])
    writer.abort(requests[0])
    writer.run(requests)
    assert requests[0].finish == "abort"
    assert answers(requests[1:]) == [plainly(network, prompt, 12) for prompt in PROMPTS[1:]]
    assert not writer.scheduler.running


def test_a_step_that_fails_leaves_nothing_half_done(network: GPT2, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Engine(network)
    requests = [writer.submit(prompt, GREEDY) for prompt in PROMPTS]
    writer.step()
    layer = KVCache.step

    def broken(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(KVCache, "step", broken)
    with pytest.raises(MemoryError):
        writer.step()
    monkeypatch.setattr(KVCache, "step", layer)
    assert not writer.scheduler.running
    writer.run(requests)
    assert answers(requests) == [plainly(network, prompt, 12) for prompt in PROMPTS]


def test_what_is_only_read_is_never_drafted(network: GPT2) -> None:
    """A piece of the prompt leaves exactly one token, with drafts that the text itself proposes."""
    reader = engine(network, drafts=8, budget=8)
    row = [1, 2, 3, 4] * 16
    writing = reader.submit([5, 6], Sampling(temperature=0, max_tokens=40))
    reader.step()
    request = reader.read(row, start=1)
    while not request.finish:
        reader.step()
    torch.testing.assert_close(request.state, network.hidden(torch.tensor([row]))[0, -1], atol=1e-5, rtol=1e-5)
    reader.abort(writing)


@pytest.mark.parametrize("seed", range(6))
def test_drafts_do_not_outlive_the_weights(network: GPT2, seed: int) -> None:
    writer = Engine(network, drafts=8)
    request = writer.submit([1, 2, 1, 2, 1, 2, 1, 2] * 4, Sampling(temperature=1.0, max_tokens=60, seed=seed))
    while not request.finish:
        writer.step()
        writer.refresh()
    assert len(request.ids) == 64


def test_what_fails_leaves_nobody_in_line(network: GPT2) -> None:
    writer = Engine(network, drafts=4)
    with pytest.raises(InputError, match="fewer than 64"):
        writer.generate([[1, 2], [1] * 99], GREEDY)
    with pytest.raises(InputError, match="ids from 0 to"):
        writer.generate([[1, 2], [1, network.config.vocab]], GREEDY)
    assert not writer.scheduler.waiting
    good = network.norm.weight.clone()
    for temperature in (0, 1.0):
        with torch.no_grad():
            network.norm.weight.fill_(float("nan"))
        writer.refresh()
        with pytest.raises(ArtifactError, match="logits that are numbers"):
            writer.generate(PROMPTS, Sampling(temperature=temperature, max_tokens=4))
        with torch.no_grad():
            network.norm.weight.copy_(good)
        writer.refresh()
        assert not writer.scheduler.waiting and not writer.scheduler.running
    assert answers(writer.generate(PROMPTS, GREEDY)) == [plainly(network, prompt, 12) for prompt in PROMPTS]


def test_a_network_in_another_format_is_refused(network: GPT2) -> None:
    with pytest.raises(ConfigError, match="in float32 or bfloat16"):
        Engine(network.half())


def test_best_of_gives_the_likeliest(network: GPT2) -> None:
    sampling = Sampling(temperature=1.0, max_tokens=6, seed=5, n=2, best_of=6)
    two = Engine(network).generate(PROMPTS[:1], sampling)
    means = [sum(request.logprobs) / len(request.logprobs) for request in two]
    assert len(two) == 2
    assert means == sorted(means, reverse=True)


@pytest.mark.parametrize(
    ("ids", "said"), [([], "an empty one"), ([1] * 64, "fewer than 64 tokens"), ([1] * 99, "got 99")]
)
def test_prompts_that_cannot_be_answered_are_refused_and_others_go_on(network: GPT2, ids: list[int], said: str) -> None:
    writer = Engine(network)
    request = writer.submit([5], GREEDY)
    with pytest.raises(InputError, match=said):
        writer.submit(ids, GREEDY)
    writer.run([request])
    assert request.answer == plainly(network, [5], 12)


def test_memory_that_is_too_small_for_one_is_said(network: GPT2) -> None:
    with pytest.raises(InputError, match="memory"):
        engine(network, addresses=16).submit([1] * 10, GREEDY)


def test_an_unknown_format_is_refused(network: GPT2) -> None:
    with pytest.raises(ConfigError, match="a number format"):
        Engine(network, dtype="float17")


def test_nothing_asked_is_nothing_done(network: GPT2) -> None:
    assert Engine(network).generate([], GREEDY) == []
    assert Engine(network).step() == []
