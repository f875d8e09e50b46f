"""Prompts of files: conversations that wait for the assistant's answer."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from gptwright.foundations.intake import Intake
from gptwright.images.named import as_data_uri, named_image
from gptwright.inference.content import Content
from gptwright.text.jsonl import Line, read_objects
from gptwright.tokenizers.chat_templates.chat import Message, read_prompt
from gptwright.tokenizers.chat_templates.parts import as_parts, images_of

# What a line says of other answers than the ones that are given to its prompt now.
OF_OTHER_ANSWERS = {"prompt", "messages", "answers", "ranks", "scores", "labeller", "models", "chosen", "rejected"}


class Prompt(list[int]):
    """The ids of what is asked; also its messages, the line it stands on with all its fields, and what a model that
    sees reads in the places of its images."""

    def __init__(
        self, line: Line, messages: list[Message], ids: Sequence[int], content: Mapping[int, Content] | None = None
    ) -> None:
        super().__init__(ids)
        self.line, self.messages, self.content = line, messages, content or {}

    @property
    def fields(self) -> Line:
        """Its messages, and what its line says beside them, such as its split and its id, but not of other answers."""
        others = {name: value for name, value in self.line.items() if name not in OF_OTHER_ANSWERS}
        return Line({"messages": [as_parts(each, as_data_uri) for each in self.messages]} | others, self.line.where)


def read_asked(path: Path) -> list[tuple[Line, list[Message]]]:
    """The prompts of a file, with their lines and their images, whose names are relative to its folder.

    Raises `InputError` naming a line that holds no prompt, and as `named_image` does.
    """
    load = partial(named_image, folder=path.parent)
    return [(line, read_prompt(line, line.where, load)) for line in read_objects(path)]


def prompts_within(
    asked: Iterable[tuple[Line, list[Message]]],
    ids_of: Callable[[list[Message]], list[int]],
    longest: int,
    intake: Intake,
    content_of: Callable[[list[Message]], Mapping[int, Content]] | None = None,
) -> list[Prompt]:
    """The prompts of at most `longest` tokens, in their order; `intake` is told of the others. `ids_of` says what a
    model reads of messages, `content_of` what it reads of their images. Raises as these do."""
    found: list[Prompt] = []
    for line, messages in asked:
        with intake.dropping(line.where):
            ids = ids_of(messages)
            if len(ids) > longest:
                intake.drop(f"of more than {longest:,} tokens", line.where)
            else:
                found.append(Prompt(line, messages, ids, content_of(messages) if content_of else None))
    return found


def text_of(messages: Sequence[Message]) -> str:
    """A conversation as one text, by which a prompt is known in every file and stage; of images there are hashes."""
    turns = (f"{message['role']}: {message['content']}" for message in messages)
    return "\n".join([*turns, *(hashlib.sha256(image).hexdigest() for image in images_of(messages))])


def contents_of(prompts: Sequence[Sequence[int]]) -> list[Mapping[int, Content]]:
    """What stands in the places of each one's images."""
    return [prompt.content if isinstance(prompt, Prompt) else {} for prompt in prompts]
