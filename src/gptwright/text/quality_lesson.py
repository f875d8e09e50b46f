"""Teaching the classifier of quality from good texts and from those that it is to judge, and how well it does."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gptwright.foundations.errors import ConfigError, InputError
from gptwright.text.chunked_reading import MOST_OPEN, read_in_chunks
from gptwright.text.dedup import MIN_DOCUMENT
from gptwright.text.filters.presets import Preset
from gptwright.text.filters.quality import Floats, QualityClassifier, half_of, learn_quality
from gptwright.text.filters.words import plain_words
from gptwright.text.find import resolve
from gptwright.text.read import read_file
from gptwright.text.scan import Scanned, ScanOptions, scan_file
from gptwright.text.subsample import interleave

MOST_CHARACTERS = 20_000_000
"""of each side: more words teach little, and their counts lie in memory"""
LEAST_TEXTS = 20
ALPHA = 9
CLASSIFIER = "quality.safetensors"
SIGNAL = "quality"


@dataclass(frozen=True)
class QualityFigures:
    """Texts learned from; each judged by the half that it is not of, the share of pairs in which the good one scores
    higher, and the share of either side that GPT-3's draw keeps in the mean. Which good texts were not learned from,
    by reason, and what was wrong first in files of them; what the data lost is accounted for where it is cleaned."""

    good_texts: int
    raw_texts: int
    pairs_right: float
    good_kept: float
    raw_kept: float
    good_dropped: Mapping[str, int] = field(default_factory=dict[str, int])
    good_unreadable: Mapping[str, str] = field(default_factory=dict[str, str])

    def as_dict(self) -> dict[str, object]:
        """As they stand in sources.json."""
        shares = {name: round(getattr(self, name), 4) for name in ("pairs_right", "good_kept", "raw_kept")}
        lost = {"good_dropped": dict(self.good_dropped), "good_unreadable": dict(self.good_unreadable)}
        return {"good_texts": self.good_texts, "raw_texts": self.raw_texts, **shares,
                **{name: value for name, value in lost.items() if value}}  # fmt: skip

    def __str__(self) -> str:
        dropped = ", ".join(f"{count:,} {reason}" for reason, count in self.good_dropped.items())
        return (
            f"quality learned from {self.good_texts:,} good texts and {self.raw_texts:,} of the data; "
            f"{self.pairs_right:.1%} of pairs right, GPT-3's draw keeps {self.good_kept:.1%} of the good and "
            f"{self.raw_kept:.1%} of the data" + (f"; not learned from of the good: {dropped}" if dropped else "")
        )


@dataclass(frozen=True)
class _Lost:
    """What is not learned from: how many, by reason, and what was wrong first in files of them."""

    dropped: Counter[str] = field(default_factory=Counter[str])
    unreadable: dict[str, str] = field(default_factory=dict[str, str])

    def note(self, section: Scanned) -> None:
        """A section without a text to learn from."""
        self.dropped[section.reason or "too short"] += section.times
        if section.error:
            self.unreadable.setdefault(section.document.file, section.error)


def chosen_classifier(
    good: Sequence[str], raw: Sequence[Path], filters: Sequence[Preset], options: ScanOptions
) -> tuple[QualityClassifier | None, QualityFigures | None]:
    """What the filters judge quality by: read from the one file that `good` names, or learned from its texts, and then
    with figures. None where no filter asks.

    Raises `ConfigError` when filters ask and there is no good text, or the other way round.
    """
    asks = any(SIGNAL in each.signals for each in filters)
    if asks and not good:
        raise ConfigError("good text for the filter that judges quality", "none", "Give some with --good.")
    if good and not asks:
        raise ConfigError("a filter that judges quality beside --good", "none", "Add --filter gpt3.")
    if not asks:
        return None, None
    if _is_classifier(good):
        return QualityClassifier.load(Path(good[0])), None
    return teach_quality(good_files(good, skip_unreadable=options.reading.skip_unreadable), raw, options)


def good_files(good: Sequence[str], *, skip_unreadable: bool = False) -> list[Path]:
    """The files that `good` stands for. Raises `InputError` as `find` does."""
    if _is_classifier(good):
        return [Path(good[0])]
    return resolve(good, skip_unreadable=skip_unreadable) if good else []


def _is_classifier(good: Sequence[str]) -> bool:
    return len(good) == 1 and good[0].endswith(".safetensors")


def teach_quality(
    good: Sequence[Path], raw: Sequence[Path], options: ScanOptions
) -> tuple[QualityClassifier, QualityFigures]:
    """Reads the first characters of all files evenly, and learns.

    Raises `InputError` when either has fewer than `LEAST_TEXTS` texts, or as `scan_file` does.
    """
    (good_texts, lost), (raw_texts, _) = _texts(good, options, "good text"), _texts(raw, options, "the data")
    classifier = learn_quality(good_texts, raw_texts)
    of_good, of_raw = (np.array([classifier.score(text) for text in texts]) for texts in (good_texts, raw_texts))
    return classifier, QualityFigures(
        good_texts=len(good_texts),
        raw_texts=len(raw_texts),
        pairs_right=_pairs_right(of_good, of_raw),
        good_kept=_kept(of_good),
        raw_kept=_kept(of_raw),
        good_dropped=dict(lost.dropped.most_common()),
        good_unreadable=lost.unreadable,
    )


def _texts(files: Sequence[Path], options: ScanOptions, what: str) -> tuple[list[str], _Lost]:
    """Each once, enough of them in either half, and what went."""
    lost = _Lost()
    found = list(_evenly(files, options, lost))
    texts = list(dict.fromkeys(found))
    lost.dropped.update({"duplicate": twice} if (twice := len(found) - len(texts)) else {})
    second = sum(map(half_of, texts))
    if len(texts) < LEAST_TEXTS or min(second, len(texts) - second) < LEAST_TEXTS // 10:
        got = "; ".join([f"{len(texts)}", *(f"{count:,} {reason}" for reason, count in lost.dropped.most_common())])
        raise InputError(f"at least {LEAST_TEXTS} different texts of {what} to learn quality from", got,
                         "Give more, or leave out the filter by quality.")  # fmt: skip
    return texts, lost


def _evenly(files: Sequence[Path], options: ScanOptions, lost: _Lost) -> Iterator[str]:
    """Texts, from the file next that gave least; `lost` is told of what is none."""
    read = read_in_chunks if len(files) > MOST_OPEN else read_file
    taken, room = Counter[int](), MOST_CHARACTERS
    for number, section in interleave([scan_file(path, options, read) for path in files], taken):
        text = section.document.text
        taken[number] += len(text)
        if section.reason is None and len(text) >= MIN_DOCUMENT and len(plain_words(text)):
            yield text
            room -= len(text)
        else:
            lost.note(section)
        if room <= 0:
            return


def _pairs_right(good: Floats, raw: Floats) -> float:
    """A tie counts half."""
    ordered = np.sort(raw)
    below = np.searchsorted(ordered, good, "left") + np.searchsorted(ordered, good, "right")
    return float(below.mean() / 2 / len(ordered))


def _kept(scores: Floats) -> float:
    return float(((2 - scores) ** -ALPHA).mean())
