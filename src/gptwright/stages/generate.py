"""generate: continue one text, or answer many prompts from a file."""

import json
import secrets
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from gptwright.configs.validation import Dtype
from gptwright.foundations.errors import ArtifactError, ConfigError
from gptwright.foundations.progress import say
from gptwright.foundations.settings import Count, Range, settings
from gptwright.inference.sampling import Sampling
from gptwright.stages.resolve import resolve_model

if TYPE_CHECKING:
    from gptwright.inference.stream import Chunk
    from gptwright.pipelines.model import Model
    from gptwright.text.jsonl import Line


REPLACED = {"prompt", "messages", "answers", "ranks", "labeller", "chosen", "rejected"}


@settings
class Generate:
    """Continue a text; or, with --prompts, answer every prompt of a JSON Lines file."""

    model: tyro.conf.Positional[Path]
    """folder of a stage that leaves a model, of a run (its last model), or of Hugging Face"""
    prompt: tyro.conf.Positional[str] = ""
    """text to continue, or to translate"""
    prompts: Path | None = None
    """JSON Lines of {"prompt"} or {"messages"}: conversations to answer"""
    n: Annotated[int, Range(1, 10**4)] = 1
    """answers a prompt"""
    out: Path | None = None
    """JSON Lines to write; stdout when not given"""
    max_tokens: Count = 128
    """length at most"""
    temperature: float = 0.7
    """0 always takes the likeliest token"""
    top_k: int = 0
    """draw among the k likeliest only; 0 is off"""
    top_p: float = 1.0
    """draw among the likeliest that together have this probability"""
    min_p: float = 0.0
    """draw among those at least this many times as likely as the likeliest"""
    repetition_penalty: float = 1.0
    """above 1, what was written or given is less likely to come again"""
    stop: tuple[str, ...] = ()
    """texts that end the reply"""
    seed: int | None = None
    """the same seed gives the same text"""
    logprobs: int | None = None
    """of a PROMPT: every token as JSON, with the model's own log-probability and so many of the likeliest"""
    dtype: Dtype = "auto"
    """number format in which the model writes"""
    draft: Path | None = None
    """a smaller model with the same tokenizer: the text is the same, and comes sooner where it is often right"""

    def __post_init__(self) -> None:
        if bool(self.prompt) == bool(self.prompts):
            got = "both" if self.prompt else "none of them"
            raise ConfigError("either a PROMPT or --prompts FILE", got, "Give one.")
        if self.prompts and self.logprobs is not None:
            raise ConfigError("--logprobs with a PROMPT", "with --prompts", "Leave one of them out.")
        sampling_of(self)


def run(config: Generate) -> None:
    """Text goes to stdout as it comes; answers of a file as JSON Lines with "messages" and "answers".

    A translator searches with beams: nothing is drawn, and the settings of drawing do not matter to it.
    """
    from gptwright.pipelines.load import load, load_decoder
    from gptwright.pipelines.model import Model
    from gptwright.pipelines.translator import Translator

    sampling = sampling_of(config)
    opened = partial(load_decoder, draft=config.draft) if config.prompts or config.draft else load
    model = opened(resolve_model(config.model), dtype=config.dtype)
    if isinstance(model, Translator):
        print(model.generate(config.prompt))
        return
    if not isinstance(model, Model):
        raise ArtifactError(f"a model that writes in {config.model}", model.kind, "Give a decoder, or a translator.")
    if config.prompts:
        _answer_file(config, model, sampling)
        return
    for chunk in model.stream(config.prompt, sampling):
        _show(chunk, model, sampling)
    if sampling.logprobs is None:
        print()


def sampling_of(config: Generate) -> Sampling:
    """What a text is asked to be. Raises `InputError` for settings that make no sense."""
    seed = secrets.randbits(62) if config.seed is None else config.seed
    return Sampling(max_tokens=config.max_tokens, temperature=config.temperature, top_k=config.top_k,
                    top_p=config.top_p, min_p=config.min_p, repetition_penalty=config.repetition_penalty,
                    stop=config.stop, seed=seed, logprobs=config.logprobs)  # fmt: skip


def _show(chunk: "Chunk", model: "Model", sampling: Sampling) -> None:
    """The piece's text, or its tokens, one a line."""
    if sampling.logprobs is None:
        print(chunk.text, end="", flush=True)
        return
    from gptwright.serving.logprobs import chat_logprobs, token_speller

    for token in chat_logprobs(chunk.tokens, token_speller(model.tokenizer))["content"]:
        print(json.dumps(token, ensure_ascii=False), flush=True)


def _answer_file(config: Generate, model: "Model", sampling: Sampling) -> None:
    from gptwright.alignment.prompts import read_prompts
    from gptwright.foundations.atomic_io import require_room
    from gptwright.foundations.intake import Intake
    from gptwright.text.jsonl import write_objects

    assert config.prompts is not None
    if config.out:
        require_room(config.out)
    intake = Intake("generate")
    prompts = read_prompts(config.prompts, model.tokenizer, model.context - 1, intake)
    intake.require(prompts, f"prompts of fewer than {model.context:,} tokens, the model's context", "Shorten them.")
    intake.tell(f"{len(prompts):,} prompts to answer")
    texts = model.answers([prompt for prompt in prompts for _ in range(config.n)], sampling)
    lines = [
        {"messages": prompt.messages, "answers": texts[i * config.n : (i + 1) * config.n]} | _kept(prompt.line)
        for i, prompt in enumerate(prompts)
    ]
    if config.out:
        write_objects(config.out, lines)
        say(f"generate: {len(texts)} answers in {config.out}")
    else:
        print("\n".join(json.dumps(line, ensure_ascii=False) for line in lines))


def _kept(line: "Line") -> "dict[str, Any]":
    """What a prompt's line says beside the prompt, such as its split and its id, but nothing of other answers."""
    return {name: value for name, value in line.items() if name not in REPLACED}
