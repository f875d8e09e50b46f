"""Labels: a log that only grows, of which the last word counts."""

from typing import Any

import pytest
from sqlalchemy import func, select

from gptwright.foundations.errors import InputError
from gptwright.store.database import Store
from gptwright.store.labels import KINDS, annotate, labels, withdraw
from gptwright.store.messages import add_conversation, add_message
from gptwright.store.tables import Annotation


@pytest.fixture
def ids(store: Store) -> dict[str, str]:
    """A prompt, three answers to it, and a message behind the first of them."""
    with store.write() as session:
        talk = add_conversation(session)
        asked = add_message(session, talk.id, None, "user", "Hi")
        answers = [add_message(session, talk.id, asked.id, "assistant", f"Hello {i}", model="m") for i in range(3)]
        more = add_message(session, talk.id, answers[0].id, "user", "And?")
    return {"asked": asked.id, "more": more.id} | {f"a{i}": answer.id for i, answer in enumerate(answers)}


def named(value: Any, ids: dict[str, str]) -> Any:
    """A value with the ids of messages in place of their names."""
    if isinstance(value, dict):
        return {name: [named(one, ids) for one in many] if isinstance(many, list) else many
                for name, many in value.items()}  # fmt: skip
    return ids.get(value, value) if isinstance(value, str) else value


GOOD = [
    ("thumb", "a0", "up"),
    ("reason", "a0", "too long"),
    ("comment", "a0", "Says it twice: “Hi” \u0000 \ud800"),
    ("rating", "a0", 7),
    ("skip", "asked", "I do not know"),
    ("unsure", "asked", "Both are right"),
    ("flags", "a0", ["hallucination", "sexual_content"]),
    ("preference", "asked", {"answers": ["a1", "a0"], "strength": -3}),
    ("edit", "a0", "a1"),
    ("demonstration", "a2", True),
    ("ranking", "asked", {"answers": ["a2", "a0", "a1"], "ranks": [1, 2, 2]}),
]
WRONG = [
    ("thumb", "a0", "sideways"),
    ("thumb", "a0", ["up"]),
    ("comment", "a0", ""),
    ("rating", "a0", 8),
    ("rating", "a0", True),
    ("edit", "a0", "a0"),
    ("edit", "a0", "more"),
    ("edit", "a0", "nothing"),
    ("demonstration", "a0", 1),
    ("ranking", "asked", {"answers": ["a0"], "ranks": [1]}),
    ("ranking", "asked", {"answers": ["a0", "a0"], "ranks": [1, 2]}),
    ("ranking", "asked", {"answers": ["a0", "more"], "ranks": [1, 2]}),
    ("ranking", "asked", {"answers": ["a0", "a1"], "ranks": [0, 1]}),
    ("ranking", "asked", {"answers": ["a0", "a1"], "ranks": [True, 2]}),
    ("ranking", "asked", {"answers": ["a0", "a1"]}),
    ("ranking", "asked", {"answers": [["a0"], "a1"], "ranks": [1, 2]}),
    ("ranking", "asked", {"answers": "a0", "ranks": 1}),
    ("ranking", "a0", {"answers": ["a0", "a1"], "ranks": [1, 2]}),
    ("preference", "asked", {"answers": ["a1", "a0"], "strength": 4}),
    ("preference", "asked", {"answers": ["a1", "a0"], "strength": 1.0}),
    ("preference", "asked", {"answers": ["a1", "a1"], "strength": 1}),
    ("preference", "asked", {"answers": ["a1", "more"], "strength": 1}),
    ("preference", "asked", {"answers": ["a1", "a0"]}),
    ("flags", "a0", "hallucination"),
    ("flags", "a0", [["hallucination"]]),
    ("smile", "a0", "up"),
    ("thumb", "nothing", "up"),
]


def test_every_kind_comes_back_as_it_was_given(store: Store, ids: dict[str, str]) -> None:
    assert {kind for kind, _, _ in GOOD} == set(KINDS)
    with store.write() as session:
        for kind, about, value in GOOD:
            annotate(session, kind, ids[about], named(value, ids), author="anna")
    with store.read() as session:
        found = [(label.kind, label.message_id, label.value, label.author) for label in labels(session)]
        assert found == [(kind, ids[about], named(value, ids), "anna") for kind, about, value in GOOD]
        assert [label.kind for label in labels(session, "edit", "thumb")] == ["thumb", "edit"]


@pytest.mark.parametrize(("kind", "about", "value"), WRONG)
def test_what_is_no_label_is_refused(store: Store, ids: dict[str, str], kind: str, about: str, value: Any) -> None:
    with pytest.raises(InputError), store.write() as session:
        annotate(session, kind, ids.get(about, about), named(value, ids))
    with store.read() as session:
        assert labels(session) == []


def test_the_last_word_of_each_counts_and_no_word_is_lost(store: Store, ids: dict[str, str]) -> None:
    def said() -> list[tuple[str, str, Any]]:
        with store.read() as session:
            return [(label.author, label.kind, label.value) for label in labels(session)]

    with store.write() as session:
        for author, kind, value in (("anna", "thumb", "up"), ("ben", "thumb", "up"), ("anna", "comment", "Hm"),
                                    ("anna", "thumb", "down")):  # fmt: skip
            annotate(session, kind, ids["a0"], value, author=author)
    assert said() == [("ben", "thumb", "up"), ("anna", "comment", "Hm"), ("anna", "thumb", "down")]
    with store.write() as session:
        withdraw(session, "thumb", ids["a0"], author="anna")
    assert said() == [("ben", "thumb", "up"), ("anna", "comment", "Hm")]
    with store.write() as session:
        annotate(session, "thumb", ids["a0"], "up", author="anna")
        annotate(session, "thumb", ids["a0"], "up", author="anna", id="another")
    assert said()[2:] == [("anna", "thumb", "up")] * 2
    with store.read() as session:
        assert session.scalar(select(func.count()).select_from(Annotation)) == 7
    with pytest.raises(InputError, match="carl"), store.write() as session:
        withdraw(session, "thumb", ids["a0"], author="carl")
