"""Filters of one's own: as the published one they are like, but for what the file says; mistakes are named."""

from pathlib import Path

import pytest

from gptwright.foundations.errors import ConfigError, InputError
from gptwright.text.documents import Document
from gptwright.text.filters.line_rules import LineRules
from gptwright.text.filters.presets import PRESETS, ParetoDraw, Threshold, apply_filters
from gptwright.text.filters.signals import SignalCounter
from gptwright.text.filters.threshold_file import chosen_filter


def write(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_it_is_like_a_published_one_but_for_what_it_says(tmp_path: Path) -> None:
    filter = chosen_filter(write(tmp_path, 'like = "fineweb"\n[rules]\nwords = {least = 9}\nstop_words = false\n'))
    fineweb = PRESETS["fineweb"]
    assert filter.name == "mine" and (filter.lines, filter.after_lines) == (fineweb.lines, fineweb.after_lines)
    assert filter.rules[0] == Threshold("words", 9)
    assert list(filter.rules[1:]) == [rule for rule in fineweb.rules[1:] if rule.signal != "stop_words"]
    assert apply_filters(Document("Only a few words.", "a"), [filter], SignalCounter()).reason == "mine: words below 9"


def test_it_can_stand_alone(tmp_path: Path) -> None:
    text = '[rules]\nquality = {pareto = 3}\ncharacters = {least = 10, most = 100}\n[lines]\nmin_words = 2\n' \
           "[after_lines]\nsentences = {least = 2}\n"  # fmt: skip
    filter = chosen_filter(write(tmp_path, text))
    assert filter.rules == (ParetoDraw("quality", 3), Threshold("characters", 10, 100))
    assert filter.lines == LineRules(2, False) and filter.after_lines == (Threshold("sentences", 2),)
    assert filter.signals == {"quality", "characters", "sentences"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('like = "gofer"', "Did you mean 'gopher'"),
        ("[rulez]", "Did you mean 'rules'"),
        ("[rules]\nword = {least = 1}", "Did you mean 'words'"),
        ("[rules]\nsentences = {least = 1}", "a signal"),
        ("[rules]\nwords = {at_least = 1}", "a bound of words"),
        ("[rules]\nwords = {least = 'many'}", "a number as words.least"),
        ("[rules]\nwords = {least = nan}", "a number as words.least"),
        ("[rules]\nwords = {least = 50, most = 5}", "at most 5 as words.least"),
        ("[rules]\nwords = {}", "a bound of words"),
        ("[rules]\nwords = 5", "a table of bounds of words"),
        ("[rules]\nquality = {pareto = 0}", "quality.pareto"),
        ("[rules]\nquality = {pareto = 9, least = 1}", "quality.pareto"),
        ("[lines]\nmin_words = -1", "min_words"),
        ("[after_lines]\nsentences = {least = 1}", r"\[lines\] beside"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        chosen_filter(write(tmp_path, text))


def test_a_mark_of_the_byte_order_and_one_value_alone(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufeff[rules]\nwords = {least = 5, most = 5}")
    assert chosen_filter(path).rules == (Threshold("words", 5, 5),)


def test_other_names_and_files(tmp_path: Path) -> None:
    assert chosen_filter("c4") is PRESETS["c4"]
    with pytest.raises(ConfigError, match=r"a \.toml file"):
        chosen_filter("martian")
    with pytest.raises(InputError, match="nothing there"):
        chosen_filter(str(tmp_path / "none.toml"))
    with pytest.raises(InputError, match="TOML in"):
        chosen_filter(write(tmp_path, "[rules"))
