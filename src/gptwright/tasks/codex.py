"""Code: running text with holes to fill in, functions written from their description (Codex §4), and edits."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from gptwright.alignment.demonstrations import Demonstration, Demonstrations
from gptwright.evaluation.perplexity import answer_loss, text_loss
from gptwright.foundations.errors import InputError
from gptwright.foundations.intake import Intake
from gptwright.models.decoder import Decoder
from gptwright.objectives.language import IGNORED
from gptwright.tasks.fill_in_the_middle import FillInTheMiddle
from gptwright.text.jsonl import Line, read_objects
from gptwright.text.pack import TokenFile
from gptwright.text.split import Split
from gptwright.tokenizers.edits import EditMarks
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.evaluation import Evaluation
from gptwright.training.next_token import TextMixture

HOLES = 16  # windows of held-out text with holes that are read together


def read_solutions(
    path: Path, tokenizer: Tokenizer, context: int, intake: Intake
) -> Iterator[tuple[Split | None, str, Demonstration]]:
    """Every line's side, prompt and {"prompt", "completion"} as ids, of which the completion and its end are learned.
    A conversation of one question, as rejection leaves it, is the same in two turns.

    `intake` is told of those that do not fit. Raises `InputError` naming the line that lacks a text.
    """
    begin = [] if tokenizer.bos_id is None else [tokenizer.bos_id]
    for line in map(_unfolded, read_objects(path)):
        prompt, completion = _texts(line, {"prompt": "def …", "completion": "    return …"}, never_blank="completion")
        before, after = tokenizer.encode_many([prompt, completion])
        if shown := _fitting([*begin, *before], [*after, tokenizer.eos_id], context):
            yield line.split, prompt, shown
        else:
            intake.drop(f"of more than {context:,} tokens", line.where)


def read_edits(
    path: Path, tokenizer: Tokenizer, context: int, intake: Intake
) -> Iterator[tuple[Split | None, str, Demonstration]]:
    """Every line's side, input and {"instruction", "input", "output"} as ids, of which the output and its end are
    learned. The tokenizer has marks for edits.

    `intake` is told of those that do not fit. Raises `InputError` naming the line that lacks a text.
    """
    marks, asked = EditMarks.of(tokenizer), {"instruction": "Rename …", "input": "def …", "output": "def …"}
    for line in read_objects(path):
        instruction, text, edited = _texts(line, asked, never_blank="instruction")
        wish, before, after = tokenizer.encode_many([instruction, text, edited])
        if shown := _fitting(marks.prompt(before, wish), [*after, marks.end], context):
            yield line.split, text, shown
        else:
            intake.drop(f"of more than {context:,} tokens", line.where)


def _unfolded(line: Line) -> Line:
    """A line whose question and answer are the turns of a conversation, with both as fields."""
    match line.get("messages"):
        case [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]:
            return Line({**line, "prompt": prompt, "completion": completion}, line.where)
        case _:
            return line


def _texts(line: Line, examples: Mapping[str, str], never_blank: str) -> list[str]:
    texts: list[Any] = [line.get(name) for name in examples]
    if not all(isinstance(text, str) for text in texts) or not line[never_blank].strip():
        names = " and ".join(f"'{name}'" for name in examples)
        raise InputError(f"texts as {names} of {line.where}", repr(texts)[:80],
                         f"Add {json.dumps(dict(examples), ensure_ascii=False)[1:-1]}.")  # fmt: skip
    return texts


def _fitting(prompt: list[int], answer: list[int], context: int) -> Demonstration | None:
    """The answer learned after the prompt, if the context holds both."""
    if len(prompt) + len(answer) - 1 > context:
        return None
    return Demonstration([*prompt, *answer[:-1]], [IGNORED] * (len(prompt) - 1) + answer)


class CodexTask(TextMixture):
    """Every step learns from windows of text, and from what is shown: solutions and edits, by their names."""

    def __init__(
        self, network: Decoder, text: FillInTheMiddle, shown: Mapping[str, Demonstrations], heldout: "HeldoutCode"
    ) -> None:
        super().__init__(network, [text, *shown.values()])
        self.names, self.heldout = ("text", *shown), heldout

    def named(self, parts: Float[Tensor, "sources"]) -> dict[str, float]:
        """The losses of a step's parts by what they are of."""
        return {f"{name}_nats": loss for name, loss in zip(self.names, parts.tolist(), strict=True)}

    def evaluate(self, step: int) -> Evaluation:
        """Losses on what is held out."""
        return self.heldout.evaluate(self.network)


class HeldoutCode:
    """Text in so many windows of `length` tokens, about as many with holes, and what else is shown."""

    def __init__(
        self, text: TokenFile, length: int, windows: int, holes: FillInTheMiddle, shown: Mapping[str, Demonstrations]
    ) -> None:
        self.text, self.length, self.windows, self.holes, self.shown = text, length, windows, holes, shown

    def evaluate(self, network: Decoder) -> Evaluation:
        """Nats a token: of the text from left to right, of middles after prefix and suffix, of what is shown."""
        loss = text_loss(network, self.text, length=self.length, windows=self.windows)
        middles = answer_loss(network, (self.holes.middles(step) for step in range(max(1, self.windows // HOLES))))
        metrics = {"heldout_nats": loss.nats, "heldout_bits_per_byte": loss.bits_per_byte,
                   "heldout_middle_nats": middles}  # fmt: skip
        of_shown = {f"heldout_{name}_nats": answer_loss(network, some.in_order()) for name, some in self.shown.items()}
        return Evaluation(metrics=metrics | of_shown)
