"""Is this run healthy, by its own numbers, and what is worth trying next?"""

from gptwright.reporting.checks.answers import check_answers
from gptwright.reporting.checks.finding import ORDER, Finding
from gptwright.reporting.checks.folders import check_folders
from gptwright.reporting.checks.invariants import check_invariants
from gptwright.reporting.checks.policy import check_policy
from gptwright.reporting.checks.text import check_text
from gptwright.reporting.checks.work import check_work
from gptwright.reporting.collect import Run

CHECKS = (check_folders, check_text, check_answers, check_invariants, check_policy, check_work)


def check(run: Run) -> list[Finding]:
    """Findings on all that was measured, the gravest first; what was not measured is not checked."""
    findings = [finding for part in CHECKS for finding in part(run)]
    return sorted(findings, key=lambda finding: ORDER[finding.level])
