"""The table of signals: what is in it is not counted again, and says the same as what is counted."""

from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from gptwright.foundations.errors import ArtifactError
from gptwright.text.documents import Document
from gptwright.text.filters import signals
from gptwright.text.filters.presets import PRESETS, apply_filters
from gptwright.text.filters.quality import BUCKETS, QualityClassifier
from gptwright.text.filters.signal_table import SignalTable
from gptwright.text.filters.signals import SignalCounter, Signals

TEXTS = [
    "The miller rose before the sun.\nHome\nIt was of great use to the people, and they have kept it with care.",
    "Nothing but a line of some words that comes to its end here.",
    "",
    "Nothing but a line of some words that comes to its end here. " * 30,
]


def decide(table: SignalCounter, *names: str) -> list[tuple[str, str | None]]:
    filters = [PRESETS[name] for name in names]
    verdicts = [apply_filters(Document(text, "a.txt", "A"), filters, table) for text in TEXTS]
    return [(verdict.text, verdict.reason) for verdict in verdicts]


def nothing_is_counted(patch: pytest.MonkeyPatch) -> None:
    for counter in ("split_words", "line_signals", "repetition"):
        patch.setattr(signals, counter, lambda *_: 1 / 0)
    patch.setattr(QualityClassifier, "score", lambda *_: 1 / 0)


def test_other_filters_are_asked_of_the_table_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "signals.parquet"
    first = SignalTable(path)
    assert decide(first, "fineweb") == decide(SignalCounter(), "fineweb")
    first.save()
    wanted = [decide(SignalCounter(), "gopher", "webtext"), decide(SignalCounter(), "fineweb")]
    nothing_is_counted(monkeypatch)
    again = SignalTable(path)
    assert [decide(again, "gopher", "webtext"), decide(again, "fineweb")] == wanted
    written = path.stat().st_mtime_ns
    again.save()
    assert again.counted == 0 and path.stat().st_mtime_ns == written


def test_a_row_is_a_text_and_a_column_a_signal(tmp_path: Path) -> None:
    table = SignalTable(tmp_path / "signals.parquet")
    decide(table, "c4")
    table.save()
    rows = {row["text_hash"]: row for row in parquet.read_table(tmp_path / "signals.parquet").to_pylist()}
    came = next(row for row in rows.values() if row["characters"] == len(TEXTS[0]))
    edited = next(row for row in rows.values() if row["edited_by"] == "c4" and row["characters"] > 0)
    assert (came["source"], came["title"], came["edited_by"], came["sentences"]) == ("a.txt", "A", "", None)
    assert edited["sentences"] == 2 and came["words"] > edited["words"]
    assert {*Signals("")} <= came.keys() and came["quality"] is None
    for text in TEXTS:
        assert any(row["characters"] == len(text) and row["words"] == Signals(text)["words"] for row in rows.values())


def test_the_same_texts_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        table = SignalTable(tmp_path / name)
        decide(table, "fineweb")
        table.save()
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_quality_is_judged_anew_by_another_classifier_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, weights = tmp_path / "signals.parquet", np.zeros((2, BUCKETS + 1), np.float32)
    judges = [QualityClassifier(weights), QualityClassifier(weights + np.float32(0.01))]
    for judge in (None, *judges):
        table = SignalTable(path, judge)
        decide(table, "gopher")
        table.save()
    scores = parquet.read_table(path).column("quality").to_pylist()
    assert sorted(scores) == sorted(judges[1].score(text) for text in TEXTS)
    nothing_is_counted(monkeypatch)
    again = SignalTable(path, judges[1])
    assert [again.signals(Document(text, "a"), text)["quality"] for text in TEXTS] == scores
    without = SignalTable(path)
    decide(without, "gopher")
    with pytest.raises(ZeroDivisionError):
        SignalTable(path, judges[0]).signals(Document(TEXTS[0], "a"), TEXTS[0])


def test_damaged_and_anothers_files(tmp_path: Path) -> None:
    (tmp_path / "damaged").write_bytes(b"PAR1 and so on PAR1")
    parquet.write_table(arrow.table({"a": [1]}), tmp_path / "other")
    for name, says in (("damaged", "damaged"), ("other", "another's")):
        with pytest.raises(ArtifactError, match=says):
            SignalTable(tmp_path / name)
