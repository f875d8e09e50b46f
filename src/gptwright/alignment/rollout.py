"""Episodes: prompts, what the policy answered, and the log-probabilities and values noted while it did."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from gptwright.alignment.prompts import contents_of
from gptwright.foundations.device import device_of
from gptwright.inference.engine import Engine
from gptwright.inference.request import Request
from gptwright.inference.sampling import Sampling
from gptwright.layers.embedding import Embeddings
from gptwright.models.decoder import Decoder
from gptwright.models.heads import Critic, ScalarHead
from gptwright.objectives.logprobs import chosen_logprobs
from gptwright.tokenizers.padding import padded
from gptwright.tokenizers.tokenizer import Tokenizer

ROWS, COLUMNS = 8, 16  # steps in which rows of like length are read together


@dataclass(frozen=True)
class Rollout:
    """B episodes. Columns are the answers' tokens, padded on the right; `response_mask` is true on the real ones."""

    ids: Int[Tensor, "B T"]
    """prompt and answer, padded on the right"""
    prompt_lengths: Int[Tensor, "B"]
    tokens: Int[Tensor, "B A"]
    response_mask: Bool[Tensor, "B A"]
    sampled: Float[Tensor, "B A"]
    """log-probabilities under the temperature, as they were noted while sampling"""
    logprobs: Float[Tensor, "B A"]
    """the same, recomputed as training computes them"""
    entropy: Float[Tensor, "B A"]
    """of the policy where each token was drawn, in nats"""
    values: Float[Tensor, "B A"]
    ended: Bool[Tensor, "B"]
    """whether the answer reached its end of turn"""
    places: Int[Tensor, "B P"]
    """where in the prompt something else is read than ids, such as an image; -1 pads"""
    contents: Float[Tensor, "B P C"]
    """what is read there"""

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, index: Int[Tensor, "R"]) -> "Rollout":
        """Some of the episodes."""
        return Rollout(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    def to(self, device: torch.device) -> "Rollout":
        """On another device."""
        return Rollout(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))

    def written(self, tokenizer: Tokenizer) -> list[str]:
        """The answers with the spaces around them, without which they would have other ids."""
        rows = zip(self.tokens, self.response_mask, strict=True)
        return [tokenizer.decode(row[response_mask].tolist()) for row, response_mask in rows]

    def texts(self, tokenizer: Tokenizer) -> list[str]:
        """The answers, without white space around them."""
        return [text.strip() for text in self.written(tokenizer)]

    def embeddings(self, width: int) -> Embeddings | None:
        """What is read in the places of images, where every row has `width` ids; None without any."""
        there = self.places >= 0
        if not there.any():
            return None
        rows = torch.arange(len(self), device=there.device)[:, None]
        return Embeddings((rows * width + self.places)[there], self.contents[there])

    @property
    def last(self) -> Int[Tensor, "B"]:
        """Where each row's last real token stands in `ids`."""
        return self.prompt_lengths + self.response_mask.sum(1) - 1


@dataclass(frozen=True)
class ScoredRollout:
    """A rollout with what other models say of it."""

    rollout: Rollout
    reference: Float[Tensor, "B A"]
    """the reference model's log-probabilities of the answers' tokens"""
    scores: Float[Tensor, "B"]
    """how good each answer is"""
    gold: Float[Tensor, "B"] | None = None
    """the same by a judge that is watched and not learned from"""

    @property
    def rows(self) -> int:
        return len(self.rollout)


def collect_rollout(
    engine: Engine, value: ScalarHead | Critic | None, prompts: Sequence[Sequence[int]], sampling: Sampling, pad: int
) -> Rollout:
    """Answers every prompt once with the weights of now. Nothing is cut from the distribution.

    Log-probabilities and values are those of one more pass over the whole texts, the pass that training makes. A
    network that is `rounded` is left to read them in training's own parts: until then there are the sampler's.
    """
    assert not sampling.truncates and not sampling.has_penalties
    engine.refresh()
    requests = engine.generate(prompts, replace(sampling, sampled_logprobs=True), contents_of(prompts))
    rollout = pack_rollout(prompts, requests, pad).to(device_of(engine.network))
    if rounded(engine.network):
        return rollout
    with torch.no_grad():
        logprobs, values, entropy = recompute_logprobs(engine.network, value, rollout, sampling.temperature)
    return replace(rollout, logprobs=logprobs, values=values, entropy=entropy)


def rounded(network: Decoder) -> bool:
    """Whether it computes in bfloat16, where a token's probability depends on the shapes of what is read with it."""
    return any(parameter.dtype == torch.bfloat16 for parameter in network.parameters())


def pack_rollout(prompts: Sequence[Sequence[int]], requests: Sequence[Request], pad: int) -> Rollout:
    """Prompts and answers as tensors, with what was noted while sampling; entropy and values are 0."""
    places, contents = _contents(requests)
    answers = [request.answer for request in requests]
    most = max(map(len, answers))
    response_mask = torch.tensor([[True] * len(a) + [False] * (most - len(a)) for a in answers])
    sampled = torch.tensor([[*r.sampled_logprobs, *[0.0] * (most - len(r.sampled_logprobs))] for r in requests])
    return Rollout(
        ids=padded([request.ids for request in requests], pad),
        prompt_lengths=torch.tensor([len(p) for p in prompts]),
        tokens=torch.tensor([[*a, *[pad] * (most - len(a))] for a in answers]),
        response_mask=response_mask,
        sampled=sampled,
        logprobs=sampled,
        entropy=torch.zeros_like(sampled),
        values=torch.zeros_like(sampled),
        ended=torch.tensor([request.finish == "stop" for request in requests]),
        places=places,
        contents=contents,
    )


def _contents(requests: Sequence[Request]) -> tuple[Int[Tensor, "B P"], Float[Tensor, "B P C"]]:
    """The places of each one's images, and what is read there."""
    rows = [sorted(request.content) for request in requests]
    read = [[request.content[at].embedding for at in row] for request, row in zip(requests, rows, strict=True)]
    if not any(rows):
        return torch.empty(len(rows), 0, dtype=torch.long), torch.empty(len(rows), 0, 0)
    like = next(row[0] for row in read if row)
    each = [torch.stack(row) if row else like.new_empty(0, len(like)) for row in read]
    return padded(rows, -1), pad_sequence(each, batch_first=True)


def recompute_logprobs(
    policy: Decoder, value: ScalarHead | Critic | None, rollout: Rollout, temperature: float
) -> tuple[Float[Tensor, "B A"], Float[Tensor, "B A"], Float[Tensor, "B A"]]:
    """Log-probability and entropy of every answer token, and the value where it was drawn, by one pass over all rows.

    The temperature divides the logits here as it did while sampling; without it the ratio would compare two policies.
    """
    states = before_each(answer_states(policy, rollout), rollout)
    chosen, entropy = chosen_logprobs(states, policy.output, rollout.tokens[rollout.response_mask], temperature)
    if value is None:
        values = torch.zeros_like(chosen)
    else:
        own = isinstance(value, Critic)
        values = value(before_each(answer_states(value.model.trunk, rollout), rollout) if own else states)
    return tuple(spread(x, rollout.response_mask) for x in (chosen, values, entropy))  # pyright: ignore[reportReturnType]


def answer_states(trunk: Decoder, rollout: Rollout) -> Float[Tensor, "B S C"]:
    """What stands at each prompt's last token and at the A tokens of its answer, so that S is A + 1."""
    found: list[Tensor] = []
    groups = list(alike(rollout.last + 1))
    for rows, width in groups:
        part = rollout.rows(rows)
        ids = part.ids[:, :width]
        hidden = trunk.hidden(ids, embeddings=part.embeddings(ids.shape[1]))
        where = part.prompt_lengths[:, None] - 1 + torch.arange(part.tokens.shape[1] + 1, device=hidden.device)
        each = torch.arange(len(part), device=hidden.device)[:, None]
        found.append(hidden[each, where.clamp(max=hidden.shape[1] - 1)])
    order = torch.cat([rows for rows, _ in groups])
    return torch.cat(found)[order.argsort()]


def before_each(states: Float[Tensor, "B S C"], rollout: Rollout) -> Float[Tensor, "N C"]:
    """What stood before each of the answers' tokens."""
    return states[:, :-1][rollout.response_mask]


def alike(lengths: Int[Tensor, "B"]) -> Iterator[tuple[Int[Tensor, "R"], int]]:
    """Rows of like length, and a width that holds them: read apart from the others, they need less padding.

    Both come in steps, as a number format's products may be compiled anew for every size.
    """
    order = lengths.argsort()
    blocks = order.split(ROWS)
    widths = [-(-int(lengths[block[-1]]) // COLUMNS) * COLUMNS for block in blocks]
    for width, group in groupby(zip(widths, blocks, strict=True), key=itemgetter(0)):
        yield torch.cat([block for _, block in group]), width


def spread(flat: Float[Tensor, "N"], response_mask: Bool[Tensor, "B A"]) -> Float[Tensor, "B A"]:
    """Numbers of the answers' tokens in their places, and 0 on padding."""
    return flat.new_zeros(response_mask.shape).masked_scatter(response_mask, flat)
