"""Demonstrations and rankings with the most influence for an answer, and against it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from gptwright.alignment.answer_logprobs import compared
from gptwright.alignment.demonstrations import Demonstration
from gptwright.alignment.influence import influence_of_demonstrations, influence_of_pairs, influence_of_rankings
from gptwright.alignment.rankings import answer_ids, comparable
from gptwright.foundations.errors import GptwrightError
from gptwright.foundations.intake import Intake
from gptwright.models.formats.huggingface import read_model
from gptwright.models.heads import RewardModel
from gptwright.pipelines.load import load_writer
from gptwright.pipelines.model import Model
from gptwright.reporting.why.evidence import Influence
from gptwright.reporting.why.learned import Learned
from gptwright.reporting.why.question import Question
from gptwright.store.ranking_lines import Ranking


def of_demonstrations(own: Demonstration, model: Model, learned: Learned, most: int) -> list[Influence]:
    """`most` that make the answer likelier, then as many that make it less likely."""
    shown = learned.shown
    if not shown:
        return []
    products = influence_of_demonstrations(model.network, own, [each.demonstration for each in shown],
                                           model.tokenizer.pad_id)  # fmt: skip

    def entry(at: int, share: float) -> Influence:
        return Influence(learned.origin(shown[at].where), share, shown[at].turns)

    return _strongest(products, [str(each.turns) for each in shown], entry, most)


def of_pairs(own: Demonstration, model: Model, learned: Learned, most: int) -> tuple[list[Influence], list[str]]:
    """The same of rankings that moved the model itself, and which stages' rankings could not be weighed."""
    rankings, products, notes = list[Ranking](), list[Tensor](), list[str]()
    for direct in learned.direct:
        try:
            reference = load_writer(direct.reference)
            usable = [pair for pair in comparable(direct.rankings, model, Intake("why")) if not pair[1].cut]
        except GptwrightError as error:
            notes.append(f"the rankings of {direct.stage} cannot be weighed: {error}")
            continue
        pad = model.tokenizer.pad_id
        items = compared(reference.network, [("", ids) for _, ids in usable], pad)
        rankings += [ranking for ranking, _ in usable]
        products.append(influence_of_pairs(model.network, own, items, pad, direct.loss))
    if not rankings:
        return [], notes
    return _strongest_rankings(torch.cat(products), rankings, learned, most), notes


def of_rankings(
    question: Question, answer: str, model: Model, learned: Learned, most: int
) -> tuple[list[Influence], str]:
    """`most` that raise what the reward model says of the answer, then as many that lower it; or why there are none."""
    if learned.reward is None or not learned.rankings:
        return [], ""
    try:
        reward, ids = _open(learned.reward), answer_ids(question.messages, answer, model)
    except GptwrightError as error:
        return [], f"the reward model of {learned.reward.name} cannot be asked: {error}"
    found = comparable(learned.rankings, model, Intake("why"))
    if ids is None or not found:
        return [], "no ranking can be compared with this answer"
    products = influence_of_rankings(reward, ids[-model.context :], [item for _, item in found], model.tokenizer.pad_id)
    return _strongest_rankings(products, [ranking for ranking, _ in found], learned, most), ""


def _strongest_rankings(products: Tensor, rankings: Sequence[Ranking], learned: Learned, most: int) -> list[Influence]:
    def entry(at: int, share: float) -> Influence:
        ranking = rankings[at]
        ranked = sorted(zip(ranking.ranks, ranking.answers, strict=True), key=lambda pair: pair[0])
        turns = [(message["role"], message["content"]) for message in ranking.messages]
        return Influence(learned.origin(ranking.where), share, turns, ranked)

    return _strongest(products, [f"{each.messages}{each.answers}" for each in rankings], entry, most)


def _open(folder: Path) -> RewardModel:
    model = read_model(folder / "model")
    assert isinstance(model, RewardModel)
    return model


def _strongest(
    products: Tensor, same: Sequence[str], entry: Callable[[int, float], Influence], most: int
) -> list[Influence]:
    """Of lines that say the same, one."""
    strongest = float(products.abs().max()) or 1.0
    shares = (products / strongest).tolist()
    order = torch.argsort(products, descending=True, stable=True).tolist()
    up = _once([at for at in order if shares[at] > 0], same)[:most]
    down = _once([at for at in reversed(order) if shares[at] < 0], same)[:most]
    return [entry(at, shares[at]) for at in (*up, *down)]


def _once(order: Sequence[int], same: Sequence[str]) -> list[int]:
    return list({same[at]: at for at in reversed(order)}.values())[::-1]
