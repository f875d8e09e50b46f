"""A modern decoder's folders, in our own words."""

from gptwright.models.formats.mapping import HuggingFaceMapping

MAPPING = HuggingFaceMapping(
    model_type="modern",
    language_model="Modern",
    scorer="ModernRewardModel",
    sizes={name: name for name in ("vocab", "context", "width", "heads", "kv_heads", "layers", "base")},
)
