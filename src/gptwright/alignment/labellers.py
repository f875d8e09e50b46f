"""Several people who ranked the same answers: how far each agrees with the others, what that says of wrong labels, and
how much each should count."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt

from gptwright.alignment.judge import UNNAMED
from gptwright.alignment.prompts import text_of
from gptwright.foundations.errors import InputError
from gptwright.store.ranking_lines import Ranking
from gptwright.text.heldout import normalised

Votes = dict[tuple[str, str, str], list[tuple[str, bool]]]


@dataclass(frozen=True)
class Agreement:
    """Of the pairs that two labellers both judged, neither as a tie: how many they order alike, and how many there are.
    By labeller, who is compared with all others."""

    alike: Mapping[str, int]
    pairs: Mapping[str, int]

    @classmethod
    def of(cls, rankings: Sequence[Ranking]) -> "Agreement":
        """Prompts and answers are the same where their texts are."""
        alike, pairs = Counter[str](), Counter[str]()
        for said in votes(rankings).values():
            for (one, first), (other, second) in combinations(said, 2):
                if one != other:
                    pairs.update((one, other))
                    alike.update((one, other) if first == second else ())
        return cls(alike, pairs)

    def tau(self, labeller: str) -> float:
        """Kendall's τ with the others over those pairs: 1 always alike, 0 as by chance."""
        return 2 * self.alike.get(labeller, 0) / self.pairs[labeller] - 1

    @property
    def noise(self) -> float | None:
        """The share of labels that are wrong, if all labellers err independently and as often: two who err with ε
        differ with 2 ε (1 - ε). None where no two judged the same."""
        if not self.pairs:
            return None
        differ = 1 - sum(self.alike.values()) / sum(self.pairs.values())
        return (1 - sqrt(max(1 - 2 * differ, 0.0))) / 2

    def weights(self, rankings: Sequence[Ranking]) -> list[float]:
        """Each ranking by its labeller's τ, 0 where that is less, by 1 on the average. Who judged nothing that another
        did counts as the mean of the others. Raises `InputError` when nobody can be compared, or nobody agrees."""
        known = {name: max(self.tau(name), 0.0) for name in self.pairs}
        if not any(known.values()):
            got = "labellers who agree no more than by chance" if known else "no pair that two of them judged"
            raise InputError("the same answers ranked by several labellers who agree, to weigh them", got,
                             "Take --labeller-weights equal, or add rankings of the same answers.")  # fmt: skip
        usual = sum(known.values()) / len(known)
        found = [known.get(labeller_of(ranking), usual) for ranking in rankings]
        scale = len(found) / (sum(found) or 1.0)
        return [weight * scale for weight in found]


def labeller_of(ranking: Ranking) -> str:
    """The name, or that there is none."""
    return ranking.labeller or UNNAMED


def votes(rankings: Sequence[Ranking]) -> Votes:
    """By prompt and the texts of two answers: who says what of whether the first is better, ties left out."""
    found: Votes = defaultdict(list)
    for ranking in rankings:
        prompt = normalised(text_of(ranking.messages))
        for one, other, first in _untied(ranking):
            found[prompt, one, other].append((labeller_of(ranking), first))
    return found


def _untied(ranking: Ranking) -> Iterator[tuple[str, str, bool]]:
    for (one, first), (other, second) in combinations(zip(ranking.answers, ranking.ranks, strict=True), 2):
        if one != other and first != second:
            yield (one, other, first < second) if one < other else (other, one, second < first)
