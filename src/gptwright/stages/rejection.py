"""rejection: the policy answers each prompt n times, and the best answer is kept (best of n). Nothing is trained.

Stiennon et al. 2020, §4.3 and app. G.3: what a reward model is worth with no step of PPO; taught with sft, rejection
sampling as Touvron et al. 2023, §3.2.3, do it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from gptwright.alignment.best_of_n import Answered, best_of, kl_bound, sizes, wins
from gptwright.alignment.prompts import Prompt, text_of
from gptwright.alignment.rewards import ProgramReward, RewardFunction, WeightedSum
from gptwright.alignment.rollout_worker import RolloutWorker
from gptwright.configs.rejection import Rejection
from gptwright.evaluation.comparison import SHOWN
from gptwright.evaluation.intervals import mean_by_group
from gptwright.foundations.device import use_device, use_threads
from gptwright.foundations.intake import Intake
from gptwright.foundations.progress import ProgressLine
from gptwright.foundations.runs import StageFolder
from gptwright.pipelines.load import load_writer
from gptwright.stages.policy import check_rules, prompts_of, reward_model_of, reward_of, scale_of, worker_of
from gptwright.text.heldout import normalised
from gptwright.text.jsonl import write_objects
from gptwright.text.rule_labeller import RULES, ranks_of
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.evaluation import Estimate, Evaluation, write_evaluations

ROWS = 128  # answers that are written and scored together


@dataclass(frozen=True)
class Sampler:
    """Answers prompts several times, and has the answers scored."""

    worker: RolloutWorker
    tokenizer: Tokenizer
    samples: int
    reward: RewardFunction
    gold: RewardFunction | None

    def answer(self, prompts: Sequence[Prompt], split: str) -> list[Answered]:
        """The prompts with their answers. Raises `InputError` naming a prompt one of whose answers has no score."""
        asked = [prompt for prompt in prompts for _ in range(self.samples)]
        answers: list[str] = []
        ended: list[bool] = []
        scores: list[float] = []
        golds: list[float] = []
        with ProgressLine("rejection", len(asked)) as line:
            for first in range(0, len(asked), ROWS):
                some = asked[first : first + ROWS]
                rollout = self.worker.collect(some, "samples", split, first=first)
                answers += rollout.written(self.tokenizer)
                ended += rollout.ended.tolist()
                scores += _rounded(self.reward(rollout, some))
                golds += _rounded(self.gold(rollout, some)) if self.gold else []
                line.update(len(answers))
        parts = (slice(at, at + self.samples) for at in range(0, len(asked), self.samples))
        return [
            Answered(prompt=prompt, answers=answers[part], scores=scores[part], ended=ended[part],
                     gold=golds[part] if golds else None)
            for prompt, part in zip(prompts, parts, strict=True)
        ]  # fmt: skip


def run(config: Rejection, folder: StageFolder) -> dict[str, object]:
    """Leaves conversations.jsonl (the best answers), rankings.jsonl (all of them) and evaluation.json: of n = 1, 2, 4 …
    answers to the held-out prompts the best one's score, gold and wins.
    """
    use_threads(config.threads)
    device = use_device(config.device)
    policy = load_writer(config.policy)
    policy.network.to(device)
    model, judge = reward_model_of(config, policy, device)
    train, heldout = prompts_of(config, policy, model, Intake("rejection"))
    check_rules(judge, config.rule, [*train, *heldout])
    worker = worker_of(config, policy)
    reward = reward_of(config, policy, model, scale_of(config, model, train, worker))
    rule = None if judge.rewards else judge.rule
    gold = WeightedSum([(1.0, ProgramReward(RULES[rule], policy.tokenizer))]) if rule else None
    sampler = Sampler(worker, policy.tokenizer, config.samples, reward, gold)
    sides = {split: sampler.answer(prompts, split) for split, prompts in (("train", train), ("heldout", heldout))}
    intake = Intake("rejection")
    kept = {split: [each for each in found if _is_kept(config, each, intake)] for split, found in sides.items()}
    write_objects(folder / "conversations.jsonl", _conversations(kept))
    write_objects(folder / "rankings.jsonl", _rankings(sides, _labeller(config)))
    evaluations = _evaluations(sides["heldout"], rule)
    write_evaluations(folder.path, evaluations)
    metrics = _metrics(sides, kept, evaluations)
    intake.report(_summary(metrics, evaluations, str(judge) if rule else "the score that chose: no independent judge"))
    return metrics


def _rounded(scores: Tensor) -> list[float]:
    """To three decimals: what differs in the last bits is a tie."""
    return [round(score, 3) for score in scores.tolist()]


def _is_kept(config: Rejection, answered: Answered, intake: Intake) -> bool:
    """Whether the best answer is to be learned: one without an end would teach never to end."""
    best, where = answered.best(config.samples), answered.prompt.line.where
    if config.min_score is not None and answered.scores[best] < config.min_score:
        intake.drop(f"whose best answer scores below {config.min_score:g}", where)
        return False
    if not answered.ended[best]:
        intake.drop(f"whose best answer does not end within {config.max_tokens:,} tokens", where)
    return answered.ended[best]


def _conversations(sides: Mapping[str, Sequence[Answered]]) -> Iterator[Mapping[str, object]]:
    """The best answers, as sft reads them."""
    for split, answered in sides.items():
        for each in answered:
            answer = {"role": "assistant", "content": each.answers[each.best(len(each.answers))]}
            fields = each.prompt.fields
            yield fields | {"messages": [*fields["messages"], answer], "split": split}


def _rankings(sides: Mapping[str, Sequence[Answered]], labeller: str) -> Iterator[Mapping[str, object]]:
    """All answers, as reward and dpo read them."""
    for split, answered in sides.items():
        for each in answered:
            ranking = {"answers": each.answers, "ranks": ranks_of(each.scores), "scores": each.scores}
            yield each.prompt.fields | ranking | {"labeller": labeller, "split": split}


def _labeller(config: Rejection) -> str:
    """Who scored, by name; a rule alone by its own, by which it is known in every stage."""
    model = f"the reward model {config.reward.resolve().name}" if config.reward else ""
    return " and ".join(name for name in (model, config.rule) if name)


def _evaluations(heldout: Sequence[Answered], rule: str | None) -> dict[str, Evaluation]:
    """Of the best of n for each n. Means and intervals are over prompts."""
    return {f"best_of_{n}": Evaluation(
        metrics={"kl_bound_nats": kl_bound(n)},
        estimates=_estimates(n, heldout),
        samples=[each.answers[each.best(n)] for each in heldout[:SHOWN]],
        notes={"rule": rule} if rule else {},
    ) for n in sizes(len(heldout[0].answers))}  # fmt: skip


def _estimates(n: int, heldout: Sequence[Answered]) -> dict[str, Estimate]:
    """Score, gold and wins of the best of n."""
    asked = [normalised(text_of(each.prompt.messages)) for each in heldout]
    judged = [each.scores if each.gold is None else each.gold for each in heldout]
    won = mean_by_group([wins(n, each.scores, by) for each, by in zip(heldout, judged, strict=True)], asked)
    gold = [best_of(n, each.scores, each.gold) for each in heldout if each.gold is not None]
    return {
        "score": mean_by_group([best_of(n, each.scores, each.scores) for each in heldout], asked),
        **({"gold": mean_by_group(gold, asked)} if gold else {}),
        "win_rate": replace(won, low=max(won.low, 0.0), high=min(won.high, 1.0)),
    }


def _metrics(
    sides: Mapping[str, Sequence[Answered]], kept: Mapping[str, Sequence[Answered]], found: Mapping[str, Evaluation]
) -> dict[str, object]:
    """The final figures; `all_tied` is the share of prompts whose answers all have one score."""
    every = [each for answered in sides.values() for each in answered]
    one, *_, best = found.values()
    names = [name for name in ("score", "gold") if name in best.estimates]
    return {
        "prompts": len(every),
        "samples": len(every[0].answers),
        "kept": sum(map(len, kept.values())),
        "all_tied": sum(len(set(each.scores)) == 1 for each in every) / len(every),
        **{f"{name}_of_one": one.estimates[name].value for name in names},
        **{f"{name}_of_best": best.estimates[name].value for name in names},
        "win_rate": best.estimates["win_rate"].value,
        "win_rate_low": best.estimates["win_rate"].low,
        "kl_bound_nats": best.metrics["kl_bound_nats"],
    }


def _summary(metrics: Mapping[str, object], found: Mapping[str, Evaluation], judge: str) -> str:
    one, *_, best = (evaluation.estimates for evaluation in found.values())
    gains = [f"{name} {one[name].value:.2f} → {best[name].value:.2f} ({best[name].low:.2f} to {best[name].high:.2f})"
             for name in ("score", "gold") if name in best]  # fmt: skip
    won = best["win_rate"]
    return (f"the best of {metrics['samples']} answers to {metrics['kept']:,} of {metrics['prompts']:,} prompts kept, "
            f"{metrics['all_tied']:.0%} all tied; held out, {', '.join(gains)}; wins {won.value:.1%} ({won.low:.1%} to "
            f"{won.high:.1%}) of {won.count} prompts against the first answer, by {judge}; KL at most "
            f"{metrics['kl_bound_nats']:.2f} nats")  # fmt: skip
