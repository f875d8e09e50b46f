"""A person's conversations: in order, found by their words in any language, deleted and taken back."""

import pytest

from gptwright.foundations.errors import InputError
from gptwright.store.conversations import find_conversation, list_conversations, search_conversations, touch
from gptwright.store.database import Store
from gptwright.store.exports import prompts, thumbs
from gptwright.store.labels import annotate
from gptwright.store.messages import add_conversation, add_message


def say(store: Store, *texts: str, owner: str = "anna", title: str = "") -> str:
    """A conversation of messages in a row."""
    with store.write() as session:
        conversation, before = add_conversation(session, owner=owner, title=title), None
        for at, text in enumerate(texts):
            before = add_message(session, conversation.id, before, ("user", "assistant")[at % 2], text).id
        return conversation.id


def found(store: Store, words: str, owner: str = "anna") -> list[tuple[str, str]]:
    with store.read() as session:
        return [(one.conversation.id, one.excerpt) for one in search_conversations(session, owner, words)]


def test_the_pinned_come_first_then_the_latest(store: Store) -> None:
    first, second, third = (say(store, text) for text in ("a", "b", "c"))
    say(store, "d", owner="ben")
    with store.write() as session:
        find_conversation(session, second, "anna").pinned = True
        touch(session, first, "")
        assert [one.id for one in list_conversations(session, "anna")] == [second, first, third]
        assert [one.id for one in list_conversations(session, "anna", offset=1, limit=1)] == [first]


def test_a_folder_holds_its_own(store: Store) -> None:
    one, _ = say(store, "a"), say(store, "b")
    with store.write() as session:
        find_conversation(session, one, "anna").folder = "work"
        assert [found.id for found in list_conversations(session, "anna", folder="work")] == [one]


def test_nobody_finds_what_is_another_s(store: Store) -> None:
    id = say(store, "a secret")
    with store.read() as session, pytest.raises(InputError, match="one of your conversations"):
        find_conversation(session, id, "ben")
    assert found(store, "secret", "ben") == [] and found(store, "secret") == [(id, "a secret")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Cat sat", "cat SAT"),
        ("École d'été à Genève", "ÉTÉ école"),
        ("你好，世界", "世界"),
        ('100 % "sure" _ok_ \\ back!', '100 % "sure" _ok_ \\ back!'),
        ("nul \x00 within", "within"),
        ("Straße", "straße"),
        ("a 🐈 here", "🐈"),
    ],
)
def test_words_are_found_in_any_language_and_case(store: Store, text: str, words: str) -> None:
    id = say(store, "something else", text)
    say(store, "100 x sure")
    assert found(store, words) == [(id, text)]


@pytest.mark.parametrize("words", ["", "  ", "cat dog", "%", "_", "typ"])
def test_what_nobody_said_is_not_found(store: Store, words: str) -> None:
    say(store, "cat", "dog")
    assert found(store, words) == []


def test_titles_are_searched_and_excerpts_are_short(store: Store) -> None:
    titled, long = say(store, "x", title="About cats"), say(store, "y " * 100 + "cats" + " z" * 100)
    assert found(store, "cats") == [(titled, "About cats"), (long, "…" + "y " * 30 + "cats" + " z" * 30 + "…")]


def test_a_deleted_one_is_seen_by_nobody_and_teaches_nothing_until_it_is_taken_back(store: Store) -> None:
    id = say(store, "Hi", "Hello")
    with store.write() as session:
        one = find_conversation(session, id, "anna")
        hits = search_conversations(session, "anna", "Hello")
        annotate(session, "thumb", str(hits[0].message_id), "up")
        one.deleted = 1.0
        session.flush()
        assert not list_conversations(session, "anna") and not search_conversations(session, "anna", "Hello")
        assert not list(thumbs(session)) and not list(prompts(session))
        assert list_conversations(session, "anna", deleted=True) == [one]
        one.deleted = None
        session.flush()
        assert len(list(thumbs(session))) == len(list(prompts(session))) == 1
