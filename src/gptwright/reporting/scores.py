"""What the stages measured on held-out text, questions, rankings and prompts (their evaluation.json)."""

from dataclasses import dataclass
from typing import Any

from gptwright.evaluation.intervals import Estimate
from gptwright.reporting.values import estimate, estimates, items, number, table


@dataclass(frozen=True, kw_only=True)
class ModelScores:
    """One model's figures. `exact` holds the share of exact answers for each kind of question."""

    heldout_nats: float | None
    heldout_bits_per_byte: float | None
    exact: dict[str, Estimate]
    judge_score: float | None
    distinct_pairs: float | None
    answer_words: float | None
    examples: tuple[str, ...]

    @staticmethod
    def of(value: Any) -> "ModelScores":
        """Reads one model's part of evaluation.json."""
        parts = table(value)
        return ModelScores(
            heldout_nats=number(parts.get("heldout_nats")),
            heldout_bits_per_byte=number(parts.get("heldout_bits_per_byte")),
            exact=estimates(parts.get("exact_answers")),
            judge_score=number(parts.get("judge_score", parts.get("rule_score"))),
            distinct_pairs=number(parts.get("distinct_pairs")),
            answer_words=number(parts.get("answer_words")),
            examples=tuple(str(text) for text in items(parts.get("examples"))),
        )


@dataclass(frozen=True, kw_only=True)
class RewardScores:
    """Share of held-out pairs that the reward model orders as the labeller did."""

    before: Estimate | None
    after: Estimate | None

    @staticmethod
    def of(value: Any) -> "RewardScores":
        """Reads the evaluation.json of reward."""
        parts = table(value)
        return RewardScores(before=estimate(parts.get("before")), after=estimate(parts.get("after")))


@dataclass(frozen=True, kw_only=True)
class PolicyScores:
    """The policy against the model it began as. `models` has "sft" and "ppo".

    `judge` says who counted the wins; one that is not `independent` is the reward model that the policy learned from.
    """

    wins: Estimate | None
    kl_nats: float | None
    judge: str
    independent: bool
    models: dict[str, ModelScores]
    prompts: tuple[str, ...]
    """the user's words that the models' examples answer, where they were kept"""

    @staticmethod
    def of(value: Any) -> "PolicyScores":
        """Reads the evaluation.json of ppo."""
        parts = table(value)
        rule = parts.get("rule")
        return PolicyScores(
            judge=f"the rule “{rule}”" if rule else "the reward model itself",
            independent=bool(rule),
            wins=estimate(parts.get("win_rate")),
            kl_nats=number(parts.get("kl_nats")),
            models={name: ModelScores.of(scores) for name, scores in table(parts.get("models")).items()},
            prompts=tuple(str(text) for text in items(parts.get("prompts"))),
        )


def answering_models(value: Any) -> dict[str, ModelScores]:
    """Reads the evaluation.json of sft: "untrained", "pretrained" and "sft"."""
    return {name: ModelScores.of(scores) for name, scores in table(value).items()}
