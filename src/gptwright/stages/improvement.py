"""One improvement of a run's model: what people said comes in, a policy comes out, and whether it is better."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gptwright.alignment.answer_logprobs import compared
from gptwright.alignment.contradictions import contradictions
from gptwright.alignment.prompts import text_of
from gptwright.alignment.rankings import comparable
from gptwright.configs.dpo import DPO
from gptwright.configs.improve import BEST_WEIGHT, Improvement
from gptwright.configs.policy import PolicyOptions
from gptwright.configs.ppo import PPO
from gptwright.configs.reward import Reward
from gptwright.configs.training import Dtype
from gptwright.evaluation.answers import read_questions
from gptwright.evaluation.comparison import OLD
from gptwright.foundations.device import best_seconds, device_of, fast_dtype, use_threads
from gptwright.foundations.errors import InputError
from gptwright.foundations.intake import Intake
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder, finished_stage, identities
from gptwright.inference.sampling import Sampling
from gptwright.models.catalogue import count
from gptwright.pipelines.load import load_decoder
from gptwright.pipelines.model import Model
from gptwright.recipes.stage import execute_stage
from gptwright.stages import dpo, ppo
from gptwright.stages.human_feedback import HumanFeedback, line_of
from gptwright.store.ranking_lines import Ranking
from gptwright.text.heldout import HeldoutSplit, assign_splits, normalised
from gptwright.text.jsonl import read_objects, write_objects
from gptwright.training.evaluation import Estimate, Evaluation, read_evaluations
from gptwright.training.optimizer import cast_linears

LEAST = 20  # rankings: what is held out of fewer cannot say whether anything is better
ENOUGH_FOR_REWARD = 500  # rankings to train on, from which on a reward model tells more than they do by themselves
HELDOUT, MOST_HELDOUT = 40, 0.4  # prompts that are held out, and their share of few
BIG = 50_000_000  # parameters, above which low-rank paths learn
MOST_LOST = 0.02  # of the share of questions that are answered rightly
MOST_RISE = 0.1  # nats a token of held-out text
RANKINGS, QUESTIONS = "rankings.jsonl", "questions.jsonl"
TRAINING = 0.6  # share of the minutes; the rest measures
BACKWARD = 3  # times what it takes to read a batch, it takes to learn from it
Sides = HeldoutSplit[Ranking]
MEASURES = {
    "wins": "held-out prompts won",
    "pairs": "held-out pairs that it orders rightly",
    "reward_pairs": "held-out pairs that the reward model orders rightly",
}
"""what decides, and of what it is a share"""


class Size(NamedTuple):
    """What suits a model."""

    lora: int
    times: int
    """that a ranking is learned, at most"""
    learning_rate: float
    batch_size: int
    sft_batch_size: int
    ptx_batch_size: int
    ptx_weight: float
    """of what it was taught beside the rankings, in dpo: a small model forgets sooner"""
    big: bool

    @property
    def dtype(self) -> Dtype:
        """Rounding costs a small model more than it gains."""
        return "auto" if self.big else "float32"

    @classmethod
    def of(cls, policy: Model, lora: int | None) -> "Size":
        big = count(policy.network) > BIG
        rank = lora if lora is not None else 8 if big else 0
        if big:
            return cls(rank, 6, 1e-3, 4, 2, 1, 1.0, big)
        return cls(rank, 4, 4e-3 if rank else 5e-4, 8, 16, 2, 4.0, big)


def improvement(config: Improvement, folder: StageFolder) -> dict[str, object]:
    """Leaves `model/`, what it was taught and held out, evaluation.json and answers.jsonl of dpo or ppo.

    `why_not` of its figures is empty when the model is better. Raises `InputError` for too few rankings.
    """
    use_threads(config.threads)
    policy = load_decoder(config.policy)
    size = Size.of(policy, config.lora)
    sides = _sides(config, folder, policy)
    _write(config, folder, sides)
    method = _method(config, len(sides.train), size)
    shared: dict[str, Any] = {
        "policy": config.policy,
        "tokens": config.tokens,
        "conversations": config.conversations,
        "questions": folder / QUESTIONS if config.questions else None,
        "lora": size.lora,
        "ptx_batch_size": size.ptx_batch_size,
        "sft_batch_size": size.sft_batch_size,
        "sequence_length": min(PolicyOptions.sequence_length, policy.context - 1),
        "threads": config.threads,
        "seed": config.seed,
    }
    if method == "dpo":
        steps = int(folder.freeze_choice("steps", lambda: str(_steps(config, policy, sides.train, size))))
        dpo.run(DPO(rankings=(folder / RANKINGS,), prompts=shared["questions"], steps=steps, best_weight=BEST_WEIGHT,
                    ptx_weight=size.ptx_weight, batch_size=size.batch_size, dtype=size.dtype,
                    save_every=-(-steps // 4), learning_rate=size.learning_rate, **shared), folder)  # fmt: skip
    else:
        judge = Reward(base=config.policy, rankings=(folder / RANKINGS,), lora=size.lora, threads=config.threads,
                       seed=config.seed)  # fmt: skip
        reward = execute_stage("reward", judge, folder / "reward")
        pairs = read_evaluations(reward.path)["after"].estimates["pair_accuracy"]
        if pairs.low <= 0.5:
            return _figures(method, pairs, "reward_pairs")
        ppo.run(PPO(reward=reward.path, prompts=folder / RANKINGS, ptx_weight=1.0, **shared), folder)
    return _verdict(config, method, folder)


def _sides(config: Improvement, folder: StageFolder, policy: Model) -> Sides:
    """All that was said as rankings, no prompt on both sides. Says whose answers they judge and how far they agree."""
    intake = Intake("improve")
    given = HumanFeedback.read(config, folder, intake)
    _say_whose(given.models, config.policy)
    sampling = Sampling(max_tokens=PolicyOptions.max_tokens, temperature=PolicyOptions.temperature, seed=config.seed)
    rankings = given.ranked(policy, sampling, intake)
    untied = [ranking for ranking in rankings if len({*ranking.ranks}) > 1]
    if rankings and not untied:
        raise InputError("rankings in which one answer is better than another", f"{len(rankings):,} in which all tie",
                         "These answers do not show what is wanted. Write how they should be: "
                         '{"prompt": …, "chosen": …, "rejected": …}')  # fmt: skip
    if len(untied) < LEAST:
        given_up = f"; {intake.dropped}" if intake.dropped.counts else ""
        raise InputError(f"{LEAST} rankings in which one answer is better than another", f"{len(untied)}{given_up}",
                         "Rate or rank more: what is held out of so few cannot say what is better.")  # fmt: skip
    found = contradictions(untied)
    if found.conflicts or found.circles:
        say(f"improve: the rankings contradict each other: {found}")
    prompts = {normalised(text_of(ranking.messages)) for ranking in untied}
    sides = assign_splits([untied], lambda ranking: text_of(ranking.messages), lambda ranking: ranking.split,
                          min(MOST_HELDOUT, HELDOUT / len(prompts)))  # fmt: skip
    intake.drop("in which all answers tie", count=len(rankings) - len(untied))
    intake.drop("whose prompt is held out", count=sides.left_out)
    intake.report(f"{len(sides.train):,} rankings to train on, {len(sides.heldout):,} of other prompts held out")
    return sides


def _say_whose(models: Counter[str], policy: Path) -> None:
    """Answers of another model show another's faults: that is said."""
    mine = {policy.name, *identities(finished_stage(policy)["outputs"])}
    others = {name: times for name, times in models.items() if name not in mine}
    if others:
        names = ", ".join(f"{times:,} of {name}" for name, times in sorted(others.items()))
        say(f"improve: not all of the answers are by {policy}, which is improved: {names}. It learns more from its own "
            "answers: rate those that serve gives now")  # fmt: skip


def _write(config: Improvement, folder: StageFolder, sides: Sides) -> None:
    """The rows with their split, and questions of which none is trained on."""
    named = {"labeller": config.rule} if config.rule else {}
    by_split = {"train": sides.train, "heldout": sides.heldout}
    write_objects(folder / RANKINGS, [line_of(ranking, split) | named for split, side in by_split.items()
                                      for ranking in side])  # fmt: skip
    if config.questions:
        trained = {normalised(text_of(ranking.messages)) for ranking in sides.train}
        lines = read_objects(config.questions)
        kept = [line for line in lines if normalised(text_of(line["messages"])) not in trained]
        if len(kept) < len(lines):
            say(f"improve: {len(lines) - len(kept):,} questions are among what it learns; they measure nothing then")
        write_objects(folder / QUESTIONS, kept)


def _method(config: Improvement, rankings: int, size: Size) -> str:
    """As asked, or by the number of rankings; says which and why."""
    if config.method != "auto":
        return config.method
    if rankings < ENOUGH_FOR_REWARD:
        say(f"improve: dpo, straight from the rankings: of fewer than {ENOUGH_FOR_REWARD} a reward model learns little "
            "that they do not say")  # fmt: skip
        return "dpo"
    if size.big:
        say("improve: dpo: a model of this size answers too slowly for ppo here")
        return "dpo"
    say(f"improve: a reward model and ppo: {rankings:,} rankings are enough to judge answers that nobody ranked")
    return "ppo"


def _steps(config: Improvement, policy: Model, train: Sequence[Ranking], size: Size) -> int:
    """As many as fit into the time, by how long it takes to read some of the answers."""
    wanted = -(-size.times * len(train) // size.batch_size)
    if size.big:
        cast_linears(policy.network, fast_dtype(device_of(policy.network).type))
    intake = Intake("improve")
    pairs = comparable(train, policy, intake)[: size.batch_size]
    if not pairs:
        raise InputError("rankings that the model can read", f"none; {intake.dropped}", "Rank shorter answers.")
    items = [("", ids) for _, ids in pairs]
    answers = sum(len(ids.rows) for _, ids in pairs)
    reading = best_seconds(lambda: compared(policy.network, items, policy.tokenizer.pad_id), repeats=2)
    beside = size.ptx_batch_size + bool(config.conversations) * size.sft_batch_size
    seconds = BACKWARD * reading * (1 + beside / answers)
    steps = max(1, min(wanted, int(60 * config.minutes * TRAINING / seconds)))
    times = steps * size.batch_size / len(train)
    say(f"improve: {steps} steps of about {seconds:.1f} s: each ranking {times:.1f} times")
    return steps


def _verdict(config: Improvement, method: str, folder: StageFolder) -> dict[str, object]:
    """What was measured of the model and of that before, and what speaks against it."""
    found = read_evaluations(folder.path)
    before, after, both = found[OLD], found[method], found["comparison"]
    wins = both.estimates.get("win_rate")
    figures = _figures(method, wins or both.estimates["pair_accuracy"], "wins" if wins else "pairs")
    kinds = {question.kind for question in read_questions(folder / QUESTIONS)} if config.questions else set[str]()
    right = [_pooled(evaluation, kinds) for evaluation in (before, after)] if kinds else []
    rise = after.metrics["heldout_nats"] - before.metrics["heldout_nats"]
    why = [str(figures["why_not"])] if figures["why_not"] else []
    if right and right[0] - right[1] > MOST_LOST:
        why.append(f"it answers {right[1]:.1%} of the questions rightly, {right[0]:.1%} before")
    if rise > MOST_RISE:
        why.append(f"held-out text takes {rise:.2f} nats a token more")
    return figures | {"right": right, "heldout_nats_rise": rise, "why_not": "; ".join(why)}


def _figures(method: str, share: Estimate, measure: str) -> dict[str, object]:
    shown = f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%}) of {share.count:,} {MEASURES[measure]}"
    why_not = f"{shown} can be chance: a half would be"
    if share.high < 0.5:
        why_not = f"{shown}, where chance gives a half"
    return {"method": method, "measure": measure, "share": share.value, "low": share.low, "high": share.high,
            "count": share.count, "found": shown, "why_not": "" if share.low > 0.5 else why_not}  # fmt: skip


def _pooled(evaluation: Evaluation, kinds: set[str]) -> float:
    """Share of right answers over all kinds of questions."""
    of_kinds = [evaluation.estimates[kind] for kind in kinds]
    return sum(share.value * share.count for share in of_kinds) / sum(share.count for share in of_kinds)
