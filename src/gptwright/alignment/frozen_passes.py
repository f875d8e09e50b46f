"""What models that do not learn say of a rollout. A prompt whose answers stand side by side they read once."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.alignment.rollout import Rollout, alike, answer_states, before_each, spread
from gptwright.layers.shared_prefix import Beginnings, Endings
from gptwright.models.decoder import Decoder
from gptwright.models.heads import RewardModel
from gptwright.objectives.logprobs import chosen_logprobs


@torch.no_grad()
def reference_logprobs(reference: Decoder, rollout: Rollout, temperature: float) -> Float[Tensor, "B A"]:
    """The reference's log-probability of every answer token, in nats."""
    states = before_each(frozen_states(reference, rollout), rollout)
    chosen, _ = chosen_logprobs(states, reference.output, rollout.tokens[rollout.response_mask], temperature)
    return spread(chosen, rollout.response_mask)


@torch.inference_mode()
def score(reward: RewardModel, rollout: Rollout) -> Float[Tensor, "B"]:
    """The reward model's number for every episode, read at its last token."""
    states = frozen_states(reward.trunk, rollout)
    return reward.head(reward.summary(states, rollout.response_mask.sum(1)))


def frozen_states(trunk: Decoder, rollout: Rollout) -> Float[Tensor, "B S C"]:
    """`answer_states`, with each prompt read once for its answers where that leaves fewer tokens, padding included.

    Training cannot do so, as minibatches part the answers.
    """
    first = firsts(rollout)
    early, span = rollout.prompt_lengths - 1, rollout.tokens.shape[1] + 1
    longest = int(early.max())
    whole = sum(len(rows) * width for rows, width in alike(rollout.last + 1))
    if len(first) == len(rollout) or not longest or len(first) * longest + len(rollout) * span >= whole:
        return answer_states(trunk, rollout)
    beginnings = Beginnings(early[first], trunk.config.context)
    trunk.hidden(rollout.ids[first, :longest], beginnings, embeddings=rollout.rows(first).embeddings(longest))
    where = early[:, None] + torch.arange(span, device=early.device)
    endings = rollout.ids.gather(1, where.clamp(max=rollout.ids.shape[1] - 1))
    counts = first.diff(append=first.new_tensor([len(rollout)])).tolist()
    return trunk.hidden(endings, Endings(beginnings, counts))


def firsts(rollout: Rollout) -> Int[Tensor, "P"]:
    """The rows that do not have the prompt of the row before."""
    ids, lengths = rollout.ids, rollout.prompt_lengths
    behind = torch.arange(ids.shape[1], device=ids.device) >= lengths[1:, None]
    same = (lengths[1:] == lengths[:-1]) & ((ids[1:] == ids[:-1]) | behind).all(1)
    same &= (rollout.contents[1:] == rollout.contents[:-1]).flatten(1).all(1)
    return torch.cat([same.new_zeros(1), same]).logical_not().nonzero().flatten()
