from collections import Counter
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from gptwright.text.cuts import Cuts
from gptwright.text.documents import Document
from gptwright.text.pipeline import CleanedDocument
from gptwright.text.split import Split
from gptwright.text.subsample import interleave, subsample


@given(st.lists(st.lists(st.integers(1, 9), max_size=30), max_size=6))
def test_every_item_comes_and_no_stream_runs_ahead(sizes: list[list[int]]) -> None:
    taken: Counter[int] = Counter()
    left = [len(s) for s in sizes]
    came: list[list[int]] = [[] for _ in sizes]
    for number, size in interleave([iter(s) for s in sizes], taken):
        assert all(taken[number] <= taken[other] for other in range(len(sizes)) if left[other])
        taken[number] += size
        left[number] -= 1
        came[number].append(size)
    assert came == sizes


def file(name: str, documents: int, length: int) -> Iterator[CleanedDocument]:
    for i in range(documents):
        split = "heldout" if i % 4 == 3 else "train"
        yield CleanedDocument(Document(f"{name}{i:03}".ljust(length, "."), name, split=split), Cuts())


def side(cleaned: CleanedDocument) -> Split:
    return "heldout" if cleaned.document.split == "heldout" else "train"


def take(train: int, heldout: int, *streams: Iterator[CleanedDocument]) -> tuple[dict[str, Counter[str]], list[str]]:
    """Characters by side and source, and the texts that found no room."""
    came: dict[str, Counter[str]] = {"train": Counter(), "heldout": Counter()}
    dropped: list[CleanedDocument] = []
    for cleaned, split in subsample(streams, {"train": train, "heldout": heldout}, side, dropped.append):
        assert cleaned.document.split == split
        came[split][cleaned.document.source] += len(cleaned.document.text)
    return came, [d.document.text.rstrip(".") for d in dropped]


def test_both_sides_are_shared_evenly() -> None:
    came, dropped = take(4_000, 2_000, file("a", 40, 1_000), file("b", 400, 100))
    assert came == {"train": {"a": 2_000, "b": 2_000}, "heldout": {"a": 1_000, "b": 1_000}}
    assert "a002" in dropped and "b003" not in dropped


def test_a_small_file_gives_all_it_has_and_the_last_document_is_cut() -> None:
    came, dropped = take(1_050, 100, file("a", 4, 100), file("b", 400, 100))
    assert came == {"train": {"a": 300, "b": 750}, "heldout": {"a": 100}}
    assert dropped == ["b003", "b007"]


def test_with_room_for_all_nothing_is_dropped() -> None:
    came, dropped = take(10**6, 10**6, file("a", 8, 100), file("b", 4, 100))
    assert (came["train"], came["heldout"], dropped) == ({"a": 600, "b": 300}, {"a": 200, "b": 100}, [])


def test_one_long_document_leaves_room_for_the_others() -> None:
    came, _ = take(9_000, 9_000, file("a", 4, 100_000), file("b", 400, 100), file("c", 400, 100))
    assert came == {"train": dict.fromkeys("abc", 3_000), "heldout": dict.fromkeys("abc", 3_000)}
