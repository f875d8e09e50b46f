"""Was the policy improved, and honestly: without straying, cheating, falling into one answer or forgetting?"""

from collections.abc import Mapping

from gptwright.reporting.checks.answers import language_rise
from gptwright.reporting.checks.finding import Finding, Level, at_least, graded
from gptwright.reporting.checks.folders import pad_ends_answers
from gptwright.reporting.collect import Points, Run
from gptwright.reporting.judgements import Wins
from gptwright.reporting.wording import full, percent, plain
from gptwright.text.rule_labeller import STYLES
from gptwright.training.evaluation import Estimate, Evaluation

MANY_WINS, EVEN = 0.85, 0.5
MOST_KL = 10.0
MANY_ENDED, SOME_ENDED = 0.9, 0.7
MOST_PAIRS_LOST = 0.4
MOST_LENGTH_DRIFT = 0.5
EXPLAINED = 0.1
FEWEST_LOOKS = 6
MOST_GOLD_LOST = 0.5  # of what was gained up to the peak
LEAST_SPREAD = 1e-4  # of the values in a rollout, whose scores have a spread of about 1
MOST_ANSWERS_LOST = 0.10
MANY_STYLED, SOME_STYLED = 0.90, 0.60


def check_policy(run: Run) -> list[Finding]:
    """All findings on the improved policy that its metrics allow."""
    stage, wins = run.policy, run.wins()
    found = [win_rate(wins) if wins else None, *_changes(*(run.improvement() or [Evaluation()] * 3))]
    if stage:
        found.append(language_rise(stage.role.upper(), stage.metric("heldout_nats_rise")))
    if stage and stage.complete:
        found += [
            ended(stage.curve("ended"), pad_ends=pad_ends_answers(stage)),
            value_head(stage.curve("explained_variance"), stage.curve("value_std")),
            None if stage.config.get("stop_early") else over_optimisation(stage.curve("heldout_gold")),
        ]
    return [finding for finding in found if finding]


def _changes(before: Evaluation, after: Evaluation, comparison: Evaluation) -> list[Finding | None]:
    return [
        kl(comparison.metrics.get("kl_nats")),
        distinct_pairs(before.metrics.get("distinct_pairs"), after.metrics.get("distinct_pairs")),
        answer_length(before.metrics.get("answer_words"), after.metrics.get("answer_words")),
        right_answers(before.estimates, after.estimates),
        *(preferred_style(rule, before.estimates, after.estimates) for rule in STYLES),
    ]


def win_rate(wins: Wins) -> Finding:
    """Wins against the model it began as; ill when the interval does not clear a half.

    By the reward model that it learned from, wins show that it learned, not that people would like it better.
    """
    numbers = f"wins {full(wins.share, 'held-out answers')} by {wins.judge}"
    if wins.share.low <= EVEN:
        return Finding("ill", "The policy is not shown to be better than where it began", numbers,
                       "More updates, a better reward model, or a lower beta.")  # fmt: skip
    if not wins.independent:
        return Finding("watch", "The policy pleases the reward model it learned from; nobody else has judged it",
                       numbers, "Rank its answers.jsonl, and give that file to report with --judgements.")  # fmt: skip
    if wins.share.value < MANY_WINS:
        return Finding("watch", f"The policy is better, but wins less than {percent(MANY_WINS)}", numbers,
                       "More rankings for the reward model, or more updates while the KL is small.")  # fmt: skip
    return Finding("healthy", "The policy gives the answers that are preferred", numbers)


def kl(nats: float | None) -> Finding | None:
    """How far the policy went from its reference, in nats an answer."""
    if nats is None:
        return None
    numbers = f"KL {plain(nats, 1)} nats an answer, at most {plain(MOST_KL, 0)}"
    if nats > MOST_KL:
        return Finding("ill", "The policy strayed far from where it began", numbers,
                       "Raise beta, or lower the rate or the updates.", "kl-blow-up")  # fmt: skip
    return Finding("healthy", "The policy stayed near where it began", numbers)


def ended(shares: Points, *, pad_ends: bool = False) -> Finding | None:
    """Answers that ended by themselves, in the last quarter of the updates."""
    share = _late(shares)
    if share is None:
        return None
    level = at_least(share, healthy=MANY_ENDED, watch=SOME_ENDED)
    numbers = f"{percent(share)} in the last updates"
    if level == "healthy":
        return Finding(level, "Answers come to an end", numbers)
    if pad_ends:
        return Finding(level, "Padding is the token that ends answers: who masks the one teaches never to end", numbers,
                       "Give the tokenizer a padding token of its own, and train sft again.", "pad-is-eos")  # fmt: skip
    return Finding(level, "Many answers do not come to an end", numbers,
                   "Raise max_tokens, or train sft longer.", "never-ends")  # fmt: skip


def distinct_pairs(before: float | None, after: float | None) -> Finding | None:
    """The share of different word pairs, which falls when answers become alike."""
    if before is None or after is None or before <= 0:
        return None
    numbers = f"different word pairs {percent(before)} → {percent(after)}"
    if 1 - after / before > MOST_PAIRS_LOST:
        return Finding(
            "watch", "Answers become alike: mode collapse", numbers, "Raise beta, or stop earlier.", "mode-collapse"
        )
    return Finding("healthy", "Answers remain various", numbers)


def answer_length(before: float | None, after: float | None) -> Finding | None:
    """Words an answer: a reward model may pay for length."""
    if before is None or after is None or before <= 0:
        return None
    numbers = f"{plain(before, 1)} → {plain(after, 1)} words an answer"
    if abs(after / before - 1) > MOST_LENGTH_DRIFT:
        return Finding("watch", "The length of answers drifts: the policy may be paid for length", numbers,
                       "Rank answers of one length, and train the reward model anew.", "length-hacking")  # fmt: skip
    return Finding("healthy", "Answers kept their length", numbers)


def value_head(explained: Points, spread: Points) -> Finding | None:
    """How much of the returns the value head foresees, in the last quarter of the updates, and whether it says
    anything at all."""
    share, varies = _late(explained), _late(spread)
    if share is None:
        return None
    numbers = f"explained variance {plain(share, 2)} in the last updates"
    if varies is not None and varies < LEAST_SPREAD:
        return Finding("ill", "The value head is dead: it says the same of every token", numbers,
                       "Raise value_weight above 0; give its weights to the optimiser.", "dead-value-head")  # fmt: skip
    if share < EXPLAINED:
        return Finding("watch", "The value head foresees little", numbers, "More updates, or a higher value_weight.")
    return Finding("healthy", "The value head foresees rewards", numbers)


def over_optimisation(gold: Points) -> Finding | None:
    """Whether what the rewards stand for rose and fell again, in looks at held-out prompts (Gao et al. 2023)."""
    late = _late(gold)
    if late is None or len(gold) < FEWEST_LOOKS:
        return None
    best, peak = max(gold, key=lambda point: point[1])
    numbers = f"gold {plain(gold[0][1], 2)} → {plain(peak, 2)} after update {best} → {plain(late, 2)} at the end"
    if peak - late > MOST_GOLD_LOST * (peak - gold[0][1]):
        return Finding("ill", "Over-optimised: what the rewards stand for fell again", numbers,
                       "Keep the best update with --stop-early, or raise beta.", "over-optimisation")  # fmt: skip
    return Finding("healthy", "What the rewards stand for did not fall again", numbers)


def right_answers(before: Mapping[str, Estimate], after: Mapping[str, Estimate]) -> Finding | None:
    """The kind of question that lost most right answers."""
    styles = {f"{rule} answers" for rule in STYLES}
    lost = {kind: before[kind].value - after[kind].value for kind in before.keys() & after.keys() - styles}
    if not lost:
        return None
    kind = max(lost, key=lambda name: lost[name])
    numbers = f"right answers, {kind}: {percent(before[kind].value)} → {percent(after[kind].value)}"
    if lost[kind] > MOST_ANSWERS_LOST:
        return Finding(
            "watch", "The policy unlearned answers", numbers, "Mix in demonstrations, raise beta, or lower the rate."
        )
    return Finding("healthy", "The policy kept what sft had taught", f"worst kind: {numbers}")


def preferred_style(rule: str, before: Mapping[str, Estimate], after: Mapping[str, Estimate]) -> Finding | None:
    """The share of answers in the style that the rule is about."""
    old, new = (shares.get(f"{rule} answers") for shares in (before, after))
    if old is None or new is None:
        return None
    titles: dict[Level, str] = {
        "healthy": "The policy speaks in the style that is preferred",
        "watch": "The policy often speaks in the style that is preferred",
        "ill": "The policy seldom speaks in the style that is preferred",
    }
    return graded(new.value, titles, f"{rule} answers {percent(old.value)} → {full(new, 'held-out answers')}",
                  "More updates, or a lower beta.", healthy=MANY_STYLED, watch=SOME_STYLED)  # fmt: skip


def _late(points: Points) -> float | None:
    """Mean over the last quarter."""
    late = [value for _, value in points[-max(1, len(points) // 4) :]] if points else []
    return sum(late) / len(late) if late else None
