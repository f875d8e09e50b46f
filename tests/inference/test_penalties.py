import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LogitsProcessor, RepetitionPenaltyLogitsProcessor, SequenceBiasLogitsProcessor

from gptwright.inference.penalties import Penalties, penalise
from gptwright.inference.sampling import Sampling

VOCAB = 12
tokens = st.lists(st.integers(0, VOCAB - 1), max_size=30)


def changed(sampling: Sampling, prompt: list[int], answer: list[int], drafts: list[int]) -> torch.Tensor:
    penalties = Penalties(sampling, prompt)
    for token in answer:
        penalties.add(token)
    logits = torch.linspace(-3, 3, VOCAB).repeat(3, 1)
    penalise(logits, [(1, sampling, penalties.after(drafts))])
    assert torch.equal(logits[0], logits[2]) and torch.equal(logits[0], torch.linspace(-3, 3, VOCAB))
    return logits[1]


@given(tokens, tokens, tokens)
def test_penalties_are_those_of_their_papers(prompt: list[int], answer: list[int], drafts: list[int]) -> None:
    sampling = Sampling(repetition_penalty=1.3, presence_penalty=0.4, frequency_penalty=-0.2, logit_bias={2: 1, 5: -7})
    found, add = changed(sampling, prompt, answer, drafts), answer + drafts
    for token, logit in enumerate(torch.linspace(-3, 3, VOCAB).tolist()):
        logit += {2: 1, 5: -7}.get(token, 0)
        if token in prompt + add:
            logit = logit / 1.3 if logit > 0 else logit * 1.3
        logit -= -0.2 * add.count(token) + 0.4 * (token in add)
        assert found[token].item() == pytest.approx(logit, abs=1e-5)


@given(tokens, tokens)
def test_the_repetition_penalty_is_that_of_transformers(prompt: list[int], answer: list[int]) -> None:
    theirs: list[LogitsProcessor] = [
        SequenceBiasLogitsProcessor([[[3], 2.5]]),
        RepetitionPenaltyLogitsProcessor(1.7),
    ]
    scores, ids = torch.linspace(-3, 3, VOCAB)[None], torch.tensor([[0, *prompt, *answer]])
    for processor in theirs:
        scores = processor(ids, scores)  # pyright: ignore
    ours = changed(Sampling(repetition_penalty=1.7, logit_bias={3: 2.5}), [0, *prompt], answer, [])
    torch.testing.assert_close(ours, scores[0])


def test_many_rows_are_changed_at_once_and_each_by_its_own() -> None:
    settings = [Sampling(repetition_penalty=2.0), Sampling(logit_bias={0: 5.0}), Sampling(presence_penalty=1.0)]
    penalties = [Penalties(sampling, [1, 2]) for sampling in settings]
    logits = torch.ones(3, 4)
    penalise(logits, [(row, s, p.after([3])) for row, (s, p) in enumerate(zip(settings, penalties, strict=True))])
    assert logits.tolist() == [[1, 0.5, 0.5, 0.5], [6, 1, 1, 1], [1, 1, 1, 0]]


def test_drafts_are_only_imagined() -> None:
    penalties = Penalties(Sampling(frequency_penalty=1.0), [1])
    penalties.add(2)
    before = penalties.after([]).copy()
    assert len(penalties.after([2, 3, 3])) == 3
    assert (penalties.after([]) == before).all()


def test_more_tokens_than_there_was_room_for() -> None:
    penalties = Penalties(Sampling(frequency_penalty=1.0), range(100))
    for token in range(1000):
        penalties.add(token)
    logits = torch.zeros(1, 1200)
    penalise(logits, [(0, Sampling(frequency_penalty=1.0), penalties.after([]))])
    assert logits[0].tolist() == [-1.0] * 1000 + [0.0] * 200


def test_an_id_beyond_the_vocabulary_changes_nothing() -> None:
    sampling = Sampling(logit_bias={3: 5.0, 4: 9.0, 99: 9.0})
    logits = torch.zeros(1, 4)
    penalise(logits, [(0, sampling, Penalties(sampling, []).after([]))])
    assert logits.tolist() == [[0, 0, 0, 5]]


@pytest.mark.parametrize("prompt", [[], [3], [3, 3]])
def test_one_token_or_none(prompt: list[int]) -> None:
    expected = [0.0, 0.0, 0.0, -6.0 if prompt else -3.0]
    sampling, logits = Sampling(repetition_penalty=2.0), torch.tensor([[0.0, 0.0, 0.0, -3.0]])
    penalise(logits, [(0, sampling, Penalties(sampling, prompt).after([]))])
    assert logits[0].tolist() == expected


def test_nothing_is_kept_where_nothing_is_asked_for() -> None:
    assert Penalties.of(Sampling(), [1, 2]) is None
    assert Penalties.of(Sampling(logit_bias={1: 1}), [1]) is not None
