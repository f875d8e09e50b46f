"""chat: a conversation in the terminal."""

import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from gptwright.configs.chat import Chat, asked_of
from gptwright.foundations.errors import ArtifactError, GptwrightError, InputError, nearest
from gptwright.foundations.progress import say
from gptwright.foundations.shutdown import stop_request
from gptwright.foundations.terminal_text import for_terminal
from gptwright.pipelines.resolve import resolve_model, warn_of_base
from gptwright.tokenizers.chat_templates.parts import PlacedImage

if TYPE_CHECKING:
    from gptwright.pipelines.model import Model
    from gptwright.tokenizers.chat_templates.parts import Message

COMMANDS = {
    "/reset": "begin a new conversation (or /new)",
    "/system TEXT": "tell the model how to behave; nothing takes it back",
    "/image FILE": "show an image with the next message",
    "/save FILE": "write the conversation as a line of JSON, as sft reads it",
    "/help": "show this",
    "/quit": "leave (or Ctrl-D)",
}
SYNONYMS = {"/new": "/reset", "/clear": "/reset", "/exit": "/quit", "/bye": "/quit", "/q": "/quit", "/?": "/help"}


def run(config: Chat) -> None:
    """Talks until /quit, Ctrl-D or Ctrl-C. Replies go to stdout."""
    from gptwright.images.named import read_images
    from gptwright.pipelines.load import load_writer

    folder = resolve_model(config.model)
    model = load_writer(folder, dtype=config.dtype, draft=config.draft)
    if model.tokenizer.special_tokens.chat_template is None:
        raise ArtifactError("a model with a chat template", f"{folder}, which has none: it was not taught to chat",
                            "Use one that was, or continue texts with gptwright generate.")  # fmt: skip
    warn_of_base(folder)
    model.sampling = asked_of(config, model.sampling)
    converse(model, read_images(config.image))


@dataclass
class ChatSession:
    """A conversation in the terminal; `answer` and `command` change it."""

    model: "Model"
    system: str = ""
    turns: "list[Message]" = field(default_factory=list)
    images: list[bytes] = field(default_factory=list[bytes])
    """shown with the next message"""
    shortened: bool = False
    """whether it was said that the oldest turns are left out"""

    @property
    def messages(self) -> "list[Message]":
        return [*([{"role": "system", "content": self.system}] if self.system else []), *self.turns]  # pyright: ignore

    def answer(self, text: str, write: Callable[[str], object]) -> None:
        """Adds the user's turn and writes the reply as it comes. One that fails leaves the conversation as it was; of
        one that Ctrl-C stops, what was written stays."""
        question: Message = {"role": "user", "content": text}
        if self.images:
            question["images"] = [PlacedImage(0, image) for image in self.images]
        shown = self._fitted([*self.messages, question])
        written, stopped = self._write(shown, write)
        write("\n")
        reply: Message = {"role": "assistant", "content": written}
        if written or not stopped:
            self.turns += [question, reply]
            self.images.clear()
        if stopped:
            say("stopped; Ctrl-C again leaves")

    def show(self, images: Sequence[bytes]) -> None:
        """The next message is about these images. Raises `InputError` for a model that cannot see."""
        if images and not self.model.sees:
            raise InputError("a model that sees, for images", self.model.name, "Teach it with gptwright vision.")
        self.images += images

    def _write(self, shown: "list[Message]", write: Callable[[str], object]) -> tuple[str, bool]:
        """What was written, and whether somebody stopped it. The engine is asked to stop between two steps."""
        written = ""
        try:
            with stop_request() as stop, closing(self.model.stream_chat(shown, self.model.sampling)) as chunks:
                for chunk in chunks:
                    written += chunk.text
                    write(chunk.text)
                    if stop:
                        break
        except KeyboardInterrupt:
            return written, True
        if stop and stop.signal_number != signal.SIGINT:
            raise KeyboardInterrupt
        return written, bool(stop)

    def _fitted(self, messages: "list[Message]") -> "list[Message]":
        """The conversation, or as much of it as the model can read; what is left out is told once."""
        shown = self.model.truncated(messages, self.model.sampling)
        fits = len(self.model.chat_ids(shown)) < self.model.context  # else it is the question that is too long
        if len(shown) < len(messages) and fits and not self.shortened:
            self.shortened = True
            say(f"the conversation has outgrown the {self.model.context:,} tokens that the model can read: "
                "from here on its oldest turns are left out")  # fmt: skip
        return shown

    def command(self, line: str) -> bool:
        """Does what a line beginning with / asks for; false when that is to end."""
        name, _, rest = line.partition(" ")
        match SYNONYMS.get(name.lower(), name.lower()):
            case "/reset":
                self.turns.clear()
                self.shortened = False
                say("a new conversation")
            case "/system":
                self.system = rest.strip()
                say(f"system: {self.system}" if self.system else "no system text")
            case "/image":
                from gptwright.images.named import read_images

                self.show(read_images([Path(rest.strip())]))
                say(f"{len(self.images)} of images go with your next message")
            case "/save":
                self._save(rest.strip())
            case "/help":
                say("\n".join(f"{name:14} {what}" for name, what in COMMANDS.items()))
            case "/quit":
                return False
            case _:
                say(f"no such command: {name}. {nearest(name, [c.split()[0] for c in COMMANDS])}")
        return True

    def _save(self, name: str) -> None:
        from gptwright.images.named import as_data_uri
        from gptwright.text.jsonl import write_objects
        from gptwright.tokenizers.chat_templates.parts import as_parts

        path = Path(name or "conversation.jsonl")
        write_objects(path, [{"messages": [as_parts(message, as_data_uri) for message in self.messages]}])
        say(f"saved to {path}")


def converse(model: "Model", images: Sequence[bytes] = ()) -> None:
    """Reads lines and answers them until the end of the input, /quit or Ctrl-C; a broken reply does not end it, and
    Ctrl-C during a reply ends that alone."""
    talk = ChatSession(model)
    talk.show(images)
    say(f"chatting with {model.name}: /help lists commands, Ctrl-D leaves")
    typing = sys.stdin.isatty()
    if typing:
        with suppress(ImportError):  # there is none on Windows
            import_module("readline")  # from here on arrows move in the line, and through those before it
    goes_on = True
    while goes_on:
        try:
            line = _read(typing).strip()
            if line.startswith("/"):
                goes_on = talk.command(line)
            elif line:
                talk.answer(line, _write)
        except (EOFError, KeyboardInterrupt):
            print()
            return
        except GptwrightError as error:
            say(str(error))


def _read(typing: bool) -> str:
    if typing:
        print()  # not part of the prompt: line editors count its columns
    return input("you> " if typing else "")


def _write(text: str) -> None:
    print(for_terminal(text), end="", flush=True)
