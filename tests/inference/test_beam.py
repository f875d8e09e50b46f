"""Beam search against a search through everything, against greedy decoding, and against transformers' own."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch.nn.utils.rnn import pad_sequence

from gptwright.foundations.errors import InputError
from gptwright.inference import beam
from gptwright.inference.beam import BeamSearch, beam_search
from gptwright.models.formats.huggingface import write_model
from gptwright.models.transformer import Transformer, TransformerConfig
from gptwright.objectives.language import IGNORED, next_token_loss

START, END = 0, 1


def random_model(vocab: int, seed: int, context: int = 24) -> Transformer:
    """Random weights whose next tokens are far from equally likely."""
    model = Transformer(TransformerConfig(vocab=vocab, context=context, width=16, heads=2, layers=2, hidden=24))
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if "norm" in name and name.endswith("weight") else 0.0, 0.4)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def model() -> Transformer:
    """Has learned a little of an uncertain task: the other end of the vocabulary for each token, some left out."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = Transformer(TransformerConfig(vocab=30, context=24, width=24, heads=2, layers=1, hidden=48, dropout=0.0))
    model.initialise(1)
    optimizer = torch.optim.Adam(model.parameters(), 4e-3)
    for step in range(250):
        given = sources(16, 30, step)
        told = [[31 - token for token in source if torch.rand(()) < 0.8] for source in given]
        ids, inputs, targets = (
            pad_sequence([torch.tensor(row) for row in rows], True, padding_value=value)
            for rows, value in (
                (given, 0),
                ([[START, *row] for row in told], 0),
                ([[*row, END] for row in told], IGNORED),
            )
        )
        states = model.decode(inputs, model.encode(ids, torch.tensor([len(source) for source in given])))
        next_token_loss(states, model.output, targets).backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval().requires_grad_(False)


def likely(model: Transformer, source: list[int], targets: list[list[int]]) -> list[float]:
    """Log-probabilities of targets of one length, their last tokens included, in one uncached pass."""
    told, rows = torch.tensor(targets), len(targets)
    inputs = torch.cat([torch.full((rows, 1), START), told[:, :-1]], 1)
    logits = model(torch.tensor([source] * rows), torch.tensor([len(source)] * rows), inputs)
    return logits.log_softmax(-1).gather(2, told[..., None]).sum((1, 2)).tolist()


def every_target(vocab: int, limit: int, begun: tuple[int, ...] = ()) -> Iterator[list[int]]:
    """All that end with END, and all of `limit` tokens."""
    for token in range(vocab):
        target = (*begun, token)
        if token == END or len(target) == limit:
            yield list(target)
        else:
            yield from every_target(vocab, limit, target)


def greedy(model: Transformer, source: list[int], limit: int) -> list[int]:
    target: list[int] = []
    while len(target) < limit:
        logits = model(torch.tensor([source]), torch.tensor([len(source)]), torch.tensor([[START, *target]]))
        token = int(logits[0, -1].argmax())
        if token == END:
            break
        target.append(token)
    return target


def sources(count: int, vocab: int, seed: int = 0) -> list[list[int]]:
    random = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 11, (count,), generator=random).tolist()
    return [torch.randint(2, vocab, (length,), generator=random).tolist() for length in lengths]


def test_the_penalty_by_hand() -> None:
    assert [BeamSearch().divisor(n) for n in (1, 7, 25)] == pytest.approx([1.0, 1.515717, 2.626528])
    assert BeamSearch(alpha=0.0).divisor(40) == 1.0


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_with_beams_enough_it_is_a_search_through_everything(seed: int, alpha: float) -> None:
    model, source, search = random_model(4, seed), [2, 3], BeamSearch(beams=128, alpha=alpha, max_extra_tokens=2)
    found = beam_search(model, [source], search, bos=START, eos=END)[0]
    scores: dict[tuple[int, ...], float] = {}
    for length, targets in groupby(sorted(every_target(4, 4), key=len), len):
        some = list(targets)
        whole = likely(model, source, some)
        scores |= {tuple(t): score / search.divisor(length) for t, score in zip(some, whole, strict=True)}
    best = max(scores, key=scores.__getitem__)
    assert len(scores) == 3**3 * 4 + 3**2 + 3 + 1
    assert found.ids == [token for token in best if token != END]
    assert found.score == pytest.approx(scores[best], abs=1e-4)


@pytest.mark.parametrize("alpha", [0.0, 0.6])
def test_one_beam_is_greedy(model: Transformer, alpha: float) -> None:
    given = sources(12, 30)
    found = beam_search(model, given, BeamSearch(beams=1, alpha=alpha, max_extra_tokens=6), bos=START, eos=END)
    assert [each.ids for each in found] == [greedy(model, source, len(source) + 6) for source in given]
    assert len({len(each.ids) for each in found}) > 2


def theirs(model: Transformer, folder: Path) -> Any:
    write_model(model, folder, {"eos_token_id": END, "pad_token_id": 0, "decoder_start_token_id": START})
    return transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()


@pytest.mark.parametrize(("beams", "alpha"), [(1, 0.6), (2, 0.0), (4, 0.0), (4, 0.6), (5, 1.4)])
def test_token_for_token_what_transformers_finds(model: Transformer, tmp_path: Path, beams: int, alpha: float) -> None:
    # Their penalty is length^α, not GNMT's, so it is what we search with here.
    given = sources(9, 30)
    oracle = theirs(model, tmp_path)
    search = BeamSearch(beams=beams, alpha=alpha, penalty=lambda length, alpha: length**alpha, max_extra_tokens=0)
    found = [each.ids for each in beam_search(model, given, search, bos=START, eos=END)]
    for ids, source in zip(found, given, strict=True):
        expected = oracle.generate(
            input_ids=torch.tensor([source]), num_beams=beams, length_penalty=alpha, early_stopping=True,
            max_new_tokens=len(source), do_sample=False, forced_eos_token_id=None,
        )  # fmt: skip
        assert [START, *ids, *([END] if len(ids) < len(source) else [])] == expected[0].tolist()
    ends = {len(ids) < len(source) for ids, source in zip(found, given, strict=True)}
    assert ends == {True, False}, "some end by themselves, some are cut"


def test_sources_searched_together_find_what_each_finds_alone(model: Transformer) -> None:
    given, search = sources(15, 30), BeamSearch(max_extra_tokens=9)
    together = beam_search(model, given, search, bos=START, eos=END)
    alone = [beam_search(model, [source], search, bos=START, eos=END)[0] for source in given]
    assert [each.ids for each in together] == [each.ids for each in alone]
    assert [each.score for each in together] == pytest.approx([each.score for each in alone], abs=1e-4)
    assert together == beam_search(model, given, search, bos=START, eos=END)


def test_more_sources_than_fit_at_once_come_back_in_order(model: Transformer, monkeypatch: pytest.MonkeyPatch) -> None:
    given, search = sources(11, 30), BeamSearch(beams=3)
    whole = beam_search(model, given, search, bos=START, eos=END)
    monkeypatch.setattr(beam, "MAX_ROWS", 10)
    assert [each.ids for each in beam_search(model, given, search, bos=START, eos=END)] == [each.ids for each in whole]


def test_scores_are_those_of_the_model(model: Transformer) -> None:
    search = BeamSearch(max_extra_tokens=5)
    for source, found in zip(
        given := sources(6, 30), beam_search(model, given, search, bos=START, eos=END), strict=True
    ):
        target = [*found.ids, END] if len(found.ids) < len(source) + 5 else found.ids
        assert found.score == pytest.approx(likely(model, source, [target])[0] / search.divisor(len(target)), abs=1e-4)


def test_more_beams_find_nothing_worse_on_the_whole(model: Transformer) -> None:
    given = sources(20, 30)
    scores = [
        sum(each.score for each in beam_search(model, given, BeamSearch(beams=beams), bos=START, eos=END))
        for beams in (1, 4, 16)
    ]
    assert scores == sorted(scores)


def test_a_target_ends_with_its_allowance_or_the_context() -> None:
    model = random_model(30, 4, context=12)
    model.decoder[-1].norm2.bias.zero_()  # pyright: ignore
    model.embed.weight[END] = 0.0
    model.embed.weight[2:] *= 5.0
    lengths = [
        len(each.ids) for each in beam_search(model, [[2], [2] * 9], BeamSearch(max_extra_tokens=6), bos=START, eos=END)
    ]
    assert lengths == [7, 12]


def test_nothing_to_translate() -> None:
    assert beam_search(random_model(30, 1), [], BeamSearch(), bos=START, eos=END) == []


@pytest.mark.parametrize(("source", "got"), [([], "got 0"), ([2] * 25, "got 25")])
def test_a_source_that_cannot_be_read(source: list[int], got: str) -> None:
    with pytest.raises(InputError, match=got):
        beam_search(random_model(30, 1), [[2], source], BeamSearch(), bos=START, eos=END)


@pytest.mark.parametrize("settings", [{"beams": 0}, {"max_extra_tokens": -1}, {"alpha": 1e9}, {"alpha": float("nan")}])
def test_settings_that_make_no_sense(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        BeamSearch(**settings)
