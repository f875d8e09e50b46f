"""Published filters as lists of thresholds over a document's signals.

| preset | from |
|---|---|
| gopher | Rae et al. 2021, appendix A.1.1: quality and repetition |
| c4 | Raffel et al. 2020, with the numbers of its code, which are not those of its text |
| fineweb | Penedo et al. 2024: gopher, C4's rules without the one on ends of sentences, and its own three |
| gpt3 | Brown et al. 2020, appendix A: a draw by quality, for which a classifier is needed |
| webtext | OpenWebText, which made GPT-2's corpus again: at least 128 tokens, about 100 of our words and signs |
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gptwright.text.documents import Document
from gptwright.text.filters.line_rules import LineRules
from gptwright.text.filters.signals import SignalCounter


@dataclass(frozen=True)
class Threshold:
    """A signal is at least this and at most that."""

    signal: str
    least: float | None = None
    most: float | None = None

    def fault(self, values: Mapping[str, float]) -> str | None:
        """Which bound the value is beyond: "words below 50"."""
        value = values[self.signal]
        name = self.signal.replace("_", " ")
        if self.least is not None and value < self.least:
            return f"{name} below {self.least:g}"
        return f"{name} above {self.most:g}" if self.most is not None and value > self.most else None


@dataclass(frozen=True)
class ParetoDraw:
    """A text of signal s (0 to 1) stays with the chance (2 - s)^-alpha: when a number of the Pareto distribution, as
    numpy draws them, is above 1 - s. Its lot is the text's own."""

    signal: str
    alpha: float

    def fault(self, values: Mapping[str, float]) -> str | None:
        """Whether it is drawn out."""
        drawn = (1 - values["lot"]) ** (-1 / self.alpha) - 1
        return None if drawn > 1 - values[self.signal] else f"drawn out by {self.signal.replace('_', ' ')}"


Rule = Threshold | ParetoDraw


@dataclass(frozen=True)
class Preset:
    """Rules on a text as it came, rules that take lines out of it, rules on what these leave."""

    name: str
    rules: tuple[Rule, ...] = ()
    lines: LineRules | None = None
    after_lines: tuple[Rule, ...] = ()

    @property
    def signals(self) -> set[str]:
        """What its rules ask for."""
        return {rule.signal for rule in (*self.rules, *self.after_lines)}


@dataclass(frozen=True)
class Verdict:
    """The text as the filters leave it, the lines that went, and the first threshold that speaks against it."""

    text: str
    cut_lines: Counter[str]
    reason: str | None


GOPHER = (
    Threshold("words", 50, 100_000),
    Threshold("mean_word_length", 3, 10),
    Threshold("hashes_per_word", most=0.1),
    Threshold("ellipses_per_word", most=0.1),
    Threshold("bullet_lines", most=0.9),
    Threshold("ellipsis_lines", most=0.3),
    Threshold("words_with_letters", 0.8),
    Threshold("stop_words", 2),
    Threshold("duplicate_lines", most=0.3),
    Threshold("duplicate_paragraphs", most=0.3),
    Threshold("duplicate_line_characters", most=0.2),
    Threshold("duplicate_paragraph_characters", most=0.2),
    *(Threshold(f"top_{n}_gram", most=most) for n, most in zip((2, 3, 4), (0.20, 0.18, 0.16), strict=True)),
    *(Threshold(f"duplicate_{n}_grams", most=(20 - n) / 100) for n in range(5, 11)),
)
_C4_PAGE = (Threshold("lorem_ipsum", most=0), Threshold("curly_brackets", most=0))
PRESETS = {preset.name: preset for preset in (
    Preset("gopher", GOPHER),
    Preset(
        "c4",
        lines=LineRules(min_words=5, terminal=True),
        after_lines=(*_C4_PAGE, Threshold("sentences", 3), Threshold("characters", most=190_000)),
    ),
    Preset(
        "fineweb",
        GOPHER,
        LineRules(min_words=3, terminal=False),
        (
            *_C4_PAGE,
            Threshold("sentences", 5),
            Threshold("terminal_lines", 0.12),
            Threshold("short_lines", most=0.67),
            Threshold("duplicate_line_characters", most=0.01),
            Threshold("newlines_per_word", most=0.3),
        ),
    ),
    Preset("gpt3", (ParetoDraw("quality", 9),)),
    Preset("webtext", (Threshold("words_and_signs", 100),)),
)}  # fmt: skip


def apply_filters(document: Document, presets: Sequence[Preset], counter: SignalCounter) -> Verdict:
    """What presets say of a document's text, one after the other; the first fault ends it."""
    text, cut = document.text, Counter[str]()
    values = counter.signals(document, text)
    for preset in presets:
        reason = _first_fault(preset.rules, values)
        if reason is None and preset.lines is not None:
            edited = preset.lines.edit(text)
            cut.update(edited.cut_lines)
            values = counter.signals(document, edited.text, preset.name, edited.signals)
            text, reason = edited.text, _first_fault(preset.after_lines, values)
        if reason is not None:
            return Verdict(text, cut, f"{preset.name}: {reason}")
    return Verdict(text, cut, None)


def _first_fault(rules: Sequence[Rule], values: Mapping[str, float]) -> str | None:
    return next((fault for each in rules if (fault := each.fault(values))), None)
