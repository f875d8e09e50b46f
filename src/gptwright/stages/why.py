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
    prompt = config.prompt
    if prompt is not None and _is_base(model, ancestors):
        say(f"why: {model.name} continues texts and was not taught to answer, so no demonstrations are weighed")
    answer = config.answer if config.answer.strip() else _answered(model, prompt or "", ancestors)
    if not answer.strip():
        raise InputError(f"an answer of {model.name} to the prompt", "an empty one", "Give the text of an answer.")
    found = why(model, answer, ancestors, prompt=None if _is_base(model, ancestors) else prompt, most=config.most)
    if config.out:  # first: a reader of what is printed may leave early
        write_text(config.out, why_page(found))
        say(f"why: open {config.out} in a browser")
    print(json.dumps(as_json(found), ensure_ascii=False) if config.json else printed(found), flush=True)
    return config.out


def _is_base(model: "Model", ancestors: "list[Ancestor]") -> bool:
    """Whether it was made to continue texts, or cannot be asked at all."""
    return ancestors[0].verb in BASES or model.tokenizer.special_tokens.chat_template is None


def _answered(model: "Model", prompt: str, ancestors: "list[Ancestor]") -> str:
    """What the model says by itself."""
    from gptwright.tokenizers.chat_templates.chat import Message

    if _is_base(model, ancestors):
        return model.generate(prompt, max_tokens=64, temperature=0.0)
    return model.chat([Message(role="user", content=prompt)], temperature=0.0)
