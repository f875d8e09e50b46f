"""Does the tuned model answer, and does the reward model tell good answers from bad ones? Both on what was held out."""

from gptwright.reporting.checks.finding import Finding, Level, graded
from gptwright.reporting.collect import Run
from gptwright.reporting.lineage import CONTROL
from gptwright.reporting.wording import full, interval, percent, plain
from gptwright.training.evaluation import Estimate

FORMS, FACTS, EVERYDAY = "held-out form", "held-out fact", "everyday"
MANY_RIGHT, SOME_RIGHT = 0.80, 0.50
GUESSED = 0.10  # a fact never taught can be guessed now and then, not known
MOST_RISE = 0.5
ORDERED, HALF_ORDERED = 0.75, 0.60
COIN = (0.45, 0.55)


def check_answers(run: Run) -> list[Finding]:
    """All findings on sft and reward that their metrics allow."""
    sft = run.stage("sft")
    found = [
        held_out_forms(run.estimate("sft", "sft", FORMS)),
        held_out_facts(run.estimate("sft", "sft", FACTS)),
        honest_refusals(run.estimate("sft", "sft", EVERYDAY)),
        language_rise("Fine-tuning", sft.metric("heldout_nats_rise") if sft else None),
        reward_accuracy(run.estimate("reward", "after", "pair_accuracy")),
        control_accuracy(run.estimate(CONTROL, "after", "pair_accuracy")),
    ]
    return [finding for finding in found if finding]


def held_out_forms(right: Estimate | None) -> Finding | None:
    """Known facts, asked in forms never seen in training."""
    if right is None:
        return None
    titles: dict[Level, str] = {
        "healthy": "It answers questions in forms it never saw",
        "watch": "It answers only some questions in forms it never saw",
        "ill": "It does not answer questions in forms it never saw",
    }
    return graded(right.value, titles, f"{full(right, 'questions')} answered rightly",
                  "More steps of sft and of pretrain: raise --minutes.",
                  healthy=MANY_RIGHT, watch=SOME_RIGHT)  # fmt: skip


def held_out_facts(right: Estimate | None) -> Finding | None:
    """Facts that no training line holds: who answers them has seen them."""
    if right is None:
        return None
    if right.value > GUESSED:
        return Finding("ill", "It knows facts it was never taught: the questions leaked into the training data",
                       f"{full(right, 'questions')} answered rightly, guessing gives {percent(GUESSED)} at most",
                       "Take the held-out facts out of the conversations and the text.")  # fmt: skip
    return Finding(
        "healthy", "It does not know what it was never taught", f"{full(right, 'questions')} answered rightly: no leak"
    )


def honest_refusals(right: Estimate | None) -> Finding | None:
    """Everyday questions that nothing it was taught can answer."""
    if right is None:
        return None
    titles: dict[Level, str] = {
        "healthy": "It says so when it does not know",
        "watch": "It does not always say so when it does not know",
        "ill": "It makes up what it does not know",
    }
    return graded(right.value, titles, f"{full(right, 'everyday questions')} answered honestly",
                  "More demonstrations of not knowing, or more steps of sft.",
                  healthy=MANY_RIGHT, watch=SOME_RIGHT)  # fmt: skip


def language_rise(name: str, nats: float | None) -> Finding | None:
    """How much of the language a later stage unlearned: the rise of held-out loss, in nats a token."""
    if nats is None:
        return None
    numbers = f"held-out loss {nats:+.2f} nats a token, at most +{plain(MOST_RISE, 1)}"
    if nats > MOST_RISE:
        return Finding(
            "ill", f"{name} unlearned the language", numbers, "Mix in more pretraining text, or lower the rate."
        )
    return Finding("healthy", f"{name} kept the language", numbers)


def reward_accuracy(pairs: Estimate | None) -> Finding | None:
    """Held-out pairs ordered as the labeller did."""
    if pairs is None:
        return None
    titles: dict[Level, str] = {
        "healthy": "The reward model judges as the labeller does",
        "watch": "The reward model is often wrong",
        "ill": "The reward model hardly knows what the labeller prefers",
    }
    return graded(pairs.value, titles, full(pairs, "held-out pairs"), "Collect more rankings, or train it longer.",
                  healthy=ORDERED, watch=HALF_ORDERED)  # fmt: skip


def control_accuracy(pairs: Estimate | None) -> Finding | None:
    """The same training on shuffled ranks must order held-out pairs no better than a coin.

    Outside 45 to 55 % it is ill, but only to be watched while the 95 % interval still reaches into that band.
    """
    if pairs is None:
        return None
    low, high = COIN
    heads = f"of held-out pairs, the mean of {pairs.count} heads with shuffled ranks each"
    numbers = f"{percent(pairs.value, 1)} ({interval(pairs)}) {heads}"
    if low <= pairs.value <= high:
        return Finding("healthy", "The control learned nothing, as it must", numbers)
    if pairs.low <= high and pairs.high >= low:
        return Finding("watch", "The control strays from a coin's 50 %, but on too little to tell", numbers,
                       "Rank more held-out prompts.")  # fmt: skip
    return Finding("ill", "The control learned something: held-out rankings leak into training", numbers,
                   "See that no held-out prompt or answer is among the training rankings.")  # fmt: skip
