"""Demonstrations and rankings that push an answer most, and those that push against it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from gptwright.alignment.demonstrations import Demonstration
from gptwright.alignment.influence import push_of_demonstrations, push_of_rankings
from gptwright.alignment.rankings import answer_ids, comparable
from gptwright.foundations.errors import GptwrightError
from gptwright.foundations.intake import Intake
from gptwright.models.formats.huggingface import read_model
from gptwright.models.heads import RewardModel
from gptwright.pipelines.model import Model
from gptwright.reporting.why.evidence import Push
from gptwright.reporting.why.learned import Learned
from gptwright.store.ranking_lines import Ranking
from gptwright.tokenizers.chat_templates.chat import Message


def of_demonstrations(asked: Sequence[Message], answer: str, model: Model, learned: Learned, most: int) -> list[Push]:
    """`most` that make the answer likelier, then as many that make it less likely. Raises as `render` does."""
    own = Demonstration.of([*asked, Message(role="assistant", content=answer)], model.tokenizer, model.context)
    if not own.ids or not learned.shown:
        return []
    pushes = push_of_demonstrations(model.network, own, learned.shown, model.tokenizer.pad_id)

    def push(at: int, share: float) -> Push:
        conversation = learned.conversations[at]
        return Push(learned.origin(conversation.where), share, _turns(conversation.messages))

    return _strongest(pushes, [str(each.messages) for each in learned.conversations], push, most)


def of_rankings(
    asked: Sequence[Message], answer: str, model: Model, learned: Learned, most: int
) -> tuple[list[Push], str]:
    """`most` that raise what the reward model says of the answer, then as many that lower it; or why there are none."""
    if learned.reward is None or not learned.rankings:
        return [], ""
    try:
        reward, ids = _open(learned.reward), answer_ids(asked, answer, model)
    except GptwrightError as error:
        return [], f"the reward model of {learned.reward.name} cannot be asked: {error}"
    intake = Intake("why")
    found = comparable(learned.rankings, model, intake)
    if ids is None or not found:
        return [], "no ranking can be compared with this answer"
    pushes = push_of_rankings(reward, ids[-model.context :], [item for _, item in found], model.tokenizer.pad_id)

    def push(at: int, share: float) -> Push:
        ranking: Ranking = found[at][0]
        ranked = sorted(zip(ranking.ranks, ranking.answers, strict=True), key=lambda pair: pair[0])
        return Push(learned.origin(ranking.where), share, _turns(ranking.messages), ranked)

    return _strongest(pushes, [f"{ranking.messages}{ranking.answers}" for ranking, _ in found], push, most), ""


def _open(folder: Path) -> RewardModel:
    model = read_model(folder / "model")
    assert isinstance(model, RewardModel)
    return model


def _turns(messages: Sequence[Message]) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in messages]


def _strongest(pushes: Tensor, same: Sequence[str], push: Callable[[int, float], Push], most: int) -> list[Push]:
    """Of lines that say the same, one."""
    strongest = float(pushes.abs().max()) or 1.0
    shares = (pushes / strongest).tolist()
    order = torch.argsort(pushes, descending=True, stable=True).tolist()
    up = _once([at for at in order if shares[at] > 0], same)[:most]
    down = _once([at for at in reversed(order) if shares[at] < 0], same)[:most]
    return [push(at, shares[at]) for at in (*up, *down)]


def _once(order: Sequence[int], same: Sequence[str]) -> list[int]:
    return list({same[at]: at for at in reversed(order)}.values())[::-1]
