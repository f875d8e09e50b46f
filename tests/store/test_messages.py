"""Conversations are trees; what was said comes back letter for letter."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from gptwright.foundations.errors import InputError
from gptwright.store.database import Store
from gptwright.store.messages import add_conversation, add_message, find_message, history, keep_turns, text_of, turn_of
from gptwright.store.tables import Conversation, Message
from gptwright.tokenizers.chat_templates.parts import PlacedImage
from gptwright.tokenizers.chat_templates.template import Message as Turn


def test_alternatives_share_what_came_before(store: Store) -> None:
    with store.write() as session:
        talk = add_conversation(session, owner="anna", title="Cats", fields={"pinned": True})
        asked = add_message(session, talk.id, None, "user", "What is a cat?", author="anna")
        made = {"weights": "a" * 64, "sampling": {"temperature": 0.7}, "seed": 2**63, "prompt_ids": [1, 2],
                "seconds": {"all": 0.5}, "finish": "stop"}  # fmt: skip
        one = add_message(session, talk.id, asked.id, "assistant", "An animal.", model="ppo", generation=made)  # type: ignore[arg-type]
        other = add_message(session, talk.id, asked.id, "assistant", "A pet.", model="ppo")
        more = add_message(session, talk.id, other.id, "user", "Which?")
    with store.read() as session:
        assert [text_of(m.content) for m in history(session, more.id)] == ["What is a cat?", "A pet.", "Which?"]
        assert [m.id for m in history(session, one.id)] == [asked.id, one.id]
        assert find_message(session, one.id).generation == made
        kept = session.scalars(select(Conversation)).one()
        assert (kept.owner, kept.title, kept.fields) == ("anna", "Cats", {"pinned": True})


def test_a_message_stands_in_one_conversation_behind_one_that_is_there(store: Store) -> None:
    with store.write() as session:
        one, other = (add_conversation(session) for _ in range(2))
        first = add_message(session, one.id, None, "user", "Hi")
    for conversation_id, parent_id in ((other.id, first.id), (one.id, "nothing"), ("nothing", None)):
        with pytest.raises(InputError), store.write() as session:
            add_message(session, conversation_id, parent_id, "user", "x")
    with pytest.raises(InputError, match="nothing"), store.read() as session:
        history(session, "nothing")


def turns(*texts: str) -> list[Turn]:
    return [Turn(role=("user", "assistant")[at % 2], content=text) for at, text in enumerate(texts)]


def test_equal_beginnings_are_kept_once(store: Store) -> None:
    with store.write() as session:
        first = keep_turns(session, turns("Hi", "Hello"), owner="anna", model="a")
        assert keep_turns(session, turns("Hi", "Hello"), owner="anna", model="a") == first
        others = {keep_turns(session, turns("Hi", "Hello"), owner="anna", model="b"),
                  keep_turns(session, turns("Hi", "Ho"), owner="anna", model="a"),
                  keep_turns(session, turns("Hi", "Hello"), owner="ben", model="a")}  # fmt: skip
        assert len(others | {first}) == 4
    with store.read() as session:
        assert len(session.scalars(select(Conversation)).all()) == 2
        said = [(m.role, text_of(m.content), m.model) for m in history(session, first)]
        assert said == [("user", "Hi", ""), ("assistant", "Hello", "a")]
        assert len(session.scalars(select(Message)).all()) == 6


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(codec=None)), min_size=1, max_size=4))
def test_any_text_survives(store: Store, texts: list[str]) -> None:
    with store.write() as session:
        last = keep_turns(session, turns(*texts), model="tiny")
    with store.read() as session:
        assert [text_of(message.content) for message in history(session, last)] == texts


def test_equal_words_about_other_images_are_other_messages(store: Store) -> None:
    def turns(image: bytes | None) -> list[Turn]:
        asked = Turn(role="user", content="What?")
        if image:
            asked["images"] = [PlacedImage(0, image)]
        return [asked, Turn(role="assistant", content="A cat.")]

    with store.write() as session:
        ids = [keep_turns(session, turns(image)) for image in (None, b"one", b"two", b"one")]
        assert len(set(ids)) == 3 and ids[1] == ids[3]
        kept = [turn_of(history(session, id)[0]) for id in ids[:2]]
        assert kept == [turns(None)[0], turns(b"one")[0]]
