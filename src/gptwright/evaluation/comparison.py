"""A policy beside the model it began as, on held-out prompts, on text and on questions."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gptwright.alignment.judge import Judge
from gptwright.alignment.prompts import Prompt, text_of
from gptwright.alignment.rewards import LOWEST_SCORE, RewardFunction
from gptwright.alignment.rollout import Rollout, recompute_logprobs
from gptwright.alignment.rollout_worker import RolloutWorker
from gptwright.evaluation.heldout_data import HeldoutData
from gptwright.evaluation.intervals import share_by_group
from gptwright.evaluation.preference import distinct_pairs, win_rate
from gptwright.objectives.ppo import kl_estimates
from gptwright.pipelines.model import Model
from gptwright.text.heldout import normalised
from gptwright.text.rule_labeller import RULES, STYLES, scores_of
from gptwright.training.batches import key, permutation
from gptwright.training.evaluation import Estimate, Evaluation

OLD = "sft"
SHOWN = 4  # prompts whose answers are kept as samples


@dataclass(frozen=True)
class Candidate:
    """One of the two models, what it says to the held-out prompts, and what a reward model, if any, thinks of that."""

    model: Model
    rollout: Rollout
    scores: Tensor | None

    @property
    def texts(self) -> list[str]:
        """The answers."""
        return self.rollout.texts(self.model.tokenizer)


@dataclass(frozen=True)
class Comparison:
    """What both models are measured on and by whom they are judged, made ready before the first update."""

    prompts: Sequence[Prompt]
    heldout: HeldoutData
    judge: Judge
    name: str
    """of the new model, which is the verb that made it"""

    def candidate(self, model: Model, worker: RolloutWorker, reward: RewardFunction | None) -> Candidate:
        """The model with its answers to the held-out prompts."""
        rollout = worker.collect(self.prompts, "heldout")
        return Candidate(model, rollout, reward(rollout, self.prompts) if reward else None)

    def evaluate(self, candidates: Mapping[str, Candidate], temperature: float) -> dict[str, Evaluation]:
        """Of both, and as "comparison" of the two: how often the new answers win, and how far they went."""
        old, new = candidates[OLD], candidates[self.name]
        scores = {name: self._scores(candidate) for name, candidate in candidates.items()}
        asked = [normalised(text_of(prompt.messages)) for prompt in self.prompts]
        with torch.no_grad():
            mine, theirs = (recompute_logprobs(c.model.network, None, new.rollout, temperature)[0] for c in (new, old))
        k1, k3 = kl_estimates(mine, theirs, new.rollout.response_mask)
        comparison = Evaluation(
            metrics={"kl_nats": k1, "kl_k3_nats": k3},
            estimates={"win_rate": win_rate(scores[self.name], scores[OLD], asked)} if scores[OLD] else {},
            samples=[prompt.messages[-1]["content"] for prompt in self.prompts[:SHOWN]],
            notes={"rule": self.judge.rule} if self.judge.rule else {},
        )
        models = {name: self._evaluation(candidate, scores[name]) for name, candidate in candidates.items()}
        return models | {"comparison": comparison}

    def answers(self, candidates: Mapping[str, Candidate]) -> Iterator[dict[str, Any]]:
        """What both say to every prompt, for people to rank; which stands first tells nothing."""
        names = [OLD, self.name]
        answers = zip(*(candidates[name].texts for name in names), strict=True)
        for number, (prompt, texts) in enumerate(zip(self.prompts, answers, strict=True)):
            order = permutation(2, key("answers", number))
            yield prompt.fields | {"answers": [texts[i] for i in order], "models": [names[i] for i in order]}

    def _scores(self, candidate: Candidate) -> list[float]:
        """A number for each answer. The reward model's are rounded: what differs in the last bits is a tie. None where
        nobody judges."""
        if self.judge.rule:
            return scores_of(RULES[self.judge.rule], [prompt.fields for prompt in self.prompts], candidate.texts)
        return [] if candidate.scores is None else [round(score, 3) for score in candidate.scores.tolist()]

    def _evaluation(self, candidate: Candidate, scores: Sequence[float]) -> Evaluation:
        """The judge's score, how various and how long the answers are, and what `HeldoutData` measures."""
        texts, found = candidate.texts, self.heldout.evaluate(candidate.model)
        judged = {"judge_score": sum(max(score, LOWEST_SCORE) for score in scores) / len(scores)} if scores else {}
        metrics = judged | {
            "distinct_pairs": distinct_pairs(texts),
            "answer_words": sum(len(text.split()) for text in texts) / len(texts),
        }
        shares = {**self._by_kind(scores), **found.estimates, **self._styled(texts)}
        return replace(found, metrics=metrics | dict(found.metrics), estimates=shares, samples=texts[:SHOWN])

    def _by_kind(self, scores: Sequence[float]) -> dict[str, Estimate]:
        """The mean of a rule that gives shares, such as of constraints met, by the `kind` of the prompts' lines."""
        if not self.judge.rule or not all(0 <= score <= 1 for score in scores):
            return {}
        kinds: dict[str, list[tuple[str, float, int]]] = defaultdict(list)
        for prompt, score in zip(self.prompts, scores, strict=True):
            if kind := prompt.line.get("kind"):
                kinds[str(kind)].append((text_of(prompt.messages), score, 1))
        return {kind: share_by_group(found) for kind, found in kinds.items()}

    def _styled(self, texts: Sequence[str]) -> dict[str, Estimate]:
        """The share of answers in the style that the rule is about, where it is about one."""
        if not (rule := self.judge.rule) or rule not in STYLES:
            return {}
        asked = [text_of(prompt.messages) for prompt in self.prompts]
        style = STYLES[rule]
        return {f"{rule} answers": share_by_group((prompt, float(style(text)), 1)
                                                  for prompt, text in zip(asked, texts, strict=True))}  # fmt: skip
