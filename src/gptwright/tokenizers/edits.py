"""Edits: a text and what is to be done to it, and then the text as it should be (OpenAI's edits of 2022).

    <|edit_input|> text <|edit_instruction|> instruction <|edit_output|> the text, edited <end>

The instruction stands next to what is written, and a text that is edited twice is read once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gptwright.foundations.errors import ConfigError
from gptwright.tokenizers.tokenizer import Tokenizer

EDIT_MARKS = ("<|edit_input|>", "<|edit_instruction|>", "<|edit_output|>")


@dataclass(frozen=True)
class EditMarks:
    """The ids that stand before the text, the instruction and the edited text, and the one that ends it."""

    input: int
    instruction: int
    output: int
    end: int

    @classmethod
    def known(cls, tokenizer: Tokenizer) -> "EditMarks | None":
        """Those of a tokenizer, if it has them."""
        if not set(EDIT_MARKS) <= set(tokenizer.all_special_tokens):
            return None
        text, instruction, output = map(tokenizer.special_id, EDIT_MARKS)
        return cls(text, instruction, output, tokenizer.eos_id)

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "EditMarks":
        """The same. Raises `ConfigError` when there are none: the model cannot edit."""
        found = cls.known(tokenizer)
        if found is None:
            raise ConfigError("a model that was taught to edit", "a vocabulary without the special tokens for it",
                              "Train it with gptwright codex --edits, or ask it in a conversation.")  # fmt: skip
        return found

    def prompt(self, text: Sequence[int], instruction: Sequence[int]) -> list[int]:
        """What is read before the edited text is written."""
        return [self.input, *text, self.instruction, *instruction, self.output]
