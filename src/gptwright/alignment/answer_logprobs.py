"""How likely a policy finds ranked answers, counted behind what all answers to a prompt share."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.alignment.answer_batch import AnswerBatch, by_prompt, common_lengths
from gptwright.alignment.rankings import RankedIds, padded_ranks
from gptwright.foundations.device import device_of
from gptwright.models.decoder import Decoder
from gptwright.objectives.logprobs import chosen_logprobs

AT_ONCE = 16
"""prompts whose answers are read together where nothing is learned"""


class Compared(NamedTuple):
    """Ranked answers to one prompt, which is known as a text too, and what the reference says of each of them."""

    prompt: str
    ids: RankedIds
    reference: list[float]


@torch.no_grad()
def compared(policy: Decoder, items: Sequence[tuple[str, RankedIds]], pad: int) -> list[Compared]:
    """The items with what the policy says of them now: made before the first step, when it is its own reference."""
    found: list[Compared] = []
    for start in range(0, len(items), AT_ONCE):
        some = items[start : start + AT_ONCE]
        rows = answer_logprobs(policy, [ids for _, ids in some], pad).tolist()
        found += [Compared(*item, row[: len(item[1].rows)]) for item, row in zip(some, rows, strict=True)]
    return found


def answer_logprobs(policy: Decoder, items: Sequence[RankedIds], pad: int) -> Float[Tensor, "B K"]:
    """Log-probability in nats of what each answer has that the other answers to the prompt have not all in common.

    What they share, the prompt and how all of them begin, would fall out of every pair. 0 where there is no answer.
    """
    tokens = token_logprobs(policy, items, pad)
    return by_prompt(tokens.sum(1), padded_ranks(items).to(tokens.device))


def token_logprobs(policy: Decoder, items: Sequence[RankedIds], pad: int) -> Float[Tensor, "N A"]:
    """The same of each token of each answer behind what all of them share; 0 where there is none."""
    batch = AnswerBatch.split(items, common_lengths(items), pad).to(device_of(policy))
    place = torch.arange(batch.endings.shape[1], device=batch.last.device)
    told = place <= batch.last[:, None]
    told[:, 0] &= batch.lengths.repeat_interleave(torch.tensor(batch.counts, device=place.device)) > 0
    chosen, _ = chosen_logprobs(batch.predicting(policy)[told], policy.output, batch.endings[told], temperature=1.0)
    return chosen.new_zeros(told.shape).masked_scatter(told, chosen)


def best_nats(tokens: Float[Tensor, "N A"], items: Sequence[RankedIds]) -> Float[Tensor, "B"]:
    """Nats a token of each prompt's best answer (Pang et al. 2024, §2), behind what all its answers share."""
    lengths = [
        [len(row) - shared for row in item.rows] for item, shared in zip(items, common_lengths(items), strict=True)
    ]
    best = [item.ranks.index(min(item.ranks)) for item in items]
    answers = tokens.split([len(item.rows) for item in items])
    found = [-rows[at].sum() / count[at] for rows, at, count in zip(answers, best, lengths, strict=True)]
    return torch.stack(found)
