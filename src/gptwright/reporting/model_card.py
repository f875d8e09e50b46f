"""README.md of an exported model: what it is, what it was made from, what was measured, how it is opened."""

import json
from pathlib import Path
from typing import Any, Protocol

from gptwright.foundations.runs import RECORD, identity
from gptwright.foundations.version import __version__
from gptwright.reporting.collect import Run, collect
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


def model_card(model: Exported, source: Path, out: Path) -> str:
    """Markdown for the model of the folder `source`, as it lies in `out`.

    It is no part of that folder's manifest: people go on writing it.

    Raises `ArtifactError` when the run that it came from is damaged.
    """
    run = _run_of(source)
    return environment().get_template("model_card.md.j2").render(
        name=out.resolve().name,
        what=_what(model),
        version=__version__,
        made=f", by {run.lineage[-1].role} on {run.lineage[-1].ended[:10]}" if run else "",
        run=run,
        lineage=[(stage.path.name, key_metric(stage), identity(stage.outputs)) for stage in run.lineage] if run else [],
        sources=run.sources if run else None,
        tables=before_and_after(run) if run else [],
        architecture=model.architecture,
        folder=json.dumps(out.as_posix(), ensure_ascii=False),
        ours=_use(model, run),
    )  # fmt: skip


def _run_of(source: Path) -> Run | None:
    """The run of a stage's folder, or of its inner `model/`, with what that stage's model descends from."""
    stage = source.resolve()
    if stage.name == "model" and (stage.parent / RECORD).is_file():
        stage = stage.parent
    return collect(stage.parent, stage.name) if (stage / RECORD).is_file() else None


def _what(model: Exported) -> str:
    config = model.network.config
    size = sum(parameter.numel() for parameter in model.network.parameters())
    family = type(config).__name__.removesuffix("Config")
    counts = {name: getattr(config, f"{name}s", None) for name in ("layer", "head")}
    sizes = [plural(count, name) for name, count in counts.items() if isinstance(count, int)]
    words = [f"{amount(size)} parameters", *sizes, f"a context of {model.context:,} tokens"]
    return f"A model of the family {family}: {', '.join(words)}."


def _use(model: Exported, run: Run | None) -> str:
    """A line of Python that shows what it does; none for what neither chats nor writes."""
    if run and run.lineage[-1].role in CHATS:
        return 'print(model.chat([{"role": "user", "content": "Who are you?"}]))'
    if model.architecture.endswith("LMHeadModel") or "CausalLM" in model.architecture:
        return 'print(model.generate("It was a", max_tokens=32))'
    return ""
