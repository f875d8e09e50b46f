"""Answers that are programs: run in the sandbox, with the reason of each that fails."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gptwright.evaluation.harness.task_config import Execution
from gptwright.evaluation.harness.templates import Item, rendered
from gptwright.foundations.errors import InputError
from gptwright.foundations.progress import ProgressLine
from gptwright.sandbox.sandbox import Check, Sandbox


@dataclass(frozen=True)
class Executed:
    """An answer and what became of it."""

    answer: str
    reason: str
    detail: str
    blanks_decide: bool = False
    """whether it fails for the blanks at its beginning alone"""

    @property
    def passed(self) -> bool:
        """Whether all tests did."""
        return self.reason == "passed"


def execute(
    sandbox: Sandbox, how: Execution, items: Sequence[Item], answers: Sequence[Sequence[str]]
) -> list[list[Executed]]:
    """Every answer of every item, and those that do not parse once more with other blanks before them."""
    asked = [(item, answer) for item, some in zip(items, answers, strict=True) for answer in some]
    found: list[Executed] = []
    with ProgressLine("run in the sandbox", len(asked)) as line:
        for (_, answer), outcome in zip(asked, sandbox.run_all(_check(how, *each) for each in asked), strict=True):
            found.append(Executed(answer, outcome.reason, outcome.detail))
            line.update(len(found))
    broken = [place for place, each in enumerate(found) if each.reason == "syntax"]
    mended = [_check(how, asked[place][0], _other_blanks(asked[place][1])) for place in broken]
    for place, outcome in zip(broken, sandbox.run_all(mended), strict=True):
        each = found[place]
        found[place] = Executed(each.answer, each.reason, each.detail, blanks_decide=outcome.passed)
    rest = iter(found)
    return [[next(rest) for _ in some] for some in answers]


def failures(executed: Iterable[Sequence[Executed]]) -> dict[str, float]:
    """How many answers failed, by reason, and for how many blanks alone decided."""
    every = [each for some in executed for each in some]
    reasons = Counter(f"failed_{each.reason.replace(' ', '_')}" for each in every if not each.passed)
    decided = sum(each.blanks_decide for each in every)
    return dict(sorted({name: float(count) for name, count in reasons.items()}.items())) | (
        {"failed_by_blanks_alone": float(decided)} if decided else {}
    )


def _check(how: Execution, item: Item, answer: str) -> Check:
    fields = item.line | {"answer": answer}
    program = rendered(how.program, fields)
    if not how.examples:
        tests, entry, setup = (rendered(template, fields) for template in (how.tests, how.entry, how.setup))
        return Check.function(program, entry, tests, setup)
    examples = item.line.get(how.examples)
    if not isinstance(examples, list) or not examples:
        raise InputError(f"examples in {item.line.where}", f"{examples!r}"[:60], "Mend or delete the document.")
    return Check.examples(program, [(str(line), str(wanted)) for line, wanted in examples])


def _other_blanks(answer: str) -> str:
    """The answer as the body of a function, on a line of its own."""
    return f"\n    {answer.lstrip()}"
