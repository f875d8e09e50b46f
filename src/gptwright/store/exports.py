"""Labels as lines for files, in our shapes and in those of TRL and OpenRLHF. Labels that were withdrawn are left out.

An edit is a ranking: what it says now stands before what the model said. So is a preference of one of two answers.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from gptwright.images.named import as_data_uri
from gptwright.store.messages import kept_messages, path_to, text_of, turn_of
from gptwright.store.rows import dump_rows
from gptwright.store.tables import Annotation, Conversation, Message
from gptwright.store.task_labels import counting
from gptwright.tokenizers.chat_templates.parts import as_parts

Line = dict[str, Any]


class _Written:
    """All messages that are stored, and what was said of their conversations."""

    def __init__(self, session: Session) -> None:
        self.messages = {message.id: message for message in session.scalars(select(Message))}
        self.fields = {one.id: one.fields for one in session.scalars(select(Conversation))}

    def turns(self, message_id: str) -> list[Line]:
        """The messages up to this one; those with images are written in parts."""
        return [as_parts(turn_of(message), as_data_uri) for message in path_to(self.messages, message_id)]

    def line(self, message_id: str, author: str) -> Line:
        """The messages up to this one, what else was said of them, and who labelled them."""
        told = {"messages": self.turns(message_id)}
        fields = self.fields[self.messages[message_id].conversation_id]
        return told | fields | told | ({"labeller": author} if author else {})


def rankings(session: Session) -> Iterator[Line]:
    """`{"messages", "answers", "ranks"}`, as `reward` and `dpo` read them."""
    written = _Written(session)
    for label in counting(session, "ranking", "edit", "preference"):
        there = [(id, rank) for id, rank in _ranked(label) if written.messages[id].deleted is None]
        if len(there) < 2:
            continue
        ids, ranks = zip(*there, strict=True)
        answers = [written.messages[id] for id in ids]
        told = {"answers": [text_of(answer.content) for answer in answers], "ranks": [*ranks]}
        line = written.line(answers[0].parent_id or label.message_id, label.author)
        value: Any = label.value
        strength = {"strength": abs(value["strength"])} if label.kind == "preference" else {}
        yield line | told | strength | _models([answer.model for answer in answers])


def _ranked(label: Annotation) -> list[tuple[str, int]]:
    """Answers, by their ids, and their ranks."""
    if label.kind == "edit":
        return [(str(label.value), 1), (label.message_id, 2)]
    value: Any = label.value
    ranks = value.get("ranks") or [1 + (value["strength"] < 0), 1 + (value["strength"] > 0)]
    return [*zip(value["answers"], ranks, strict=True)]


def _models(names: list[str]) -> Line:
    """Who wrote the answers: one name where it is one."""
    known = set(names) - {""}
    if not known:
        return {}
    return {"model": names[0]} if len(set(names)) == 1 else {"models": names}


def demonstrations(session: Session) -> Iterator[Line]:
    """`{"messages"}`, as `sft` reads them."""
    written = _Written(session)
    for label in counting(session, "demonstration"):
        yield written.line(label.message_id, label.author)


def thumbs(session: Session) -> Iterator[Line]:
    """`{"id", "time", "rating", "messages", "model", "user"}`, as `improve` reads them."""
    written = _Written(session)
    for label in counting(session, "thumb"):
        time = datetime.fromtimestamp(label.created, UTC).isoformat(timespec="seconds")
        line = {"id": label.id, "time": time, "rating": label.value, "messages": written.turns(label.message_id)}
        user = {"user": label.author} if label.author else {}
        yield line | {"model": written.messages[label.message_id].model} | user


def ratings(session: Session) -> Iterator[Line]:
    """`{"messages", "rating", "flags", "comments"}`: what each labeller says of an answer, the last of the messages;
    what they did not say is left out. A comment is a text, or `{"span", "text"}`."""
    written = _Written(session)
    said: dict[tuple[str, str], Line] = {}
    for label in counting(session, "rating", "flags", "comment"):
        line = said.setdefault((label.message_id, label.author), {})
        if label.kind == "comment":
            line.setdefault("comments", []).append(label.value)
        else:
            line[label.kind] = label.value
    for (message_id, author), line in said.items():
        yield written.line(message_id, author) | line


def prompts(session: Session) -> Iterator[Line]:
    """`{"messages"}`: what was asked and answered or labelled, each once, as `rank` reads them."""
    written = _Written(session)
    told: set[str] = set()
    kept = set(session.scalars(kept_messages()))
    for message in written.messages.values():
        asked = written.messages.get(message.parent_id or "")
        is_answer = message.role == "assistant" and message.id in kept
        if is_answer and asked and asked.role != "assistant" and asked.id not in told:
            told.add(asked.id)
            yield written.line(asked.id, "")


def trl_pairs(session: Session) -> Iterator[Line]:
    """`{"prompt", "chosen", "rejected"}`, each a list of messages: TRL's preferences. Ties are no pairs."""
    for line, better, worse in _pairs(session):
        yield {"prompt": line.pop("messages"), "chosen": [better], "rejected": [worse]} | line


def openrlhf_pairs(session: Session) -> Iterator[Line]:
    """`{"chosen", "rejected"}`, each a whole conversation: OpenRLHF's preferences. Ties are no pairs."""
    for line, better, worse in _pairs(session):
        asked = line.pop("messages")
        yield {"chosen": [*asked, better], "rejected": [*asked, worse]} | line


def _pairs(session: Session) -> Iterator[tuple[Line, Line, Line]]:
    for line in rankings(session):
        rest = {name: value for name, value in line.items() if name not in ("answers", "ranks", "models")}
        for one, other in combinations(zip(line["ranks"], line["answers"], strict=True), 2):
            (best, better), (worst, worse) = sorted((one, other), key=lambda ranked: ranked[0])
            if best < worst:
                yield dict(rest), {"role": "assistant", "content": better}, {"role": "assistant", "content": worse}


FORMATS: Mapping[str, Callable[[Session], Iterator[Line]]] = {
    "rankings": rankings,
    "demonstrations": demonstrations,
    "ratings": ratings,
    "thumbs": thumbs,
    "prompts": prompts,
    "trl": trl_pairs,
    "openrlhf": openrlhf_pairs,
    "rows": dump_rows,
}
