"""Labels as lines: ours, TRL's and OpenRLHF's."""

from typing import Any

import pytest
import trl

from gptwright.store.database import Store
from gptwright.store.exports import FORMATS
from gptwright.store.labels import annotate, withdraw
from gptwright.store.messages import add_conversation, add_message

ASKED = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]


@pytest.fixture
def ids(store: Store) -> list[str]:
    """Two messages and four answers to them, of which a person wrote the last."""
    with store.write() as session:
        talk = add_conversation(session, fields={"split": "train", "messages": "overwritten", "ranks": "too"})
        parent = None
        found: list[str] = []
        for turn in ASKED:
            parent = add_message(session, talk.id, parent, turn["role"], turn["content"]).id
            found.append(parent)
        for text, model in (("A", "one"), ("B", "one"), ("C", "two"), ("D", "")):
            found.append(add_message(session, talk.id, parent, "assistant", text, model=model).id)
        ranking = {"answers": found[2:5], "ranks": [2, 1, 2]}
        annotate(session, "ranking", found[1], ranking, author="anna")
        annotate(session, "edit", found[2], found[5], author="ben")
        annotate(session, "demonstration", found[5], True)
        annotate(session, "thumb", found[2], "down", author="ben", created=0.0)
    return found


def lines(store: Store, format: str) -> list[dict[str, Any]]:
    with store.read() as session:
        return list(FORMATS[format](session))


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def test_our_lines(store: Store, ids: list[str]) -> None:
    shared = {"messages": ASKED, "split": "train"}
    assert lines(store, "rankings") == [
        shared | {"answers": ["A", "B", "C"], "ranks": [2, 1, 2], "models": ["one", "one", "two"], "labeller": "anna"},
        shared | {"answers": ["D", "A"], "ranks": [1, 2], "models": ["", "one"], "labeller": "ben"},
    ]
    assert [line["messages"] for line in lines(store, "demonstrations")] == [[*ASKED, said("D")]]
    assert [line["messages"] for line in lines(store, "prompts")] == [ASKED]
    assert lines(store, "thumbs") == [
        {"id": ids[2], "time": "1970-01-01T00:00:00+00:00", "rating": "down", "messages": [*ASKED, said("A")],
         "model": "one", "user": "ben"}
    ]  # fmt: skip


def test_pairs_are_what_trl_and_openrlhf_read(store: Store, ids: list[str]) -> None:
    pairs, whole = lines(store, "trl"), lines(store, "openrlhf")
    better = [("B", "A"), ("B", "C"), ("D", "A")]
    assert [(pair["prompt"], pair["chosen"], pair["rejected"]) for pair in pairs] == [
        (ASKED, [said(one)], [said(other)]) for one, other in better
    ]
    assert [(pair["chosen"], pair["rejected"]) for pair in whole] == [
        ([*ASKED, said(one)], [*ASKED, said(other)]) for one, other in better
    ]
    assert all("answers" not in pair and pair["labeller"] for pair in pairs + whole)
    for pair in pairs:
        assert trl.is_conversational(pair)
    assert trl.extract_prompt(whole[0]) == {name: pairs[0][name] for name in ("prompt", "chosen", "rejected")}


def test_what_was_withdrawn_is_left_out(store: Store, ids: list[str]) -> None:
    with store.write() as session:
        withdraw(session, "ranking", ids[1], author="anna")
        withdraw(session, "edit", ids[2], author="ben")
        withdraw(session, "demonstration", ids[5])
        withdraw(session, "thumb", ids[2], author="ben")
    assert [len(lines(store, format)) for format in ("rankings", "demonstrations", "thumbs", "trl")] == [0, 0, 0, 0]
    assert sum(line["table"] == "annotations" for line in lines(store, "rows")) == 8
