"""What one text is asked to be: its length, how its tokens are drawn, what ends it."""

from dataclasses import dataclass

from gptwright.foundations.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Settings of one reply. Raises `InputError` for values that make no sense."""

    max_tokens: int = 256
    """the reply's length at most"""
    temperature: float = 0.7
    """0 always takes the likeliest token; 1 draws as the model believes"""
    top_k: int = 0
    """draw among the k likeliest only; 0 is off"""
    top_p: float = 1.0
    """draw among the likeliest that together have this probability"""
    stop: tuple[str, ...] = ()
    """texts that end the reply and are not part of it"""
    seed: int | None = None
    """the same seed gives the same text; none draws afresh"""

    def __post_init__(self) -> None:
        self._require("max_tokens", "at least 1", self.max_tokens >= 1)
        self._require("temperature", "from 0 to 100", 0 <= self.temperature <= 100)
        self._require("top_k", "0 or more", self.top_k >= 0)
        self._require("top_p", "above 0 and at most 1", 0 < self.top_p <= 1)
        self._require("seed", "from -2^63 to 2^64 - 1", self.seed is None or -(2**63) <= self.seed < 2**64)
        self._require("stop", "texts that are not empty", all(self.stop))

    def _require(self, name: str, needed: str, fits: bool) -> None:
        if not fits:
            raise InputError(f"{name} {needed}", repr(getattr(self, name)), "Change the setting.")
