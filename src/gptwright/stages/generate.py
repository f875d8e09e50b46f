"""generate: continue, insert or edit one text, or answer many prompts from a file."""

import json
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from gptwright.configs.generate import Generate
from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.progress import say
from gptwright.foundations.terminal_text import for_terminal
from gptwright.inference.sampling import Sampling
from gptwright.pipelines.resolve import resolve_model
from gptwright.tokenizers.chat_templates.parts import PlacedImage

if TYPE_CHECKING:
    from gptwright.inference.stream import Chunk
    from gptwright.pipelines.model import Model


def run(config: Generate) -> None:
    """Text goes to stdout as it comes; answers of a file as JSON Lines with "messages" and "answers".

    A translator searches with beams: nothing is drawn, and the settings of drawing do not matter to it.
    """
    from gptwright.pipelines.load import load, load_writer
    from gptwright.pipelines.model import Model
    from gptwright.pipelines.translator import Translator
    from gptwright.pipelines.vision_model import VisionModel

    sampling = config.sampling()
    opened = partial(load_writer, draft=config.draft) if config.prompts or config.draft else load
    model = opened(resolve_model(config.model), dtype=config.dtype)
    model = model.writer if isinstance(model, VisionModel) else model
    if isinstance(model, Translator):
        print(for_terminal(model.generate(config.prompt)))
        return
    if not isinstance(model, Model):
        raise ArtifactError(f"a model that writes in {config.model}", model.kind, "Give a decoder, or a translator.")
    if config.prompts:
        _answer_file(config, model, sampling)
        return
    for chunk in _chunks(config, model, sampling):
        _show(chunk, model, sampling)
    if sampling.logprobs is None:
        print()


def _chunks(config: Generate, model: "Model", sampling: Sampling) -> Iterator["Chunk"]:
    """The answer about images, the text before a suffix, the edited text, or what follows the text."""
    if config.image:
        from gptwright.images.named import read_images

        images = [PlacedImage(0, image) for image in read_images(config.image)]
        return model.stream_chat([{"role": "user", "content": config.prompt, "images": images}], sampling)
    if config.suffix:
        return model.insert(config.prompt, config.suffix, sampling)
    if config.edit:
        return model.edit(config.prompt, config.edit, sampling)
    return model.stream(config.prompt, sampling)


def _show(chunk: "Chunk", model: "Model", sampling: Sampling) -> None:
    """The piece's text, or its tokens, one a line."""
    if sampling.logprobs is None:
        print(for_terminal(chunk.text), end="", flush=True)
        return
    from gptwright.serving.logprobs import chat_logprobs, token_speller

    for token in chat_logprobs(chunk.tokens, token_speller(model.tokenizer))["content"]:
        print(json.dumps(token, ensure_ascii=False), flush=True)


def _answer_file(config: Generate, model: "Model", sampling: Sampling) -> None:
    from gptwright.alignment.prompts import contents_of, prompts_within, read_asked
    from gptwright.foundations.atomic_io import require_room
    from gptwright.foundations.intake import Intake
    from gptwright.text.jsonl import write_objects

    assert config.prompts is not None
    if config.out:
        require_room(config.out)
    intake = Intake("generate")
    prompts = prompts_within(read_asked(config.prompts), model.chat_ids, model.context - 1, intake, model.chat_content)
    intake.require(prompts, f"prompts of fewer than {model.context:,} tokens, the model's context", "Shorten them.")
    intake.report(f"{len(prompts):,} prompts to answer")
    asked = [prompt for prompt in prompts for _ in range(config.n)]
    texts = model.answers(asked, sampling, contents=contents_of(asked))
    lines = [prompt.fields | {"answers": texts[i * config.n : (i + 1) * config.n]} for i, prompt in enumerate(prompts)]
    if config.out:
        write_objects(config.out, lines)
        say(f"generate: {len(texts)} answers in {config.out}")
    else:
        print("\n".join(json.dumps(line, ensure_ascii=False) for line in lines))
