"""why: where an answer comes from, among all that the model learned."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from gptwright.configs.why import Why
from gptwright.foundations.atomic_io import require_room, write_text
from gptwright.foundations.errors import InputError
from gptwright.foundations.progress import say
from gptwright.pipelines.resolve import BASES

if TYPE_CHECKING:
    from gptwright.pipelines.ancestry import Ancestor
    from gptwright.pipelines.model import Model
    from gptwright.reporting.why.question import Question


def run(config: Why) -> Path | None:
    """Prints what was found, as text or as JSON, and writes the page where one is asked for."""
    from gptwright.foundations.device import use_threads
    from gptwright.pipelines.ancestry import ancestry, stage_of
    from gptwright.pipelines.load import find, load_decoder
    from gptwright.reporting.why.evidence import as_json
    from gptwright.reporting.why.page import why_page
    from gptwright.reporting.why.printed import printed
    from gptwright.reporting.why.why import why

    use_threads(config.threads)
    if config.out:
        require_room(config.out)
    folder = find(config.model)
    stage = stage_of(folder)
    model = load_decoder(folder)
    ancestors = ancestry(stage)
    question, answer = _asked(config, model, ancestors)
    if not answer.strip():
        raise InputError(f"an answer of {model.name} to the prompt", "an empty one", "Give the text of an answer.")
    found = why(model, answer, ancestors, question=question, most=config.most)
    if config.out:  # first: a reader of what is printed may leave early
        write_text(config.out, why_page(found))
        say(f"why: open {config.out} in a browser")
    print(json.dumps(as_json(found), ensure_ascii=False) if config.json else printed(found), flush=True)
    return config.out


def _asked(config: Why, model: "Model", ancestors: "list[Ancestor]") -> "tuple[Question | None, str]":
    """What was asked, and the answer, which the model gives where nobody does."""
    from gptwright.reporting.why.question import Question

    answer, continues = config.answer, _continues(model, ancestors)
    if config.conversation:
        question, answer = _conversation(config, continues)
    elif config.prompt is None:
        return None, answer
    else:
        question = Question(text=config.prompt) if continues else Question.of(config.prompt)
    if answer.strip():
        return question, answer
    if question.text is not None:
        return question, model.generate(question.text, max_tokens=64, temperature=0.0)
    return question, model.chat(question.messages, temperature=0.0)


def _continues(model: "Model", ancestors: "list[Ancestor]") -> bool:
    """Whether it was made to continue texts, or cannot be asked at all."""
    return ancestors[0].verb in BASES or model.tokenizer.special_tokens.chat_template is None


def _conversation(config: Why, continues: bool) -> "tuple[Question, str]":
    """What was asked in several turns, and the answer if one is given, there or in the command."""
    from gptwright.reporting.why.question import read_conversation

    assert config.conversation is not None
    if continues:
        raise InputError("a model that was taught to answer, for --conversation",
                         f"{config.model}, which continues texts", "Give a text as --prompt.")  # fmt: skip
    question, said = read_conversation(config.conversation)
    if said and config.answer.strip():
        raise InputError("one answer", f"that of the command and that of {config.conversation}",
                         "Leave one of them out.")  # fmt: skip
    return question, said or config.answer
