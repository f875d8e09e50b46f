"""What one text is asked to be: its length, how its tokens are drawn, what it must look like, what ends it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Never

from gptwright.foundations.errors import InputError

TOP_LOGPROBS = 100
"""tokens whose log-probabilities can be asked for at one place"""


class SettingError(InputError):
    """A setting of a request that cannot be kept; `setting` is its name in `Sampling`."""

    def __init__(self, setting: str, needed: str, got: str, remedy: str) -> None:
        super().__init__(needed, got, remedy)
        self.setting = setting


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Settings of one request. Raises `SettingError` for values that make no sense, alone or together."""

    max_tokens: int = 256
    """the answer's length at most"""
    temperature: float = 0.7
    """0 always takes the likeliest token; 1 draws as the model believes"""
    top_k: int = 0
    """draw among the k likeliest only; 0 is off"""
    top_p: float = 1.0
    """draw among the likeliest that together have this probability; 0 leaves the likeliest alone"""
    min_p: float = 0.0
    """draw among those at least this many times as likely as the likeliest"""
    repetition_penalty: float = 1.0
    """CTRL's: above 1, logits of tokens that stand in the prompt or the answer are made smaller by this factor"""
    presence_penalty: float = 0.0
    """OpenAI's: taken off the logits of tokens that stand in the answer"""
    frequency_penalty: float = 0.0
    """OpenAI's: taken off as many times as the token stands in the answer"""
    logit_bias: Mapping[int, float] = field(default_factory=dict[int, float])
    """added to the logits of these ids"""
    stop: tuple[str, ...] = ()
    """texts that end the answer and are not part of it"""
    stop_ids: tuple[int, ...] = ()
    """ids that end the answer, besides the tokenizer's own"""
    seed: int | None = None
    """the same seed gives the same text; none draws afresh"""
    n: int = 1
    """answers wanted"""
    best_of: int | None = None
    """answers written, of which the `n` with the best mean log-probability are given"""
    logprobs: int | None = None
    """note every token's log-probability, and those of this many likeliest beside it: the model's own, whatever the
    temperature is and whatever is cut or penalised"""
    prompt_logprobs: int | None = None
    """the same for the prompt's tokens"""
    sampled_logprobs: bool = False
    """note every token's log-probability under the temperature too: under what it was drawn from, as long as nothing
    is cut, penalised or forbidden. Training that compares policies needs these."""
    predicted_ids: tuple[int, ...] = ()
    """what the answer is expected to repeat: proposed as drafts, so it comes sooner and stays the same"""
    schema: Mapping[str, Any] | None = None
    """the answer is JSON that this JSON Schema allows"""
    regex: str | None = None
    """the answer is a text that this regular expression matches as a whole"""

    def __post_init__(self) -> None:
        self._length_and_drawing()
        self._penalties()
        self._ends()
        self._noted()
        self._together()

    @property
    def answers(self) -> int:
        """How many are to be written."""
        return self.best_of or self.n

    @property
    def needs_logprobs(self) -> bool:
        """Whether log-probabilities of the answer are needed."""
        return self.logprobs is not None or self.answers > self.n

    @property
    def has_penalties(self) -> bool:
        """Whether it matters which tokens were there before."""
        return self.repetition_penalty != 1 or self.presence_penalty != 0 or self.frequency_penalty != 0

    @property
    def truncates(self) -> bool:
        """Whether unlikely tokens are left out."""
        return self.top_k > 0 or self.top_p < 1 or self.min_p > 0

    def _length_and_drawing(self) -> None:
        self._require("max_tokens", "of 0 or more", self.max_tokens >= 0)
        self._require("temperature", "from 0 to 100", 0 <= self.temperature <= 100)
        self._require("top_k", "0 or more", self.top_k >= 0)
        self._require("top_p", "from 0 to 1", 0 <= self.top_p <= 1)
        self._require("min_p", "from 0 to 1", 0 <= self.min_p <= 1)
        self._require("seed", "from -2^63 to 2^64 - 1", self.seed is None or -(2**63) <= self.seed < 2**64)

    def _penalties(self) -> None:
        self._require("repetition_penalty", "above 0 and at most 100", 0 < self.repetition_penalty <= 100)
        self._require("presence_penalty", "from -2 to 2", -2 <= self.presence_penalty <= 2)
        self._require("frequency_penalty", "from -2 to 2", -2 <= self.frequency_penalty <= 2)
        fits = all(i >= 0 and -100 <= bias <= 100 for i, bias in self.logit_bias.items())
        self._require("logit_bias", "from -100 to 100 for ids of 0 or more", fits)

    def _ends(self) -> None:
        self._require("stop", "texts that are not empty", all(self.stop))
        self._require("stop_ids", "ids of 0 or more", all(i >= 0 for i in self.stop_ids))

    def _noted(self) -> None:
        self._require("n", "at least 1", self.n >= 1)
        for name in ("logprobs", "prompt_logprobs"):
            asked = getattr(self, name)
            self._require(name, f"from 0 to {TOP_LOGPROBS}", asked is None or 0 <= asked <= TOP_LOGPROBS)

    def _together(self) -> None:
        self._require("best_of", "at least 1", self.best_of is None or self.best_of >= 1)
        self._require("regex", "that is not empty", self.regex != "")
        if self.best_of is not None and self.best_of < self.n:
            self._refuse("best_of", f"best_of at least n = {self.n}", f"{self.best_of}",
                         "Write as many answers as you want back.")  # fmt: skip
        if self.best_of is not None and self.best_of > 1 and self.temperature == 0:
            self._refuse("best_of", "a temperature above 0 with best_of above 1",
                         "0, with which all answers are the same",
                         "Raise the temperature or leave best_of out.")  # fmt: skip
        if self.schema is not None and self.regex is not None:
            self._refuse("regex", "schema or regex", "both", "Give one of them.")

    def _require(self, name: str, needed: str, fits: bool) -> None:
        if not fits:
            self._refuse(name, f"{name} {needed}", repr(getattr(self, name)), "Change the setting.")

    def _refuse(self, setting: str, needed: str, got: str, remedy: str) -> Never:
        raise SettingError(setting, needed, got, remedy)
