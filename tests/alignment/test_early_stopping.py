"""The peak of the gold, or of the score within the KL that is allowed; when there has been none for long."""

from typing import Any

import torch

from gptwright.alignment.early_stopping import PATIENCE, HeldoutWatch
from gptwright.alignment.rollout import Rollout, ScoredRollout
from gptwright.alignment.rollout_worker import ScoredRollouts
from gptwright.training.kept_weights import KeptWeights

Look = tuple[float, float | None, float]


class Scripted(ScoredRollouts):
    """Rollouts of one token whose score, gold and KL are told."""

    def __init__(self, *told: Look) -> None:
        object.__setattr__(self, "told", iter(told))

    def batch(self, step: int) -> ScoredRollout:
        score, gold, kl = next(self.told)  # pyright: ignore
        zero, one = torch.zeros(1, 1), torch.ones(1, dtype=torch.long)
        rollout = Rollout(torch.zeros(1, 2, dtype=torch.long), one, one[:, None], torch.ones(1, 1, dtype=torch.bool),
                          zero, zero, zero, zero, one > 0, one[:, None][:, :0], zero[:, :0, None])  # fmt: skip
        return ScoredRollout(rollout, zero - kl, torch.tensor([score]), None if gold is None else torch.tensor([gold]))


class Kept(KeptWeights):
    """Counts the best ones."""

    def __init__(self) -> None:
        self.times = 0

    def keep_best(self) -> None:
        self.times += 1


def watch(*told: Look, every: int = 1, state: dict[str, Any] | None = None) -> HeldoutWatch:
    state = {} if state is None else state
    return HeldoutWatch(heldout=Scripted(*told), every=every, kl_target=6.0, state=state, kept=Kept())


def test_the_gold_has_the_last_word() -> None:
    found = watch((1.0, 0.2, 1.0), (2.0, 0.5, 9.0), (3.0, 0.4, 20.0))
    seen = [found.metrics(update) for update in (1, 2, 3)]
    assert seen[2] == {"heldout_score": 3.0, "heldout_kl_nats": 20.0, "heldout_gold": torch.tensor(0.4).item()}
    assert (
        found.peak == {"peak_update": 2, "peak_value": 0.5} and isinstance(found.kept, Kept) and found.kept.times == 2
    )


def test_without_gold_the_score_counts_as_long_as_the_kl_is_small() -> None:
    found = watch((1.0, None, 1.0), (2.0, None, 5.0), (3.0, None, 7.0))
    seen = [found.metrics(update) for update in (1, 2, 3)]
    assert "heldout_gold" not in seen[0] and found.peak == {"peak_update": 2, "peak_value": 2.0}


def test_it_is_over_when_there_has_been_no_better_one_for_long_and_a_stop_changes_nothing() -> None:
    falling = [(0.0, -float(n), 0.0) for n in range(PATIENCE + 1)]
    found, over = watch(*falling), list[bool]()
    for update in range(1, PATIENCE + 2):
        found.metrics(update)
        over.append(found.over)
    assert over == [False] * PATIENCE + [True]
    assert watch(state=found.state).over and watch(state=found.state).peak["peak_update"] == 1


def test_only_every_so_many_updates_are_looked_at() -> None:
    found = watch((1.0, 1.0, 0.0), every=2)
    assert found.metrics(1) == {} and found.peak == {} and found.metrics(2)["heldout_gold"] == 1.0
    assert watch(every=0).metrics(2) == {}
