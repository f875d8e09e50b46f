"""Windows with holes: a pure function of the step, of the same shape, with middles that end."""

from pathlib import Path

import pytest
import torch

from gptwright.objectives.language import IGNORED
from gptwright.tasks.fill_in_the_middle import FillInTheMiddle, documents
from gptwright.text.pack import TokenFile, pack
from gptwright.tokenizers.fill_in_the_middle import SENTINELS
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.batches import Windows

TEXTS = ["the cat sat on the mat", "we are free", "a", "", "the dog ran to the sea where we like to be", "é" * 30] * 30


@pytest.fixture
def coder(tokenizer: Tokenizer) -> Tokenizer:
    return tokenizer.with_additional(SENTINELS)


@pytest.fixture
def tokens(coder: Tokenizer, tmp_path: Path) -> TokenFile:
    pack(iter(TEXTS), coder.encode_many, coder.eos_id, tmp_path / "train", coder.vocab, coder.sha256)
    return TokenFile.open(tmp_path / "train")


def source(tokens: TokenFile, coder: Tokenizer, rate: float, spm: float = 0.5) -> FillInTheMiddle:
    return FillInTheMiddle(Windows(tokens, 48, 4, 1), coder, rate, 7, spm)


def test_a_rate_of_0_changes_nothing(tokens: TokenFile, coder: Tokenizer) -> None:
    for step in range(5):
        ours, plain = source(tokens, coder, 0.0).batch(step), Windows(tokens, 48, 4, 1).batch(step)
        assert torch.equal(ours.ids, plain.ids) and torch.equal(ours.targets, plain.targets)


@pytest.mark.parametrize("rate", [0.5, 1.0])
def test_batches_keep_their_shape_and_come_again(tokens: TokenFile, coder: Tokenizer, rate: float) -> None:
    for step in range(20):
        first, again = (source(tokens, coder, rate).batch(step) for _ in range(2))
        assert first.ids.shape == first.targets.shape == (4, 48)
        assert torch.equal(first.ids, again.ids) and torch.equal(first.targets, again.targets)
        assert (first.ids >= 0).all()
        follows = first.targets[:, :-1] == first.ids[:, 1:]
        assert (follows | (first.targets[:, :-1] == IGNORED)).all()


def test_every_hole_has_its_parts_and_its_end(tokens: TokenFile, coder: Tokenizer) -> None:
    prefix, suffix, middle = map(coder.special_id, SENTINELS)
    seen = 0
    for step in range(20):
        batch = source(tokens, coder, 1.0).batch(step)
        for ids, targets in zip(batch.ids.tolist(), batch.targets.tolist(), strict=True):
            assert not {prefix, suffix, middle} & set(targets)
            whole = [*ids, *(id for id in targets[-1:] if id != IGNORED)]
            for document in documents(whole, coder.eos_id):
                if prefix in document:
                    seen += 1
                    assert document[0] == prefix and document[-1] == coder.eos_id
                    assert document.count(suffix) == document.count(middle) == 1
    assert seen > 100


def test_the_share_of_documents_is_the_rate_and_half_have_the_suffix_first(tokens: TokenFile, coder: Tokenizer) -> None:
    prefix, suffix, _ = map(coder.special_id, SENTINELS)
    long = holes = first = 0
    for step in range(150):
        for row in source(tokens, coder, 0.5).batch(step).ids.tolist():
            for document in documents(row, coder.eos_id):
                long += len(document) > 12
                holes += document[0] == prefix
                first += document[:2] == [prefix, suffix]
    assert 0.4 < holes / long < 0.65 and 0.4 < first / holes < 0.65


def test_text_is_what_it_was(tokens: TokenFile, coder: Tokenizer) -> None:
    """Of a document that is whole in its window, all characters are still there."""
    whole = {"".join(sorted(text)) for text in TEXTS}
    batch = source(tokens, coder, 1.0).batch(3)
    kept = 0
    for row in batch.ids.tolist():
        for document in documents(row, coder.eos_id)[1:-1]:
            kept += 1
            assert "".join(sorted(coder.decode(document))) in whole
    assert kept


def test_middles_are_what_follows_prefix_and_suffix(tokens: TokenFile, coder: Tokenizer) -> None:
    middle = coder.special_id(SENTINELS[2])
    ids, targets, _ = source(tokens, coder, 1.0, spm=0.0).middles(0)
    for row, wanted in zip(ids.tolist(), targets.tolist(), strict=True):
        for place, target in enumerate(wanted):
            before = row[: place + 1]
            last = max((i for i, id in enumerate(before) if id in (middle, coder.eos_id)), default=-1)
            inside = last >= 0 and before[last] == middle
            assert (target != IGNORED) == (inside and source(tokens, coder, 1.0, spm=0.0).batch(0).targets[
                ids.tolist().index(row), place] != IGNORED)  # fmt: skip
    assert (targets == coder.eos_id).any()


def test_documents_end_where_they_end() -> None:
    assert documents([5, 0, 6, 7, 0], 0) == [[5, 0], [6, 7, 0]]
    assert documents([5, 0, 6], 0) == [[5, 0], [6]]
    assert documents([0, 0], 0) == [[0], [0]]
