"""What a tokenizer's control tokens are for: the ids that close texts and turns, pad rows and begin texts."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class SpecialTokens:
    """Control tokens by their use, and the chat template. Text never becomes one of them."""

    bos: str | None
    """put before a text; None where nothing is"""
    eos: str
    """closes a document, ends a text"""
    pad: str
    """fills rows of a batch"""
    stop: tuple[str, ...]
    """a reply ends with any of them"""
    chat_template: str | None
    """Jinja chat template; None: it cannot chat"""
    names: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)
    """as other tools know them, by bos_token, eos_token and so on; what is said above, where nobody named them"""

    @property
    def named(self) -> Mapping[str, str]:
        """The tokens that a chat template may ask for by name."""
        said = {"bos_token": self.bos, "eos_token": (*self.stop, self.eos)[0], "pad_token": self.pad}
        return self.names or {name: token for name, token in said.items() if token}
