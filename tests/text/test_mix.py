"""The mix: exact shares of tokens, whole documents, the same ones from the same texts; mistakes are named."""

from pathlib import Path

import numpy as np
import pytest

from gptwright.foundations.errors import ConfigError, InputError
from gptwright.text.mix import GPT3, Mix, chosen_documents, read_mix


def write(folder: Path, text: str) -> str:
    (folder / "mix.toml").write_text(text)
    return str(folder / "mix.toml")


def test_shares_and_epochs(tmp_path: Path) -> None:
    have = {"a": 100, "b": 300}
    assert read_mix(write(tmp_path, "[shares]\na = 3\nb = 1")).wanted(have) == {"a": 300, "b": 100}
    assert read_mix(write(tmp_path, "tokens = 40\n[shares]\na = 3\nb = 1")).wanted(have) == {"a": 30, "b": 10}
    assert read_mix(write(tmp_path, "[epochs]\na = 2.5\nb = 0")).wanted(have) == {"a": 250, "b": 0}


def test_gpt3s_epochs_come_of_its_shares() -> None:
    """Of table 2.2's sizes and 300 billion tokens, to what 101 percent and rounding allow."""
    have = dict(zip(GPT3, (410, 19, 12, 55, 3), strict=True))
    wanted = Mix("shares", read_mix("gpt3").numbers, 300).wanted(have)
    epochs = [wanted[name] / have[name] for name in GPT3]
    for ours, theirs in zip(epochs, (0.44, 2.9, 1.9, 0.43, 3.4), strict=True):
        assert ours == pytest.approx(theirs, rel=0.25)


@pytest.mark.parametrize("wanted", [0, 7, 50, 100, 250, 1_000])
def test_of_documents_of_one_length_the_tokens_are_those_wanted(wanted: int) -> None:
    lots = np.random.Generator(np.random.PCG64(1)).random(100)
    chosen = chosen_documents(np.ones(100, np.int64), lots, wanted)
    times = np.bincount(chosen, minlength=100)
    assert len(chosen) == wanted and times.max() - times.min() <= 1
    assert wanted % 100 == 0 or lots[times == times.max()].max() < lots[times == times.min()].min()


def test_of_others_they_are_within_half_of_the_longest() -> None:
    dice = np.random.Generator(np.random.PCG64(2))
    tokens, lots = dice.integers(1, 500, 200), dice.random(200)
    for wanted in (3_000, 60_000, 123_456):
        assert abs(int(tokens[chosen_documents(tokens, lots, wanted)].sum()) - wanted) <= tokens.max() / 2


def test_more_of_a_source_has_what_less_of_it_had() -> None:
    dice = np.random.Generator(np.random.PCG64(3))
    tokens, lots = dice.integers(1, 500, 200), dice.random(200)
    few, many = (set(chosen_documents(tokens, lots, wanted).tolist()) for wanted in (5_000, 9_000))
    assert few < many


def test_sources_belong_to_the_first_pattern_that_fits() -> None:
    mix = Mix("shares", {"crawl-1*": 1, "crawl*": 2, "*": 0})
    assert mix.groups(["crawl-12.warc", "crawl-2.warc", "books"]) == {
        "crawl-12.warc": "crawl-1*", "crawl-2.warc": "crawl*", "books": "*"}  # fmt: skip
    with pytest.raises(ConfigError, match="for the source books"):
        Mix("shares", {"crawl*": 1}).groups(["crawl", "books"])
    with pytest.raises(ConfigError, match=r"for wiki\* in the mix"):
        Mix("shares", {"crawl*": 1, "wiki*": 1}).groups(["crawl"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[share]", "Did you mean 'shares'"),
        ("", "a table of shares or one of epochs"),
        ("[shares]\na=1\n[epochs]\na=1", "got shares and epochs"),
        ("[shares]\na=-1", "numbers of at least 0"),
        ("[shares]\na='x'", "numbers of at least 0"),
        ("[shares]\na=0", "a number above 0"),
        ("tokens=0\n[shares]\na=1", "tokens, a whole number"),
        ("tokens=9\n[epochs]\na=1", "tokens, a whole number"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_mix(write(tmp_path, text))


def test_other_words_and_files(tmp_path: Path) -> None:
    for name in ("gpt4", str(tmp_path / "none.toml")):
        with pytest.raises(InputError, match="gpt3, or a"):
            read_mix(name)
    with pytest.raises(InputError, match="TOML in"):
        read_mix(write(tmp_path, "[shares"))
