"""Prompts with equal ids and other images share no cached prefix; those with equal images do."""

from collections.abc import Callable
from random import Random

import pytest
import torch

from gptwright.foundations.errors import InputError
from gptwright.inference.content import Content, embeddings_of
from gptwright.inference.contiguous_allocator import ContiguousAllocator
from gptwright.inference.engine import Engine
from gptwright.inference.kv_allocator import KVAllocator
from gptwright.inference.kv_cache import KVCache
from gptwright.inference.paged_allocator import PagedAllocator
from gptwright.inference.request import Request
from gptwright.inference.sampling import Sampling
from gptwright.inference.scheduler import Scheduler
from gptwright.models.gpt2 import GPT2, GPT2Config

PLACEHOLDER = 299
PROMPT = [5, 6, *[PLACEHOLDER] * 4, 7, 8, 9, 10, 11, 12]
GREEDY = Sampling(temperature=0, max_tokens=10)


def image(seed: int, width: int = 32) -> dict[int, Content]:
    """An image of four patches, at positions 2 to 5."""
    patches = torch.randn(4, width, generator=torch.Generator().manual_seed(seed))
    return {2 + i: Content.of(patch) for i, patch in enumerate(patches)}


@pytest.fixture
def seeing() -> GPT2:
    torch.manual_seed(0)
    network = GPT2(GPT2Config(vocab=300, context=64, width=32, heads=2, layers=2))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.3)
    return network.requires_grad_(False)


def engine(network: GPT2, allocator: KVAllocator) -> Engine:
    made = Engine(network)
    made.allocator, made.kv_cache = allocator, KVCache.of(made.view, allocator.capacity)
    made.scheduler = Scheduler(allocator)
    return made


ALLOCATORS: list[Callable[[], KVAllocator]] = [
    lambda: ContiguousAllocator(512, block_size=4),
    lambda: PagedAllocator(128, 4),
]


def written(writer: Engine, content: dict[int, Content]) -> tuple[list[int], int]:
    """The response, and how many tokens came from the prefix cache."""
    request = writer.submit(PROMPT, GREEDY, content=content)
    admit, found = writer.allocator.admit, list[int]()

    def counted(one: Request) -> bool:
        admitted = admit(one)
        found.append(one.computed)
        return admitted

    writer.allocator.admit = counted
    writer.run([request])
    writer.allocator.admit = admit
    return request.answer, found[0]


@pytest.mark.parametrize("make", ALLOCATORS)
def test_other_images_behind_equal_ids_share_no_prefix_and_equal_ones_do(
    seeing: GPT2, make: Callable[[], KVAllocator]
) -> None:
    alone = [written(engine(seeing, make()), image(seed))[0] for seed in (1, 2)]
    assert alone[0] != alone[1]
    writer = engine(seeing, make())
    assert written(writer, image(1)) == (alone[0], 0)
    assert written(writer, image(2))[1] < 3, "what stands before the image may be shared, and no more"
    assert written(writer, image(2))[0] == alone[1]
    again, found = written(writer, image(1))
    assert again == alone[0] and found >= 8


@pytest.mark.parametrize("make", ALLOCATORS)
def test_images_that_are_read_side_by_side_do_not_mix(seeing: GPT2, make: Callable[[], KVAllocator]) -> None:
    alone = [written(engine(seeing, make()), image(seed))[0] for seed in (1, 2, 1)]
    writer = engine(seeing, make())
    requests = [writer.submit(PROMPT, GREEDY, content=image(seed)) for seed in (1, 2, 1)]
    writer.run(requests)
    assert [request.answer for request in requests] == alone


def test_the_allocators_compare_content(allocator: Callable[[Random], KVAllocator]) -> None:
    for seed in range(20):
        store = allocator(Random(seed))
        first = Request(PROMPT, Sampling(max_tokens=1), 0, content=image(1))
        assert store.admit(first)
        first.computed = len(PROMPT)
        store.release(first)
        for content, least, most in ((image(2), 0, 2), ({}, 0, 2), (image(1), 8, 11)):
            again = Request(PROMPT, Sampling(max_tokens=1), 0, content=content)
            assert store.admit(again) and least <= again.computed <= most
            store.release(again)


def test_embeddings_have_their_positions_in_the_row() -> None:
    found = embeddings_of([({}, 0, 3), (image(1), 3, 2), (image(2), 0, 3)], torch.device("cpu"))
    assert found is not None and found.positions.tolist() == [3, 4, 7]
    assert embeddings_of([({}, 0, 3), (image(1), 6, 5)], torch.device("cpu")) is None


def test_embeddings_of_another_width_are_refused(seeing: GPT2) -> None:
    with pytest.raises(InputError, match="embeddings of the model's width 32"):
        Engine(seeing).submit(PROMPT, GREEDY, content=image(1, width=16))
