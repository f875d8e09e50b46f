"""What can be wrong with the turns of a conversation, by the names of any convention."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, cast

from gptwright.text.lint.code_spans import CodeSpans

EMPTY_ANSWER, EMPTY_QUESTION, ROLES, REPEATED, ECHO, FOR_USER = (
    "empty answer", "empty question", "turns out of order", "repeated turn", "answer that is the question",
    "answer that speaks for the user",
)  # fmt: skip
NO_TEXT = {"role", "from", "type", "split", "source", "labeller", "url", "id", "image", "file"}
"""fields that nobody reads as text"""
USER, ASSISTANT = {"user", "human", "prompter"}, {"assistant", "gpt", "bot", "model", "chatgpt", "ai"}
SYSTEM = {"system", "developer"}
_TOOLS = {"tool", "function", "ipython", "environment", "observation", "tool_call", "tool_response", "function_call",
          "function_response"}  # fmt: skip
LEAST_REPEATED = 20
"""letters, those of Chinese and the like for two: "Go on." may be said twice, and "Hello." answered with it"""
LEAST_ANSWERED = 200
"""the same of an answer to another question: "I am sorry, I do not know that." may be said as often as it is true"""
_NOTHING = re.compile("[\\s\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2800\u3164\ufe0f\ufeff]+")
_ACTS = ("tool_calls", "function_call", "audio")
_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_STAND_INS = re.compile(
    r"\[(?:deleted|removed|empty|no(?:answer|response))\]|#?n/a|\.{2,}|…+|todo:?|<br/?>|<p></p>|&nbsp;|<empty>",
    re.IGNORECASE,
)
_FENCE = re.compile(r"```\w*\s*```")
_LONGEST_STAND_IN = 100
_WORD = re.compile(r"\w+")
_IS_WIDE = re.compile("[\u2e80-\U0010ffff]")
_DIALOGUE = re.compile("dialog|conversation|transcript|chat|script|interview|对话|聊天|会话|剧本|访谈", re.IGNORECASE)
_FOR_USER = re.compile(r"\n\s*\**(?:Human|User|HUMAN|USER|用户|人类)\**[:：]")


class Turn(NamedTuple):
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
    elif isinstance(value, dict):
        for key, inner in cast("dict[str, object]", value).items():
            if key not in NO_TEXT:
                yield from texts_of(inner)
    elif isinstance(value, list | tuple):
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
    role = str(_role(message)).casefold()
    parts = cast("list[object]", content) if isinstance(content, list) else []
    shows = any(isinstance(part, dict) and cast("dict[str, object]", part).get("type") != "text" for part in parts)
    acts = shows or (len(message) > 2 and any(message.get(name) for name in _ACTS))
    return Turn(role, content if isinstance(content, str) else "\n".join(texts_of(content)), acts)


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
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return " ".join(_WORD.findall(plain.casefold()))


def is_long_enough(text: str, least: int = LEAST_REPEATED) -> bool:
    """Whether it is more than people say twice."""
    wide = 0 if text.isascii() or len(text) >= least else len(_IS_WIDE.findall(text))
    return len(text) + wide >= least


def faults_of_turns(turns: Sequence[Turn]) -> Iterator[tuple[str, str]]:
    """Kinds of faults of a conversation and what shows them."""
    if not turns:
        return
    if len({turn.speaker for turn in turns}) < len(turns):
        yield from _repeated(turns)
    yield from _of_each(turns)
    for asked, answer in pairwise(turns):
        if asked.is_user and answer.is_assistant and is_echo(asked.text, answer.text):
            yield ECHO, answer.text[:60]
    yield from ((ROLES, shown) for shown in _out_of_order(turns))


def _of_each(turns: Sequence[Turn]) -> Iterator[tuple[str, str]]:
    for number, turn in enumerate(turns, 1):
        if turn.is_assistant and not turn.acts and says_nothing(turn.text):
            yield EMPTY_ANSWER, f"message {number}"
        if turn.is_user and not turn.acts and is_blank(turn.text):
            yield EMPTY_QUESTION, f"message {number}"
        if turn.is_assistant and speaks_for_user(turn.text, turns[number - 2].text if number > 1 else ""):
            yield FOR_USER, f"message {number}"


def _repeated(turns: Sequence[Turn]) -> Iterator[tuple[str, str]]:
    """What somebody has said before. An answer that is the same belongs to the question that is, and a short one, such
    as that nothing is known, to many."""
    seen = set[tuple[str, str]]()
    again = False
    for number, turn in enumerate(turns, 1):
        before, again = again, False
        if turn.acts or not turn.speaker or not is_long_enough(turn.text.strip()) or not (words := bare(turn.text)):
            continue
        least = LEAST_ANSWERED if turn.is_assistant else LEAST_REPEATED
        again = (turn.speaker, words) in seen
        if again and not (turn.is_assistant and before) and is_long_enough(turn.text, least):
            yield REPEATED, f"message {number}: {turn.text[:60]}"
        seen.add((turn.speaker, words))


def is_echo(asked: str, answer: str) -> bool:
    """Whether an answer is what was asked."""
    shorter, longer = sorted((len(asked), len(answer)))
    if longer > 2 * shorter + LEAST_REPEATED or not is_long_enough(answer.strip()):
        return False
    words = bare(asked)
    return bool(words) and words == bare(answer)


def speaks_for_user(answer: str, asked: str = "") -> bool:
    """Whether an answer goes on with what the user says next, and was not asked for a conversation."""
    found = _FOR_USER.search(answer) if "\n" in answer else None
    return found is not None and not _DIALOGUE.search(asked) and not CodeSpans(answer).shows(*found.span())


def _out_of_order(turns: Sequence[Turn]) -> Iterator[str]:
    if turns[0].is_assistant:
        yield "the assistant first"
    unknown = {turn.role: None for turn in turns if not turn.speaker and turn.role not in _TOOLS}
    yield from (f'nobody is called "{role}"' for role in unknown)
    for number, (before, turn) in enumerate(pairwise(turns), 2):
        if (turn.is_user and before.is_user) or (turn.is_assistant and before.is_assistant):
            yield f"{turn.role} twice, messages {number - 1} and {number}"
        if turn.role in SYSTEM:
            yield f"{turn.role} as message {number}"
