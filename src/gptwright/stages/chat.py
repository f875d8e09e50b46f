"""chat: a conversation in the terminal."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from gptwright.engine.sampling import Sampling
from gptwright.foundations.errors import GptwrightError, nearest
from gptwright.foundations.progress import say
from gptwright.foundations.settings import settings
from gptwright.stages.limits import Dtype

if TYPE_CHECKING:
    from gptwright.generation.model import Model
    from gptwright.tokenizers.chat import Message

COMMANDS = {
    "/reset": "begin a new conversation",
    "/system TEXT": "tell the model how to behave; nothing takes it back",
    "/save FILE": "write the conversation as a line of JSON, as sft reads it",
    "/help": "show this",
    "/quit": "leave (or Ctrl-D)",
}


@settings
class Chat:
    """Talk with a model in the terminal."""

    model: tyro.conf.Positional[Path]
    """folder of a stage that leaves a chat model, or a Hugging Face folder"""
    temperature: float | None = None
    """0 always says the likeliest; the model's folder has a default"""
    max_tokens: int | None = None
    """a reply's length at most"""
    seed: int | None = None
    """the same seed and the same words give the same replies"""
    dtype: Dtype = "auto"
    """number format in which the model writes"""

    def __post_init__(self) -> None:
        asked_of(self, Sampling())


def run(config: Chat) -> None:
    """Talks until /quit, Ctrl-D or Ctrl-C. Replies go to stdout."""
    from gptwright.generation.load import load_decoder

    model = load_decoder(config.model, dtype=config.dtype)
    model.sampling = asked_of(config, model.sampling)
    converse(model)


def asked_of(config: Chat, sampling: Sampling) -> Sampling:
    """The settings of the model's folder, and what is asked for in their place. Raises `InputError` for nonsense."""
    asked = {"temperature": config.temperature, "max_tokens": config.max_tokens, "seed": config.seed}
    return replace(sampling, **{name: value for name, value in asked.items() if value is not None})


@dataclass
class Talk:
    """A conversation in the terminal; `answer` and `command` change it."""

    model: "Model"
    system: str = ""
    turns: "list[Message]" = field(default_factory=list)

    @property
    def messages(self) -> "list[Message]":
        return [*([{"role": "system", "content": self.system}] if self.system else []), *self.turns]  # pyright: ignore

    def answer(self, text: str, write: Callable[[str], object]) -> None:
        """Adds the user's turn and writes the reply as it comes; one that fails leaves the conversation as it was."""
        question: Message = {"role": "user", "content": text}
        pieces: list[str] = []
        for piece in self.model.stream_chat([*self.messages, question], self.model.sampling):
            pieces.append(piece.text)
            write(piece.text)
        write("\n")
        reply: Message = {"role": "assistant", "content": "".join(pieces)}
        self.turns += [question, reply]

    def command(self, line: str) -> None:
        """Does what a line beginning with / asks for."""
        name, _, rest = line.partition(" ")
        match name:
            case "/reset":
                self.turns.clear()
                say("a new conversation")
            case "/system":
                self.system = rest.strip()
                say(f"system: {self.system}" if self.system else "no system text")
            case "/save":
                self._save(rest.strip())
            case "/help":
                say("\n".join(f"{name:14} {what}" for name, what in COMMANDS.items()))
            case _:
                say(f"no such command: {name}. {nearest(name, [c.split()[0] for c in COMMANDS])}")

    def _save(self, name: str) -> None:
        from gptwright.text.jsonl import write_objects

        path = Path(name or "conversation.jsonl")
        write_objects(path, [{"messages": self.messages}])
        say(f"saved to {path}")


def converse(model: "Model") -> None:
    """Reads lines and answers them until the end of the input, /quit or Ctrl-C; a broken reply does not end it."""
    say(f"chatting with {model.name}: /help lists commands, Ctrl-D leaves")
    talk = Talk(model)
    while True:
        try:
            line = input("\nyou> " if sys.stdin.isatty() else "").strip()
            if line == "/quit":
                return
            if line.startswith("/"):
                talk.command(line)
            elif line:
                talk.answer(line, _write)
        except (EOFError, KeyboardInterrupt):
            print()
            return
        except GptwrightError as error:
            say(str(error))


def _write(text: str) -> None:
    print(text, end="", flush=True)
