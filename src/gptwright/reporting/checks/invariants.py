"""What holds in every run of PPO, GRPO or RLOO whose code and settings are right, whatever it learns.

Each is measured by the update itself (alignment/ppo.py). A breach trains without an error, towards something else.
"""

from gptwright.reporting.checks.finding import Finding
from gptwright.reporting.collect import Points, Run, Stage

MOST_RATIO_ERROR = 1e-3
"""of log-probabilities, in nats"""
MOST_FIRST_KL = 0.01
"""nats an answer, before the first step"""


def check_invariants(run: Run) -> list[Finding]:
    """All findings on the policy that was sampled from while it learned."""
    stage = run.policy
    if stage is None:
        return []
    found = [sampler(stage), reference(stage), reward_place(stage.curve("reward_misplaced"))]
    return [finding for finding in found if finding]


def sampler(stage: Stage) -> Finding | None:
    """Before the first step of an update, sampler and trainer must give the same probabilities; if not, why.

    Two passes over the same weights that differ mean dropout. A sampler that cuts its tail gives every token it draws
    more than it has. Any other temperature gives some tokens more and some less.
    """
    errors = stage.curve("first_ratio_error")
    if not errors:
        return None
    worst = _worst(errors)
    numbers = f"log-probabilities differ by {worst:.6f} at most, {MOST_RATIO_ERROR} is allowed"
    if worst <= MOST_RATIO_ERROR:
        return Finding("healthy", "Sampler and trainer agree", numbers)
    noise, lowest = _worst(stage.curve("repeat_error")), _least(stage.curve("sampled_gap_min"))
    if noise > MOST_RATIO_ERROR:
        return Finding("ill", "Dropout is on while the policy learns: two passes over the same weights differ",
                       f"{numbers}; by {noise:.6f} between two passes of the trainer",
                       "Put the model into eval() before rollouts and updates.", "dropout-on")  # fmt: skip
    if lowest >= -MOST_RATIO_ERROR:
        return Finding("ill", "The sampler cuts its tail (top-k, top-p or min-p), which the ratio does not know of",
                       f"{numbers}; every sampled token got more than the policy gives it",
                       "Sample rollouts from the whole distribution.", "truncated-sampling")  # fmt: skip
    return Finding("ill", "Sampler and trainer disagree: two temperatures, or masks or number formats that differ",
                   f"{numbers}; some tokens got up to {-lowest:.3f} less than the policy gives them",
                   "Divide the logits by the sampler's temperature wherever log-probabilities are taken.",
                   "temperature-mismatch")  # fmt: skip


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
                       f"{numbers}; other weights at the end than at the start", advice, "drifted-reference")  # fmt: skip
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


def _least(points: Points) -> float:
    return min((value for _, value in points), default=0.0)
