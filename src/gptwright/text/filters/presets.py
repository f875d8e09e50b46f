"""Published filters as lists of thresholds over a document's signals.

| preset | from |
|---|---|
| gopher | Rae et al. 2021, appendix A.1.1: quality and repetition |
| c4 | Raffel et al. 2020, with the numbers of its code, which are not those of its text |
| fineweb | Penedo et al. 2024: gopher, C4's rules without the one on ends of sentences, and its own three |
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gptwright.text.filters.line_rules import LineRules
from gptwright.text.filters.signals import Signals


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
class Preset:
    """Thresholds on a text as it came, rules that take lines out of it, thresholds on what these leave."""

    thresholds: tuple[Threshold, ...] = ()
    lines: LineRules | None = None
    after_lines: tuple[Threshold, ...] = ()


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
PRESETS = {
    "gopher": Preset(GOPHER),
    "c4": Preset(
        lines=LineRules(min_words=5, terminal=True),
        after_lines=(*_C4_PAGE, Threshold("sentences", 3), Threshold("characters", most=190_000)),
    ),
    "fineweb": Preset(
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
}


def apply_filters(text: str, names: Sequence[str]) -> Verdict:
    """What the presets of these names say of a text, one after the other; the first fault ends it."""
    cut = Counter[str]()
    values = Signals(text)
    for name in names:
        preset = PRESETS[name]
        reason = _first_fault(preset.thresholds, values)
        if reason is None and preset.lines is not None:
            edited = preset.lines.edit(text)
            cut.update(edited.cut_lines)
            values = values if edited.text == text else Signals(edited.text)
            values.note(edited.signals)
            text, reason = edited.text, _first_fault(preset.after_lines, values)
        if reason is not None:
            return Verdict(text, cut, f"{name}: {reason}")
    return Verdict(text, cut, None)


def _first_fault(thresholds: Sequence[Threshold], values: Mapping[str, float]) -> str | None:
    return next((fault for each in thresholds if (fault := each.fault(values))), None)
