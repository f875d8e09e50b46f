"""Chat completions that are kept: under their id, with what was said of them, before their end is told."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from sqlalchemy import select

from gptwright.store.database import Store
from gptwright.store.messages import text_of
from gptwright.store.tables import Conversation, Message

HELLO: Any = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Say hello"}]


@pytest.fixture
def ai(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_kept(ai: openai.OpenAI, model: Any, store: Store, stream: bool) -> None:
    about: Any = {"metadata": {"topic": "greeting"}, "user": "ann", "safety_identifier": "a1"}
    reply: Any = ai.chat.completions.create(model="tiny", messages=HELLO, store=True, n=2, stream=stream, **about)
    id = [chunk.id for chunk in reply][-1] if stream else reply.id
    with store.read() as session:
        kept = session.scalars(select(Conversation)).one()
        assert (kept.id, kept.fields) == (id, about)
        system, user, *replies = session.scalars(select(Message).order_by(Message.number))
        assert (system.parent_id, user.parent_id) == (None, system.id)
        assert [(one.parent_id, text_of(one.content)) for one in replies] == [(user.id, model.reply)] * 2
        assert all(one.model == "tiny" and one.generation == {"finish": "stop"} for one in replies)


def test_nothing_is_kept_unless_asked(ai: openai.OpenAI, store: Store) -> None:
    ai.chat.completions.create(model="tiny", messages=HELLO, user="ann")
    ai.chat.completions.create(model="tiny", messages=HELLO, store=False)
    with store.read() as session:
        assert session.scalars(select(Conversation)).all() == []


@pytest.mark.parametrize("stream", [False, True])
def test_a_store_that_cannot_is_said(ai: openai.OpenAI, store: Store, stream: bool) -> None:
    with store.write(), pytest.raises(openai.APIError, match="not saved"):
        reply: Any = ai.chat.completions.create(model="tiny", messages=HELLO, store=True, stream=stream)
        list(reply)
