"""Labels from elsewhere: taken in once, and without loss."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from gptwright.store.database import Store
from gptwright.store.exports import demonstrations, rankings, thumbs
from gptwright.store.imports import take_demonstration, take_ranking, take_thumb
from gptwright.store.labels import withdraw
from gptwright.store.rows import TABLES
from gptwright.tokenizers.chat_templates.template import Message as Turn

TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
NAMES = st.sampled_from(["", "anna", "ben"])
TURNS = st.lists(
    st.builds(Turn, role=st.sampled_from(["system", "user", "assistant"]), content=TEXT), min_size=1, max_size=3
)
FIELDS = st.dictionaries(st.sampled_from(["split", "kind", "id"]), st.one_of(TEXT, st.integers(0, 9), st.none()))
ANSWERS = st.lists(st.tuples(TEXT, st.integers(1, 3), st.sampled_from(["a", "b"])), min_size=2, max_size=4)


def rows(store: Store) -> dict[str, int | None]:
    with store.read() as session:
        return {name: session.scalar(select(func.count()).select_from(table)) for name, table in TABLES.items()}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(turns=TURNS, answers=ANSWERS, author=NAMES, fields=FIELDS)
def test_a_ranking_comes_back_as_it_was(
    store: Store, turns: list[Turn], answers: list[tuple[str, int, str]], author: str, fields: dict[str, Any]
) -> None:
    texts, ranks, models = ([*column] for column in zip(*answers, strict=True))
    named = {"model": models[0]} if len({*models}) == 1 else {"models": models}
    line = (
        {"messages": turns, "answers": texts, "ranks": ranks}
        | fields
        | named
        | ({"labeller": author} if author else {})
    )
    with store.write() as session:
        before = list(rankings(session))
        options: Any = {"models": models, "author": author, "fields": fields, "copy": len(before)}
        assert take_ranking(session, turns, texts, ranks, **options)
        assert not take_ranking(session, turns, texts, ranks, **options)
        assert list(rankings(session)) == [*before, line]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(turns=TURNS, author=NAMES, fields=FIELDS)
def test_a_demonstration_comes_back_as_it_was(
    store: Store, turns: list[Turn], author: str, fields: dict[str, Any]
) -> None:
    line = {"messages": turns} | fields | ({"labeller": author} if author else {})
    with store.write() as session:
        before = list(demonstrations(session))
        options: Any = {"author": author, "fields": fields, "copy": len(before)}
        assert take_demonstration(session, turns, **options) and not take_demonstration(session, turns, **options)
        assert list(demonstrations(session)) == [*before, line]


@pytest.mark.parametrize("author", ["", "anna"])
def test_a_rating_is_taken_in_unless_there_is_a_later_word(store: Store, author: str) -> None:
    turns = [Turn(role="user", content="Hi"), Turn(role="assistant", content="Hello")]

    def take(rating: str) -> bool:
        with store.write() as session:
            return take_thumb(session, turns, rating, model="m", author=author, id="r1", created=1e9)

    assert take("up") and not take("down")
    with store.read() as session:
        line = {"id": "r1", "time": "2001-09-09T01:46:40+00:00", "rating": "up", "messages": turns, "model": "m"}
        assert list(thumbs(session)) == [line | ({"user": author} if author else {})]
    with store.write() as session:
        withdraw(session, "thumb", "r1", author=author)
    before = rows(store)
    assert not take("up") and rows(store) == before
