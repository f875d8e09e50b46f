"""The end of ppo: the policy beside the model it began as, on held-out prompts, on text and on questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gptwright.alignment.judge import Judge
from gptwright.alignment.prompts import Prompt, text_of
from gptwright.alignment.rollout import Rollout, recompute_logprobs
from gptwright.alignment.rollout_worker import RewardFunction, RolloutWorker
from gptwright.evaluation.answers import Question, exact_answers
from gptwright.evaluation.perplexity import text_loss
from gptwright.evaluation.preference import distinct_pairs, win_rate
from gptwright.foundations.atomic_io import write_json
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder
from gptwright.objectives.ppo import kl_estimates
from gptwright.pipelines.model import Model
from gptwright.text.heldout import normalised
from gptwright.text.jsonl import write_objects
from gptwright.text.pack import TokenFile
from gptwright.text.rule_labeller import RULES
from gptwright.training.batches import key, permutation

OLD, NEW = "sft", "ppo"
LOWEST_SCORE = -20.0  # of a rule's score in the mean, so that one answer without words does not decide it


@dataclass(frozen=True)
class Measures:
    """What both models are measured on, made ready before the first update."""

    prompts: Sequence[Prompt]
    text: TokenFile
    length: int
    questions: list[Question]
    judge: Judge


@dataclass(frozen=True)
class Candidate:
    """One of the two models, what it says to the held-out prompts, and what the reward model thinks of that."""

    model: Model
    rollout: Rollout
    scores: Tensor

    @classmethod
    def of(cls, model: Model, worker: RolloutWorker, reward: RewardFunction, measures: Measures) -> "Candidate":
        """With its answers to the held-out prompts."""
        rollout = worker.collect(measures.prompts, "heldout")
        return cls(model, rollout, reward(rollout))

    @property
    def texts(self) -> list[str]:
        """The answers."""
        rows = zip(self.rollout.tokens, self.rollout.response_mask, strict=True)
        return [self.model.tokenizer.decode(row[response_mask].tolist()).strip() for row, response_mask in rows]


def compare(
    candidates: dict[str, Candidate], measures: Measures, temperature: float, folder: StageFolder
) -> dict[str, Any]:
    """Writes evaluation.json and answers.jsonl, says who wins and by whose judgement, and returns the figures."""
    old, new = candidates[OLD], candidates[NEW]
    judge_scores = {name: _judge_scores(candidate, measures.judge) for name, candidate in candidates.items()}
    wins = win_rate(
        judge_scores[NEW], judge_scores[OLD], [normalised(text_of(prompt.messages)) for prompt in measures.prompts]
    )
    with torch.no_grad():
        mine, theirs = (recompute_logprobs(c.model.network, None, new.rollout, temperature)[0] for c in (new, old))
    k1, k3 = kl_estimates(mine, theirs, new.rollout.response_mask)
    models = {name: _model_metrics(candidate, judge_scores[name], measures) for name, candidate in candidates.items()}
    rise = models[NEW]["heldout_nats"] - models[OLD]["heldout_nats"]
    write_json(folder / "evaluation.json", {
        "win_rate": vars(wins), "kl_nats": k1, "kl_k3_nats": k3, "rule": measures.judge.rule,
        "prompts": [prompt.messages[-1]["content"] for prompt in measures.prompts[:4]], "models": models,
    })  # fmt: skip
    _write_answers(candidates, measures, folder)
    say(f"ppo: wins {wins.value:.1%} ({wins.low:.1%} to {wins.high:.1%}) of {wins.count} held-out prompts against sft, "
        f"by {measures.judge}; KL {k1:.1f} nats; held-out text {rise:+.2f} nats a token")  # fmt: skip
    return {"win_rate": wins.value, "win_rate_low": wins.low, "kl_nats": k1, "heldout_nats_rise": rise}


def _judge_scores(candidate: Candidate, judge: Judge) -> list[float]:
    """A number for each answer. The reward model's are rounded: what differs in the last bits is a tie."""
    if judge.rule:
        return [RULES[judge.rule](text) for text in candidate.texts]
    return [round(score, 3) for score in candidate.scores.tolist()]


def _model_metrics(candidate: Candidate, judge_scores: Sequence[float], measures: Measures) -> dict[str, Any]:
    texts, model = candidate.texts, candidate.model
    loss = text_loss(model.network, measures.text, length=measures.length, windows=200)
    return {
        "judge_score": sum(max(score, LOWEST_SCORE) for score in judge_scores) / len(judge_scores),
        "distinct_pairs": distinct_pairs(texts),
        "answer_words": sum(len(text.split()) for text in texts) / len(texts),
        "heldout_nats": loss.nats,
        "heldout_bits_per_byte": loss.bits_per_byte,
        "exact_answers": {kind: vars(e) for kind, e in exact_answers(model, measures.questions).items()},
        "examples": texts[:4],
    }


def _write_answers(candidates: dict[str, Candidate], measures: Measures, folder: StageFolder) -> None:
    """What both say to every prompt, for people to rank; which stands first tells nothing."""
    names = [OLD, NEW]
    answers = zip(*(candidates[name].texts for name in names), strict=True)
    lines: list[dict[str, Any]] = []
    for number, (prompt, texts) in enumerate(zip(measures.prompts, answers, strict=True)):
        order = permutation(2, key("answers", number))
        lines.append({"messages": prompt.messages, "answers": [texts[i] for i in order],
                      "models": [names[i] for i in order]})  # fmt: skip
    write_objects(folder / "answers.jsonl", lines)
