"""The judgement: is this run healthy, by its own numbers, and what is worth trying next?"""

from gptwright.reporting.checks.answers import judge_answers
from gptwright.reporting.checks.policy import judge_policy
from gptwright.reporting.checks.text import judge_text
from gptwright.reporting.checks.work import judge_work
from gptwright.reporting.collect import Run
from gptwright.reporting.verdict import ORDER, Verdict


def judge(run: Run) -> list[Verdict]:
    """Verdicts on all that was measured, the gravest first; what was not measured is not judged."""
    verdicts = judge_text(run) + judge_answers(run) + judge_policy(run) + judge_work(run)
    return sorted(verdicts, key=lambda verdict: ORDER[verdict.level])
