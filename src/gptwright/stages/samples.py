"""What the model does at a stage, kept in samples.md and shown as it learns."""

from collections.abc import Sequence

from gptwright.foundations.atomic_io import write_text
from gptwright.foundations.processes import is_first
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder


def write_samples(folder: StageFolder, step: int, texts: Sequence[str]) -> None:
    """Adds the texts to samples.md and says the first. A step written before is written anew."""
    if not is_first():
        return
    path = folder / "samples.md"
    before = path.read_text(encoding="utf-8") if path.exists() else "# Samples\n"
    section = f"\n## Step {step}\n\n" + "".join(f"> {' '.join(text.split())}\n\n" for text in texts)
    keep_checkpoints = before.split(f"\n## Step {step}\n")[0]
    write_text(path, keep_checkpoints + section)
    say(f"  step {step}: “{' '.join(texts[0].split())}”")
