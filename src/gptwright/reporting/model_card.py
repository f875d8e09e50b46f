"""README.md of an exported model: what it is, what it was made from, what was measured, how it is opened."""

import json
from pathlib import Path
from typing import Any, Protocol

from gptwright.foundations.runs import RECORD, identity
from gptwright.foundations.version import __version__
from gptwright.reporting.collect import collect
from gptwright.reporting.page import environment
from gptwright.reporting.story import key_metric
from gptwright.reporting.tables import before_and_after
from gptwright.reporting.wording import amount, plural

CARD = "README.md"
CHATS = ("sft", "ppo", "grpo", "rloo", "dpo", "rejection", "vision")


class Exported(Protocol):
    """What is told of any loaded model."""

    network: Any
    context: int

    @property
    def architecture(self) -> str: ...


def model_card(model: Exported, source: Path, out: Path, library: str = "transformers") -> str:
    """Markdown for the model of the folder `source`, as it lies in `out`: a folder that `library` transformers opens,
    or a file for gguf.

    It is no part of a folder's manifest: people go on writing it.

    Raises `ArtifactError` when the run that it came from is damaged.
    """
    stage = _stage_of(source)
    run = collect(stage.parent, stage.name) if stage else None
    maker = next((one for one in run.lineage if stage and one.path.name == stage.name), None) if run else None
    return environment().get_template("model_card.md.j2").render(
        name=out.resolve().name,
        what=_what(model),
        version=__version__,
        made=f", by {maker.role} on {maker.ended[:10]}" if maker else "",
        run=run,
        lineage=[(stage.path.name, key_metric(stage), identity(stage.outputs)) for stage in run.lineage] if run else [],
        sources=run.sources if run else None,
        tables=before_and_after(run) if run else [],
        architecture=model.architecture,
        path=json.dumps(out.as_posix(), ensure_ascii=False),
        library=library,
        ours=_use(model, maker.role if maker else ""),
    )  # fmt: skip


def _stage_of(source: Path) -> Path | None:
    """A stage's folder, given it or its inner `model/`."""
    stage = source.resolve()
    if stage.name == "model" and (stage.parent / RECORD).is_file():
        stage = stage.parent
    return stage if (stage / RECORD).is_file() else None


def _what(model: Exported) -> str:
    config = model.network.config
    size = sum(parameter.numel() for parameter in model.network.parameters())
    family = type(config).__name__.removesuffix("Config")
    counts = {name: getattr(config, f"{name}s", None) for name in ("layer", "head")}
    sizes = [plural(count, name) for name, count in counts.items() if isinstance(count, int)]
    words = [f"{amount(size)} parameters", *sizes, f"a context of {model.context:,} tokens"]
    return f"A model of the family {family}: {', '.join(words)}."


def _use(model: Exported, role: str) -> str:
    """A line of Python that shows what it does; none for what neither chats nor writes."""
    if role in CHATS:
        return 'print(model.chat([{"role": "user", "content": "Who are you?"}]))'
    if model.architecture.endswith("LMHeadModel") or "CausalLM" in model.architecture:
        return 'print(model.generate("It was a", max_tokens=32))'
    return ""
