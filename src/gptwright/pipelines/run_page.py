"""A model as one HTML file that answers: weights, tokenizer, template and settings inside, computed by the browser."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.foundations.html_file import html_file
from gptwright.inference.sampling import Sampling
from gptwright.models.catalogue import count
from gptwright.models.formats.page_model import page_model
from gptwright.pipelines.load import AnyModel
from gptwright.pipelines.model import Model
from gptwright.tokenizers.formats.page_tokenizer import page_tokenizer

WEB = Path(__file__).parent / "web"
LARGEST = 12_000_000
"""parameters: a file of some 15 MB, and some tens of tokens a second"""


@dataclass(frozen=True, kw_only=True)
class Extras:
    """What the page shows besides the model: its own name, questions that it offers, and the report of the run, as
    `reporting.plain_report` says it."""

    name: str
    prompts: Sequence[str] = ()
    report: Any = None


def run_page(model: AnyModel, extras: Extras) -> str:
    """The file. It opens from a disk, and asks nobody for anything.

    Raises `ArtifactError` for what is no decoder of text, or has a part, a tokenizer or a template that pages do not
    know, `InputError` for a model of more than `LARGEST` parameters.
    """
    if not isinstance(model, Model):
        raise ArtifactError("a decoder of text, for a page", f"{model.name}, {model.kind}",
                            "gptwright see shows what it does with a text; serve it with gptwright serve.")  # fmt: skip
    parameters = count(model.network)
    if parameters > LARGEST:
        raise InputError(f"a model of at most {LARGEST:,} parameters, for a page", f"{parameters:,} in {model.name}",
                         "gptwright serve shows it in a browser; --to gguf writes one file for llama.cpp.")  # fmt: skip
    config = model.network.config
    sizes = f"{config.family}, {config.layers} layers × {config.width}, {parameters:,} parameters"
    data: dict[str, Any] = {
        "name": extras.name,
        "about": f"{model.name}: {sizes}, int8",
        "tokenizer": page_tokenizer(model.tokenizer)
        | {"stops": list(dict.fromkeys([*model.tokenizer.stop_ids, *model.sampling.stop_ids]))},
        "model": page_model(model.network),
        "sampling": _settings(model.sampling),
        "prompts": list(extras.prompts),
        "report": extras.report,
        "engine": _built("engine.js"),
    }
    return html_file(data, script=_built("run.js"), style=_built("run.css"), title=extras.name, worker=True)


def _settings(sampling: Sampling) -> dict[str, Any]:
    return {
        "temperature": sampling.temperature,
        "topK": sampling.top_k,
        "topP": sampling.top_p,
        "minP": sampling.min_p,
        "repetitionPenalty": sampling.repetition_penalty,
        "bias": dict(sampling.logit_bias),
        "maxTokens": sampling.max_tokens,
        "stop": list(sampling.stop),
    }


def _built(name: str) -> str:
    """What was built from ui/src/run."""
    return (WEB / name).read_text(encoding="utf-8")
