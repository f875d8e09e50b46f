"""What the classifier of quality is taught: as much of all files, and figures of texts that it has not read."""

import json
import random
from pathlib import Path

import pytest

from gptwright.foundations.errors import ConfigError, InputError
from gptwright.text import quality_lesson
from gptwright.text.filters.presets import PRESETS
from gptwright.text.quality_lesson import chosen_classifier, good_files, teach_quality
from gptwright.text.read_options import ReadOptions
from gptwright.text.scan import ScanOptions


def write(path: Path, own: str, count: int, shared: int = 40) -> Path:
    dice = random.Random(str(path.name))
    rows = [" ".join(dice.choices(own.split(), k=6) + [f"word{dice.randrange(shared)}" for _ in range(30)])
            for _ in range(count)]  # fmt: skip
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in rows))
    return path


def test_it_says_how_well_others_are_told_apart(tmp_path: Path) -> None:
    good, raw = write(tmp_path / "good.jsonl", "mill river", 100), write(tmp_path / "raw.jsonl", "casino click", 300)
    classifier, figures = teach_quality([good], [raw], ScanOptions())
    assert (figures.good_texts, figures.raw_texts) == (100, 300)
    assert figures.pairs_right == 1 and figures.good_kept > 0.4 > 0.05 > figures.raw_kept
    assert classifier.score("river and mill") > 0.9 > 0.1 > classifier.score("click casino")
    assert figures.as_dict()["pairs_right"] == 1 and "100.0% of pairs right" in str(figures)


def test_texts_of_one_kind_are_not_told_apart(tmp_path: Path) -> None:
    good, raw = (write(tmp_path / f"{name}.jsonl", "mill river", 400) for name in ("good", "raw"))
    _, figures = teach_quality([good], [raw], ScanOptions())
    assert 0.3 < figures.pairs_right < 0.7


def test_all_files_are_read_evenly_and_no_further_than_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality_lesson, "MOST_CHARACTERS", 20_000)
    files = [write(tmp_path / f"{i}.jsonl", f"own{i}", 400) for i in range(3)]
    classifier, figures = teach_quality(files[:2], [files[2]], ScanOptions())
    assert 60 < figures.good_texts < 120
    assert classifier.score("own0") > 0.5 < classifier.score("own1")


def test_too_few_texts(tmp_path: Path) -> None:
    few, many = write(tmp_path / "few.jsonl", "mill", 19), write(tmp_path / "many.jsonl", "river", 20)
    for good, raw, what in ((few, many, "good text"), (many, few, "the data")):
        with pytest.raises(InputError, match=f"different texts of {what} .*got 19"):
            teach_quality([good], [raw], ScanOptions())


def test_good_text_that_is_not_learned_from_is_counted_by_its_reason(tmp_path: Path) -> None:
    good, raw = write(tmp_path / "good.jsonl", "mill river", 50), write(tmp_path / "raw.jsonl", "casino click", 50)
    sound = good.read_text()
    good.write_text('{"text": 7}\n[]\n{"messages": []}\n{"text": "short"}\n' + sound + sound.splitlines()[0] + "\n")
    gone, told = tmp_path / "gone.txt", ScanOptions(reading=ReadOptions(skip_unreadable=True))
    _, figures = teach_quality([gone, good], [raw], told)
    assert figures.good_texts == 50
    assert figures.good_dropped == {
        "a record that cannot be read": 2,
        "cannot be read, or not to its end": 1,
        "conversation": 1,
        "too short": 1,
        "duplicate": 1,
    }
    assert list(figures.good_unreadable) == [str(gone), str(good)]
    assert "line 1 of" in figures.good_unreadable[str(good)]
    assert figures.as_dict()["good_dropped"] == figures.good_dropped
    assert "not learned from of the good: 2 a record that cannot be read, 1 " in str(figures)
    good.write_text('{"text": 7}\n' * 30 + "\n".join(sound.splitlines()[:3]))
    with pytest.raises(InputError, match="got 3; 30 a record that cannot be read"):
        teach_quality([good], [raw], told)
    with pytest.raises(InputError, match="line 1 of"):
        teach_quality([good], [raw], ScanOptions())


def test_a_filter_by_quality_and_good_text_need_each_other(tmp_path: Path) -> None:
    gpt3, good = (PRESETS["gpt3"],), (str(write(tmp_path / "good.jsonl", "mill", 30)),)
    raw = [write(tmp_path / "raw.jsonl", "casino", 30)]
    with pytest.raises(ConfigError, match="--good"):
        chosen_classifier((), raw, gpt3, ScanOptions())
    with pytest.raises(ConfigError, match="gpt3"):
        chosen_classifier(good, raw, (PRESETS["c4"],), ScanOptions())
    assert chosen_classifier((), raw, (PRESETS["c4"],), ScanOptions()) == (None, None)
    learned, figures = chosen_classifier(good, raw, gpt3, ScanOptions())
    assert learned is not None and figures is not None
    learned.save(tmp_path / "quality.safetensors")
    again, figures = chosen_classifier((str(tmp_path / "quality.safetensors"),), raw, gpt3, ScanOptions())
    assert again is not None and again.sha256 == learned.sha256 and figures is None
    assert good_files(good) == [tmp_path / "good.jsonl"] and good_files(()) == []
