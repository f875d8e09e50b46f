"""Prompts of files: conversations that wait for the assistant's answer."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from gptwright.foundations.intake import Intake
from gptwright.text.jsonl import Line, read_objects
from gptwright.tokenizers.chat_templates.chat import Message, prompt_ids, read_prompt
from gptwright.tokenizers.tokenizer import Tokenizer

# What a line says of other answers than the ones that are given to its prompt now.
OF_OTHER_ANSWERS = {"prompt", "messages", "answers", "ranks", "scores", "labeller", "models", "chosen", "rejected"}


class Prompt(list[int]):
    """The ids of what is asked; also its messages, and the line it stands on with all its fields."""

    def __init__(self, line: Line, messages: list[Message], ids: Sequence[int]) -> None:
        super().__init__(ids)
        self.line, self.messages = line, messages

    @property
    def fields(self) -> Line:
        """Its messages, and what its line says beside them, such as its split and its id, but not of other answers."""
        others = {name: value for name, value in self.line.items() if name not in OF_OTHER_ANSWERS}
        return Line({"messages": self.messages} | others, self.line.where)


def read_prompts(path: Path, tokenizer: Tokenizer, longest: int, intake: Intake) -> list[Prompt]:
    """The prompts of at most `longest` tokens, in the order of the file; `intake` is told of the others.

    Raises `InputError` naming a line that holds no prompt, `ArtifactError` when the tokenizer has no chat template.
    """
    asked = [(line, read_prompt(line, line.where)) for line in read_objects(path)]
    return prompts_within(asked, lambda messages: prompt_ids(messages, tokenizer), longest, intake)


def prompts_within(
    asked: Iterable[tuple[Line, list[Message]]],
    ids_of: Callable[[list[Message]], list[int]],
    longest: int,
    intake: Intake,
) -> list[Prompt]:
    """The same of lines and messages that are at hand; `ids_of` says what a model reads of messages."""
    found: list[Prompt] = []
    for line, messages in asked:
        with intake.dropping(line.where):
            ids = ids_of(messages)
            if len(ids) > longest:
                intake.drop(f"of more than {longest:,} tokens", line.where)
            else:
                found.append(Prompt(line, messages, ids))
    return found


def text_of(messages: Sequence[Message]) -> str:
    """A conversation as one text, by which a prompt is known in every file and stage."""
    return "\n".join(f"{message['role']}: {message['content']}" for message in messages)
