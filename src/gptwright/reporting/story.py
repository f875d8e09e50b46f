"""The story of a run, a line a stage: what it does, what time it was given and took, and its key figure."""

from collections.abc import Callable
from dataclasses import dataclass

from gptwright.reporting.collect import Run, Stage
from gptwright.reporting.lineage import CONTROL, POLICIES
from gptwright.reporting.wording import amount, duration, percent, plain

MEANING = {
    "prepare": "reads and cleans the text",
    "tokenize": "cuts the text into tokens",
    "pretrain": "learns the language",
    "codex": "goes on with code",
    "finetune": "learns a task",
    "sft": "learns to answer",
    "rank": "answers, and has them ranked",
    "reward": "learns what is preferred",
    CONTROL: "the same on shuffled ranks",
    **dict.fromkeys(POLICIES, "learns to be preferred"),
}


# The round that a model goes: what a stage gives to the next.
GIVES = {
    "prepare": "text",
    "pretrain": "it writes",
    "sft": "it answers",
    "rank": "answers are ranked",
    "reward": "a model judges",
    **dict.fromkeys(POLICIES, "it answers as preferred"),
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One stage. `share` is its time as a part of the longest stage's, 0 to 1; `state` is empty when it is complete."""

    name: str
    meaning: str
    planned: str
    taken: str
    share: float
    result: str
    state: str


def story(run: Run) -> list[Line]:
    """The stages in their order, those that the recipe still waits for included."""
    longest = max(stage.seconds for stage in run.stages) or 1.0
    lines = [
        Line(
            name=stage.name,
            meaning=MEANING.get(stage.role, stage.role),
            planned=duration(run.planned.get(stage.name)),
            taken=duration(stage.seconds),
            share=stage.seconds / longest,
            result=key_metric(stage) if stage.complete else "",
            state=_state(stage, run),
        )
        for stage in run.stages
    ]
    waiting = [
        Line(name=name, meaning=MEANING.get(name, ""), planned=duration(run.planned.get(name)), taken=duration(None),
             share=0.0, result="", state="not begun")
        for name in run.missing
    ]  # fmt: skip
    return lines + waiting


def loop(run: Run) -> list[tuple[str, str]]:
    """The finished stages of the round, each as what it gives and its key figure."""
    return [(GIVES[s.role], key_metric(s)) for s in run.lineage if s.complete and s.role in GIVES]


def _state(stage: Stage, run: Run) -> str:
    if stage not in run.lineage:
        head = next(s for s in reversed(run.lineage) if s.role != CONTROL or s is run.lineage[0])
        return f"not part of {head.name}"
    return state_of(stage)


def state(run: Run) -> str:
    """Whether all stages of the model and of its recipe are finished, else which are not."""
    open_ones = [f"{stage.name} {state_of(stage)}" for stage in run.lineage if not stage.complete]
    if run.missing:
        open_ones.append(f"{', '.join(run.missing)} not begun")
    return "; ".join(open_ones) or "finished"


def state_of(stage: Stage) -> str:
    """Nothing of a complete stage, else where it stopped."""
    if stage.complete:
        return ""
    return f"stopped after {stage.steps_done:,} of {stage.steps:,}" if stage.steps else "stopped"


def key_metric(stage: Stage) -> str:
    """The one thing to know of a finished stage."""
    known = KEY_METRICS.get(stage.role)
    if known:
        return known(stage)
    return ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name in list(stage.metrics)[:2]
                     if (value := stage.metric(name)) is not None)  # fmt: skip


def _prepare(stage: Stage) -> str:
    return f"{amount(stage.metric('characters'))} characters in {amount(stage.metric('documents'))} documents"


def _tokenize(stage: Stage) -> str:
    return f"{amount(stage.metric('train_tokens'))} tokens, {plain(stage.metric('train_bytes_per_token'))} bytes each"


def _pretrain(stage: Stage) -> str:
    return f"{plain(stage.metric('heldout_bits_per_byte'), 3)} bits a byte, held out"


def _codex(stage: Stage) -> str:
    return f"{plain(stage.metric('heldout_middle_nats'), 2)} nats a token of held-out middles"


def _finetune(stage: Stage) -> str:
    found = stage.evaluations.get("after")
    name, figure = next(iter(found.estimates.items()), ("", None)) if found else ("", None)
    return f"{name} {plain(figure.value, 3)} on {figure.count:,} held-out examples" if figure else ""


def _sft(stage: Stage) -> str:
    right = stage.estimate("sft", "held-out form")
    return f"{percent(right.value if right else None)} of new question forms right"


def _rank(stage: Stage) -> str:
    return f"{amount(stage.metric('rankings'))} rankings"


def _reward(stage: Stage) -> str:
    return f"{percent(stage.metric('pair_accuracy'), 1)} of held-out pairs right"


def _policy(stage: Stage) -> str:
    return f"{percent(stage.metric('win_rate'))} wins at {plain(stage.metric('kl_nats'), 1)} nats"


KEY_METRICS: dict[str, Callable[[Stage], str]] = {
    "prepare": _prepare, "tokenize": _tokenize, "pretrain": _pretrain, "codex": _codex, "finetune": _finetune,
    "sft": _sft, "rank": _rank, "reward": _reward, CONTROL: _reward, **dict.fromkeys(POLICIES, _policy),
}  # fmt: skip
