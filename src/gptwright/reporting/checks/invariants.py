"""What holds in every run of PPO, GRPO or RLOO whose code and settings are right, whatever it learns.

Each is measured by the update itself (alignment/ppo.py). A breach trains without an error, towards something else.
"""

from dataclasses import dataclass
from math import sqrt

from gptwright.reporting.checks.finding import Finding
from gptwright.reporting.collect import Points, Run, Stage

MOST_RATIO_ERROR, MOST_ROUNDED_ERROR = 1e-3, 1.0
"""of log-probabilities, in nats; in bfloat16, where a sampler reads tokens one by one and training whole texts"""
MOST_FIRST_KL = 0.01
"""nats an answer, before the first step"""
LEAST_GAP, MOST_ERRORS = 0.02, 5.0
"""nats a token, and standard errors, from which on answers are too surprising or too little"""


def check_invariants(run: Run) -> list[Finding]:
    """All findings on the policy that was sampled from while it learned."""
    stage = run.policy
    if stage is None:
        return []
    found = [sampler(stage), reference(stage), reward_place(stage.curve("reward_misplaced"))]
    return [finding for finding in found if finding]


def sampler(stage: Stage) -> Finding | None:
    """The probabilities that a policy is trained on must be those that its answers were drawn with; if not, why.

    Two passes over the same weights that differ mean dropout, other probabilities than the sampler noted another
    temperature. And what is drawn from a distribution is on average as surprising as its entropy says: less surprising
    tokens come from a sampler that cuts its tail, or is sharper than it says.
    """
    errors, gap = stage.curve("first_ratio_error"), surprise(stage)
    if not errors:
        return None
    worst, noise = _worst(errors), _worst(stage.curve("repeat_error"))
    allowed = MOST_ROUNDED_ERROR if stage.config.get("dtype") == "bfloat16" else MOST_RATIO_ERROR
    numbers = f"log-probabilities differ by {worst:.6f} at most, {allowed} is allowed"
    if noise > MOST_RATIO_ERROR:
        return Finding("ill", "Dropout is on while the policy learns: two passes over the same weights differ",
                       f"log-probabilities of two passes differ by {noise:.6f}, {MOST_RATIO_ERROR} is allowed",
                       "Put the model into eval() before rollouts and updates.", "dropout-on")  # fmt: skip
    if worst > allowed:
        return Finding("ill", "Sampler and trainer disagree: two temperatures, or masks or number formats that differ",
                       numbers, "Divide the logits by the sampler's temperature wherever log-probabilities are taken.",
                       "temperature-mismatch")  # fmt: skip
    if gap and abs(gap.nats) > LEAST_GAP and abs(gap.nats) > MOST_ERRORS * gap.error:
        said = f"{abs(gap.nats):.3f} nats {'more' if gap.nats > 0 else 'less'} surprising"
        return Finding("ill", "Answers are not drawn from the policy: the sampler cuts its tail (top-k, top-p, min-p), "
                       "or has a temperature of its own",
                       f"tokens are {said} than the policy's entropy, ± {gap.error:.3f}",
                       "Sample rollouts from the whole distribution, at the temperature that is trained at.",
                       "truncated-sampling")  # fmt: skip
    return Finding("healthy", "Sampler and trainer agree", numbers)


@dataclass(frozen=True)
class Surprise:
    """How much more surprising tokens were than they should be, in nats, and the standard error of that."""

    nats: float
    error: float


def surprise(stage: Stage) -> Surprise | None:
    """Over all updates."""
    gaps, errors = stage.curve("surprise_gap_nats"), stage.curve("surprise_gap_error")
    if not gaps or len(gaps) != len(errors):
        return None
    variance = sum(error**2 for _, error in errors)
    return Surprise(sum(gap for _, gap in gaps) / len(gaps), sqrt(variance) / len(errors))


def reference(stage: Stage) -> Finding | None:
    """Before the first step the policy is its reference, and the reference is the same at the end."""
    curve, changed = stage.curve("kl_k3_nats"), stage.metric("reference_changed")
    first = curve[0][1] if curve and curve[0][0] == 1 else None
    if first is None:
        return None
    numbers = f"KL {first:.4f} nats an answer before the first step, at most {MOST_FIRST_KL}"
    advice = "Keep a frozen copy of the weights that the policy begins with."
    if changed:
        return Finding("ill", "The reference's weights changed: the KL is measured from a moving place",
                       f"{numbers}; other weights at its end than at first", advice, "drifted-reference")  # fmt: skip
    if first > MOST_FIRST_KL:
        return Finding("ill", "The reference is another model than the policy began as", numbers, advice,
                       "drifted-reference")  # fmt: skip
    return Finding("healthy", "The reference is where the policy began", numbers)


def reward_place(errors: Points) -> Finding | None:
    """The answer's score must stand on its last token: not on padding, and not on the token before."""
    if not errors:
        return None
    worst = _worst(errors)
    numbers = f"the reward on the last token is off by {worst:.4f} at most"
    if worst > MOST_RATIO_ERROR:
        return Finding("ill", "The reward stands at the wrong token", numbers,
                       "Put it on the last token of the answer: its end of turn, or where it was cut.",
                       "misplaced-reward")  # fmt: skip
    return Finding("healthy", "The reward stands on the answer's last token", numbers)


def _worst(points: Points) -> float:
    return max((value for _, value in points), default=0.0)
