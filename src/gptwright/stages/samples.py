"""What the model writes at a stage, kept in samples.md and shown as it learns."""

from gptwright.foundations.durable import write_text
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder
from gptwright.generation.model import Model

OPENINGS = ("It was a", "The old man")


def write_sample(model: Model, folder: StageFolder, step: int) -> None:
    """Adds two short continuations to samples.md and says the first."""
    path = folder / "samples.md"
    before = path.read_text(encoding="utf-8") if path.exists() else "# Samples\n"
    texts = [opening + model.generate(opening, max_tokens=40, temperature=0.8, seed=step) for opening in OPENINGS]
    section = f"\n## Step {step}\n\n" + "".join(f"> {' '.join(text.split())}\n\n" for text in texts)
    kept = before.split(f"\n## Step {step}\n")[0]
    write_text(path, kept + section)
    say(f"  step {step}: “{' '.join(texts[0].split())}”")
