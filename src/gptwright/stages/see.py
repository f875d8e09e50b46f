"""see: a look inside a model while it reads a text, as one page that needs no server."""

from pathlib import Path
from typing import TYPE_CHECKING

from gptwright.configs.see import See
from gptwright.foundations.atomic_io import write_text
from gptwright.foundations.progress import say
from gptwright.pipelines.resolve import resolve_model, writers_beside

if TYPE_CHECKING:
    from gptwright.pipelines.load import AnyModel
    from gptwright.pipelines.model import Model


def run(config: See) -> Path:
    """Writes the page, and prints its path on stdout. The other stages of the model's run stand beside it."""
    from gptwright.images.named import read_images
    from gptwright.pipelines.see import see

    images, folder = read_images(config.image), resolve_model(config.model)
    model = _opened(folder)
    stages = [other for other in _others(folder, model) if other.sees or not images]
    if stages:
        say(f"beside {model.name}: {', '.join(stage.name for stage in stages)}")
    page = see(model, config.text, images=images, chat=config.chat, max_tokens=config.max_tokens, stages=stages)
    if page.note:
        say(f"see: {page.note}")
    write_text(config.out, page.html)
    say(f"see: open {config.out} in a browser")
    print(config.out, flush=True)
    return config.out


def _opened(folder: Path) -> "AnyModel":
    """The model, or of one that sees what writes."""
    from gptwright.pipelines.load import load
    from gptwright.pipelines.vision_model import VisionModel

    model = load(folder)
    return model.writer if isinstance(model, VisionModel) else model


def _others(folder: Path, model: "AnyModel") -> "list[Model]":
    """The models of the same run with the same tokenizer, in the order in which they were made."""
    from gptwright.pipelines.model import Model

    if not isinstance(model, Model):
        return []
    opened = map(_opened, writers_beside(folder))
    return [other for other in opened
            if isinstance(other, Model) and other.tokenizer.sha256 == model.tokenizer.sha256]  # fmt: skip
