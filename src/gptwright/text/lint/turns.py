"""What can be wrong with the turns of a conversation, by the names of any convention."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

EMPTY_ANSWER, ROLES, REPEATED, ECHO, FOR_USER = (
    "empty answer", "turns out of order", "repeated turn", "answer that is the question",
    "answer that speaks for the user",
)  # fmt: skip
NO_TEXT = {"role", "from", "type", "split", "source", "labeller", "url", "id", "image", "file"}
"""fields that nobody reads as text"""
USER, ASSISTANT = {"user", "human", "prompter"}, {"assistant", "gpt", "bot", "model", "chatgpt", "ai"}
SYSTEM = {"system", "developer"}
LEAST_REPEATED = 20
"""letters, those of Chinese and the like for two: "Go on." may be said twice, and "Hello." answered with it"""
_NOTHING = re.compile("[\\s\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2800\u3164\ufe0f\ufeff]+")
_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_STAND_INS = re.compile(
    r"\[(?:deleted|removed|empty|no(?:answer|response))\]|#?n/a|\.{2,}|…+|todo:?|<br/?>|<p></p>|&nbsp;|<empty>",
    re.IGNORECASE,
)
_FENCE = re.compile(r"```\w*\s*```")
_LONGEST_STAND_IN = 100
_FOR_USER = re.compile(r"\n\s*\**(?:Human|User|HUMAN|USER|用户|人类)\**[:：]")


@dataclass(frozen=True)
class Turn:
    """Who says what; `acts` where it calls a tool or shows a picture, so that there may be nothing to read."""

    role: str
    text: str
    acts: bool = False

    @property
    def speaker(self) -> str:
        """One name for whoever speaks, whatever it is called; none for tools, which may say things twice."""
        return "user" if self.is_user else "assistant" if self.is_assistant else "system" * (self.role in SYSTEM)

    @property
    def is_user(self) -> bool:
        """Whether a person says it."""
        return self.role in USER

    @property
    def is_assistant(self) -> bool:
        """Whether the model says it."""
        return self.role in ASSISTANT


def texts_of(value: object) -> Iterator[str]:
    """Every text in a line, in order, wherever it stands."""
    if isinstance(value, str):
        if not value.startswith("data:"):
            yield value
    elif isinstance(value, Mapping):
        for key, inner in cast("Mapping[str, object]", value).items():
            if key not in NO_TEXT:
                yield from texts_of(inner)
    elif isinstance(value, Sequence):
        for inner in cast("Sequence[object]", value):
            yield from texts_of(inner)


def turns_of(value: object) -> list[Turn]:
    """Every message by the names of either convention; nothing when it is no conversation."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in cast("list[object]", value)):
        return []
    return [_turn(message) for message in cast("list[dict[str, object]]", value) if _role(message) is not None]


def _role(message: Mapping[str, object]) -> object:
    return message.get("role", message.get("from"))


def _turn(message: Mapping[str, object]) -> Turn:
    content = message.get("content", message.get("value"))
    parts = cast("list[object]", content) if isinstance(content, list) else []
    shows = any(isinstance(part, dict) and cast("dict[str, object]", part).get("type") != "text" for part in parts)
    acts = shows or any(message.get(name) for name in ("tool_calls", "function_call", "audio"))
    return Turn(str(_role(message)).casefold(), "\n".join(texts_of(content)), acts)


def is_blank(text: str) -> bool:
    """Whether a text is nothing but blanks and signs that nobody sees."""
    return not text or _NOTHING.fullmatch(text) is not None


def says_nothing(text: str) -> bool:
    """Whether nothing is left of an answer without signs that nobody sees, thoughts, and what stands for nothing."""
    said = _THOUGHT.sub("", text).strip()
    if len(said) > _LONGEST_STAND_IN:
        return is_blank(said)
    bare = _NOTHING.sub("", said)
    if _FENCE.fullmatch(said):
        return True
    return not bare or _STAND_INS.fullmatch(bare) is not None or bare == "nan"


def bare(text: str) -> str:
    """A text without its layout, letter case and signs."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


def is_long_enough(text: str) -> bool:
    """Whether it is more than people say twice."""
    return len(text) + sum(sign >= "\u2e80" for sign in text) >= LEAST_REPEATED


def faults_of_turns(turns: Sequence[Turn]) -> Iterator[tuple[str, str]]:
    """Kinds of faults of a conversation and what shows them."""
    if not turns:
        return
    seen = set[tuple[str, str]]()
    for number, turn in enumerate(turns, 1):
        said = (turn.speaker, bare(turn.text))
        if turn.is_assistant and not turn.acts and says_nothing(turn.text):
            yield EMPTY_ANSWER, f"message {number}"
        elif turn.speaker and not turn.acts and is_long_enough(turn.text.strip()) and said[1] and said in seen:
            yield REPEATED, f"message {number}: {turn.text[:60]}"
        seen.add(said)
        if turn.is_assistant and speaks_for_user(turn.text):
            yield FOR_USER, f"message {number}"
    for asked, answer in pairwise(turns):
        if asked.is_user and answer.is_assistant and is_echo(asked.text, answer.text):
            yield ECHO, answer.text[:60]
    yield from ((ROLES, shown) for shown in _out_of_order(turns))


def is_echo(asked: str, answer: str) -> bool:
    """Whether an answer is what was asked."""
    return is_long_enough(answer.strip()) and bool(bare(asked)) and bare(asked) == bare(answer)


def speaks_for_user(answer: str) -> bool:
    """Whether an answer goes on with what the user says next."""
    return _FOR_USER.search(answer) is not None


def _out_of_order(turns: Sequence[Turn]) -> Iterator[str]:
    if turns[0].is_assistant:
        yield "the assistant first"
    for number, (before, turn) in enumerate(pairwise(turns), 2):
        if (turn.is_user and before.is_user) or (turn.is_assistant and before.is_assistant):
            yield f"{turn.role} twice, messages {number - 1} and {number}"
        if turn.role in SYSTEM:
            yield f"{turn.role} as message {number}"
