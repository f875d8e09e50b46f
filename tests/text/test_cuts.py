from collections import Counter

from gptwright.text.cuts import Cuts, utf8_size


def test_a_loss_is_counted_in_characters_and_bytes() -> None:
    cuts = Cuts.by_reader({"front matter": 5})
    assert cuts.count("layout", "né  ", "né") == "né"
    assert cuts.count("letters", "你", "ab") == "ab"
    assert cuts.characters == Counter({"front matter": 5, "layout": 2, "letters": -1})
    assert cuts.bytes == Counter({"layout": 2, "letters": 1})
    again = cuts.copy()
    again.count("layout", "x", "")
    assert cuts.bytes["layout"] == 2 and again.bytes["layout"] == 3


def test_halves_of_signs_have_a_size() -> None:
    assert [utf8_size(text) for text in ("", "ab", "é", "汉字", "🙂", "\ud800")] == [0, 2, 2, 6, 4, 3]
