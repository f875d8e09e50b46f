"""Branches that are deleted are seen no more and taught nobody, until they are taken back."""

import pytest

from gptwright.foundations.errors import InputError
from gptwright.store.branches import delete_branch, take_back_branch
from gptwright.store.conversations import search_conversations
from gptwright.store.database import Store
from gptwright.store.exports import FORMATS
from gptwright.store.labels import annotate, labels
from gptwright.store.messages import add_conversation, add_message
from gptwright.store.tables import Conversation, Message
from gptwright.store.task_labels import answers_of
from gptwright.store.task_making import Wanted, make_tasks
from gptwright.store.tasks import add_task


@pytest.fixture
def ids(store: Store) -> dict[str, str]:
    """A question with three answers, behind the first of which another question has an answer."""
    with store.write() as session:
        talk = add_conversation(session)
        found = {"talk": talk.id, "asked": add_message(session, talk.id, None, "user", "Hi").id}
        for name in ("one", "two", "three"):
            found[name] = add_message(session, talk.id, found["asked"], "assistant", name).id
        found["more"] = add_message(session, talk.id, found["one"], "user", "And whales?").id
        found["last"] = add_message(session, talk.id, found["more"], "assistant", "Big.").id
        talk.leaf = found["last"]
    return found


def there(store: Store) -> set[str]:
    with store.read() as session:
        return {message.id for message in session.query(Message) if message.deleted is None}


def leaf(store: Store) -> str:
    with store.read() as session:
        return session.query(Conversation).one().leaf


def test_a_branch_goes_and_comes_back_whole(store: Store, ids: dict[str, str]) -> None:
    everything = there(store)
    with store.write() as session:
        assert delete_branch(session, ids["one"]).deleted
    assert everything - there(store) == {ids["one"], ids["more"], ids["last"]} and leaf(store) == ids["asked"]
    with store.write() as session:
        assert take_back_branch(session, ids["one"]).deleted is None
    assert there(store) == everything


def test_what_was_deleted_before_stays_deleted(store: Store, ids: dict[str, str]) -> None:
    for name in ("last", "one"):
        with store.write() as session:
            delete_branch(session, ids[name])
    with store.write() as session:
        take_back_branch(session, ids["one"])
    assert ids["one"] in there(store) and ids["last"] not in there(store)
    with store.write() as session:
        take_back_branch(session, ids["two"])  # was never deleted
    assert ids["two"] in there(store)


def test_nothing_is_found_learned_or_asked_of_it(store: Store, ids: dict[str, str]) -> None:
    ranking = {"answers": [ids["one"], ids["two"], ids["three"]], "ranks": [1, 2, 3]}
    with store.write() as session:
        annotate(session, "ranking", ids["asked"], ranking)
        annotate(session, "edit", ids["one"], ids["three"])
        annotate(session, "thumb", ids["last"], "up")
        delete_branch(session, ids["one"])
    with store.write() as session:
        assert search_conversations(session, "", "whales") == [] and labels(session, "thumb", "edit") == []
        [line] = FORMATS["rankings"](session)
        assert (line["answers"], line["ranks"]) == (["two", "three"], [2, 3])
        assert [one.id for one in answers_of(session, add_task(session, "ranking", ids["asked"]))] == [
            ids["two"], ids["three"]]  # fmt: skip
        assert len(make_tasks(session, Wanted("rating"), "", 9)) == 2
        delete_branch(session, ids["two"])
    with store.read() as session:
        assert list(FORMATS["rankings"](session)) == []


def test_nothing_is_said_behind_it(store: Store, ids: dict[str, str]) -> None:
    with store.write() as session:
        delete_branch(session, ids["one"])
    with pytest.raises(InputError, match="deleted"), store.write() as session:
        add_message(session, ids["talk"], ids["more"], "assistant", "x")
    with pytest.raises(InputError), store.write() as session:
        delete_branch(session, "nothing")
