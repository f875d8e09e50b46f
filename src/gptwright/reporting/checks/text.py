"""Did pretraining go well? Held-out loss, its gap to training, how often the text was read, steps that were skipped."""

from math import log

from gptwright.reporting.checks.finding import Finding, at_most
from gptwright.reporting.collect import Points, Run, Stage
from gptwright.reporting.wording import plain, plural

FALLING = 0.005  # a fall by this share over the last tenth of the steps: the model was still learning
RISING, RISEN = 0.01, 0.05  # shares above the lowest loss
GAP, WIDE_GAP = 0.10, 0.25
MOST_EPOCHS = 8.0
FEW_SKIPPED = 0.01


def check_text(run: Run) -> list[Finding]:
    """All findings on pretraining that its metrics allow."""
    stage = run.stage("pretrain")
    if stage is None:
        return []
    heldout = stage.curve("heldout_bits_per_byte")
    found = [
        heldout_trend(heldout) if stage.complete else None,
        gap(training_bits(stage, bytes_per_token(run)), stage.metric("heldout_bits_per_byte")),
        epochs(stage.metric("epochs")),
        skipped(stage.metric("skipped_steps"), stage.steps),
    ]
    return [finding for finding in found if finding]


def bytes_per_token(run: Run) -> float | None:
    """Bytes of training text a token."""
    stage = run.stage("tokenize")
    return stage.metric("train_bytes_per_token") if stage else None


def bits(nats: float, bytes_per_token: float) -> float:
    """Nats a token as bits a byte, which tokenizers cannot flatter."""
    return nats / log(2) / bytes_per_token


def training_bits(stage: Stage, bytes_per_token: float | None) -> float | None:
    """Training loss in bits a byte, over the last tenth of the steps."""
    losses = [value for _, value in stage.curve("loss_nats")]
    if not losses or not bytes_per_token:
        return None
    last = losses[-max(1, len(losses) // 10) :]
    return bits(sum(last) / len(last), bytes_per_token)


def heldout_trend(points: Points) -> Finding | None:
    """From held-out losses by step, three at least: rising, still falling, or level."""
    if len(points) < 3:
        return None
    end, last = points[-1]
    _, before = min(points[:-1], key=lambda point: abs(point[0] - 0.9 * end))
    lowest = min(value for _, value in points)
    rise, fall = last / lowest - 1, 1 - last / before
    numbers = f"{plain(before, 3)} → {plain(last, 3)} bits a byte at the end, lowest {plain(lowest, 3)}"
    if rise > RISING:
        return Finding("ill" if rise > RISEN else "watch", "Held-out loss rises: the model learns its text by heart",
                       numbers, "Give more text (--data), or fewer steps.")  # fmt: skip
    if fall > FALLING:
        return Finding("healthy", "Held-out loss was still falling at the end", numbers,
                       "More minutes would make a better model.")  # fmt: skip
    return Finding(
        "healthy", "Held-out loss has levelled off", numbers, "A larger model or more text would go further."
    )


def gap(train: float | None, heldout: float | None) -> Finding | None:
    """From losses in bits a byte."""
    if train is None or heldout is None or train <= 0:
        return None
    share = heldout / train - 1
    level = at_most(share, healthy=GAP, watch=WIDE_GAP)
    title = "Held-out text is " + ("predicted as well as training text" if level == "healthy" else "predicted worse")
    return Finding(level, title, f"{plain(train, 3)} bits a byte in training, {plain(heldout, 3)} held out",
                   "" if level == "healthy" else "Give more text, or a smaller model.")  # fmt: skip


def epochs(times: float | None) -> Finding | None:
    """How often the text was read."""
    if times is None:
        return None
    if times > MOST_EPOCHS:
        numbers = f"{plain(times, 1)} times, {MOST_EPOCHS:.0f} is the most"
        return Finding(
            "watch", "The same text was read many times", numbers, "Give more text: repeats teach less and less."
        )
    return Finding("healthy", "The text was not worn out", f"each part read {plain(times, 2)} times")


def skipped(count: float | None, steps: int | None) -> Finding | None:
    """Steps left out because their gradient was not finite."""
    if count is None or not steps:
        return None
    if count == 0:
        return Finding("healthy", "No step was skipped", f"all {steps:,} gradients were finite")
    level = at_most(count / steps, healthy=0, watch=FEW_SKIPPED)
    numbers = f"{plural(int(count), 'step')} of {steps:,}"
    return Finding(
        level, "Steps were skipped: their gradient was not finite", numbers, "Lower the rate, or lengthen the warmup."
    )
