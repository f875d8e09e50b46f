from gptwright.evaluation.intervals import Estimate
from gptwright.reporting.wording import MISSING, amount, duration, full, hashed, percent, plain, plural, size


def test_times_are_in_the_units_people_use() -> None:
    assert [duration(s).replace("\u00a0", " ") for s in (0.84, 9.96, 59.6, 131.5, 3700.0)] == [
        "0.8 s", "10.0 s", "1 min 00 s", "2 min 12 s", "1 h 01 min"]  # fmt: skip


def test_numbers_are_short() -> None:
    assert (amount(2_222_208), amount(640.0), amount(3e9)) == ("2.22 million", "640", "3 billion")
    assert (plain(-10.027), percent(0.856, 1)) == ("−10.03", "85.6\u00a0%")
    assert (size(1_062_124), size(2048), plural(1, "file"), plural(2000, "file")) == (
        "1.1 MB",
        "2.0 kB",
        "1 file",
        "2,000 files",
    )


def test_a_share_is_told_with_its_interval() -> None:
    assert full(Estimate(0.856, 0.831, 0.879, 828), "questions") == "85.6\u00a0% (83.1–87.9) of 828 questions"


def test_what_is_missing_is_a_dash() -> None:
    assert {plain(None), percent(None), amount(None), duration(None)} == {MISSING}


def test_a_hash_is_shown_by_its_beginning() -> None:
    assert hashed("0123456789abcdef" * 4) == "0123456789ab"
