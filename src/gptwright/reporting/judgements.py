"""What people say of the policy's held-out answers: the answers.jsonl of ppo, with ranks that they gave."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gptwright.evaluation.intervals import share_by_group
from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.text.heldout import normalised
from gptwright.text.jsonl import read_objects
from gptwright.training.evaluation import Estimate, Evaluation

if TYPE_CHECKING:
    from gptwright.store.ranking_lines import Ranking

ANSWERS = "answers.jsonl"
OLD = "sft"
Asked = tuple[str, ...]


@dataclass(frozen=True)
class Wins:
    """Share of the judged answers in which the policy's was preferred, ties half, and who says so."""

    share: Estimate
    judge: str
    independent: bool = True
    """whether it is not the reward model that the policy learned from"""

    @staticmethod
    def of(comparison: Evaluation) -> "Wins | None":
        """As ppo counted them."""
        share, rule = comparison.estimates.get("win_rate"), comparison.notes.get("rule")
        judge = f"the rule “{rule}”" if rule else "the reward model itself"
        return Wins(share, judge, independent=bool(rule)) if share else None


def read_judgements(path: Path, policy: Path) -> Wins:
    """Counts the rankings in `path` that are about what the policy in the folder `policy` and its start answered.

    Raises `ArtifactError` when the policy left no answers, `InputError` naming a line that ranks other answers.
    """
    from gptwright.store.ranking_lines import read_rankings

    known = _answered(policy)
    return Wins(share_by_group(_wins(read_rankings(path), known, policy)), f"the people of {path.name}")


def _answered(policy: Path) -> dict[Asked, bool]:
    """(prompt, answer, answer), in either order, and whether the first of them is the policy's."""
    if not (policy / ANSWERS).is_file():
        raise ArtifactError(
            f"{ANSWERS} in {policy}", "nothing there", "Run its stage again: it leaves what both models say."
        )
    known: dict[Asked, bool] = {}
    for line in read_objects(policy / ANSWERS):
        first, second = line["answers"]
        new_first = line["models"].index(OLD) == 1
        known |= {(_name(line["messages"]), first, second): new_first,
                  (_name(line["messages"]), second, first): not new_first}  # fmt: skip
    return known


def _wins(rankings: "list[Ranking]", known: dict[Asked, bool], policy: Path) -> Iterator[tuple[str, float, int]]:
    for ranking in rankings:
        name = _name(ranking.messages)
        new_first = known.get((name, *ranking.answers)) if len(ranking.answers) == 2 else None
        if new_first is None:
            raise InputError(f"a prompt and both answers of {policy / ANSWERS} on {ranking.where}",
                             "others", f"Copy {ANSWERS} and give each line its ranks.")  # fmt: skip
        first, second = ranking.ranks
        better = first < second if new_first else second < first
        yield name, 0.5 if first == second or ranking.answers[0] == ranking.answers[1] else float(better), 1


def _name(messages: object) -> str:
    return normalised(repr(messages))
