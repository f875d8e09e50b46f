"""A GPT-3's folders, in our own words."""

from gptwright.models.formats.mapping import HuggingFaceMapping

# transformers has no such model (GPT-Neo's banded layers lack biases and the 1/√D), so the names are our own.
MAPPING = HuggingFaceMapping(
    model_type="gpt3",
    language_model="GPT3",
    scorer="GPT3RewardModel",
    sizes={name: name for name in ("vocab", "context", "width", "heads", "layers", "sparse", "reach")},
)
