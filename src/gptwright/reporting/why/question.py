"""What an answer answers: turns of a conversation, or a text that it goes on with."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gptwright.alignment.demonstrations import Demonstration
from gptwright.alignment.solutions import continued
from gptwright.foundations.errors import InputError
from gptwright.objectives.language import IGNORED
from gptwright.pipelines.model import Model
from gptwright.text.jsonl import read_objects
from gptwright.tokenizers.chat_templates.chat import Message, read_messages


@dataclass(frozen=True)
class Question:
    """`messages` that wait for the assistant, or a `text` that waits to go on."""

    messages: Sequence[Message] = ()
    text: str | None = None

    @classmethod
    def of(cls, text: str) -> "Question":
        """What a person asks first."""
        return cls([Message(role="user", content=text)])

    @property
    def turns(self) -> list[tuple[str, str]]:
        """(role, what was said); of a text its role is "prompt"."""
        if self.text is not None:
            return [("prompt", self.text)]
        return [(message["role"], message["content"]) for message in self.messages]

    def answered(self, answer: str, model: Model) -> Demonstration | None:
        """The answer's tokens as if they were learned, and none of earlier answers; None where the context does not
        hold them with all that was asked. Raises as `render` does."""
        if self.text is not None:
            return continued(self.text, answer, model.tokenizer, model.context)
        answered = [*self.messages, Message(role="assistant", content=answer)]
        own = Demonstration.of(answered, model.tokenizer, model.context)
        if not own.ids or own.cut:
            return None
        begin = max((at for at, target in enumerate(own.targets, 1) if target == IGNORED), default=0)
        return Demonstration(own.ids, [*[IGNORED] * begin, *own.targets[begin:]])


def read_conversation(path: Path) -> tuple[Question, str]:
    """The last conversation of a file, and the answer with which it ends, if it does.

    Raises `InputError` naming a line that holds no messages, or where nothing was asked.
    """
    line = read_objects(path)[-1]
    messages = read_messages(line.get("messages"), line.where)
    answer = messages.pop()["content"] if messages[-1]["role"] == "assistant" else ""
    if not messages or messages[-1]["role"] == "assistant":
        raise InputError(f"a question before the answer in {line.where}", "none",
                         'Write {"messages": [{"role": "user", "content": "…"}]}.')  # fmt: skip
    return Question(messages), answer
