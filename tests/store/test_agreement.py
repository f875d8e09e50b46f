"""Agreement: the published example, hand numbers, and what people said in a store."""

from itertools import permutations

import pytest

from gptwright.store.agreement import agreement, alpha, kendall
from gptwright.store.database import Store
from gptwright.store.labels import annotate
from gptwright.store.messages import add_conversation, add_message

# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section C: four observers of twelve units
OBSERVED = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")


def published() -> list[list[int]]:
    return [[int(value) for value in unit if value != "."] for unit in zip(*OBSERVED, strict=True)]


@pytest.mark.parametrize(("ordinal", "expected"), [(False, 0.743), (True, 0.815)])
def test_the_published_example(ordinal: bool, expected: float) -> None:
    found = alpha(published(), ordinal=ordinal)
    assert found == pytest.approx(expected, abs=5e-4)


def test_alike_is_one_and_nobody_to_compare_is_none() -> None:
    assert alpha([[1, 1], [2, 2]], ordinal=True) == 1
    assert alpha([[1, 2], [2, 1]], ordinal=False) == pytest.approx(1 - 3 * 4 / 8)
    assert alpha([[1], [2]], ordinal=True) is None and alpha([[1, 1], [1, 1]], ordinal=True) is None


def test_tau_counts_pairs() -> None:
    assert kendall([1, 2, 3], [1, 2, 3]) == 1 and kendall([1, 2, 3], [3, 2, 1]) == -1
    assert kendall([1, 1, 1], [1, 2, 3]) is None
    assert kendall([1, 1, 2], [1, 2, 2]) == pytest.approx(1 / 2)
    assert sum(kendall([1, 2, 3], order) or 0.0 for order in permutations([1, 2, 3])) == pytest.approx(0)


def test_what_people_said_of_the_same_is_compared(store: Store) -> None:
    with store.write() as session:
        talk = add_conversation(session)
        asked = add_message(session, talk.id, None, "user", "Hi")
        one, two = (add_message(session, talk.id, asked.id, "assistant", text).id for text in ("a", "b"))
        for author, ranks in (("anna", [1, 2]), ("ben", [2, 1]), ("cleo", [2, 1])):
            annotate(session, "ranking", asked.id, {"answers": [one, two], "ranks": ranks}, author=author)
            annotate(session, "rating", one, ranks[0], author=author)
            annotate(session, "rating", two, 7, author=author)
        for author, answers, strength in (("anna", [one, two], 2), ("ben", [two, one], -2)):
            annotate(session, "preference", asked.id, {"answers": answers, "strength": strength}, author=author)
        found = agreement(session)
    assert found["ranking"] == (pytest.approx(-1 / 3), 1, 3)
    assert found["rating"][1:] == (2, 6) and found["thumb"] == (None, 0, 0)
    assert found["preference"] == (None, 1, 2)  # both say the same, and nothing else is ever said
