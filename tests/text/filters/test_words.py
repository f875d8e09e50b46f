from hypothesis import given
from hypothesis import strategies as st

from gptwright.text.filters.words import LETTER, split_words

TEXT = st.text(st.one_of(st.characters(), st.sampled_from(" \n.,'’-/:()=人ab1A")), max_size=80)


def words(text: str) -> list[str]:
    found = split_words(text)
    return [text[begin:end] for begin, end in zip(found.begin, found.end, strict=True)]


def test_the_rule_by_hand() -> None:
    assert words("Don't stop (foo/bar), she said.") == [
        "Don", "'t", "stop", "(", "foo", "/", "bar", ")", ",", "she", "said", "."]  # fmt: skip
    assert words("1,000 or 3.14 or 1-2; a-b wait... U.S. e.g. here.") == [
        "1,000", "or", "3.14", "or", "1", "-", "2", ";", "a", "-", "b", "wait", "...", "U.S.", "e.g.", "here", "."
    ]  # fmt: skip
    assert words("--option x=1 __init__ http://a.b/c?d=e-fg.") == [
        "--option", "x=1", "_", "_", "init", "_", "_", "http://a.b/c?d=e-fg", "."]  # fmt: skip
    assert words("我们的 𠀀 café") == ["我", "们", "的", "𠀀", "café"]
    assert words("") == words(" \n ") == []


@given(TEXT)
def test_words_are_all_that_is_no_space_in_order(text: str) -> None:
    found = split_words(text)
    assert (found.begin < found.end).all() and (found.end[:-1] <= found.begin[1:]).all()
    inside = {place for begin, end in zip(found.begin, found.end, strict=True) for place in range(begin, end)}
    outside = [sign for place, sign in enumerate(text) if place not in inside]
    assert all(sign.isspace() or not sign.isprintable() for sign in outside)
    assert not any(sign.isspace() for word in words(text) for sign in word)


@given(TEXT)
def test_words_have_the_same_hash_when_they_are_the_same(text: str) -> None:
    found = split_words(text)
    assert len(set(found.hashes.tolist())) == len(set(words(text)))


@given(TEXT, TEXT)
def test_a_word_has_its_hash_wherever_it_stands(before: str, text: str) -> None:
    moved = split_words(f"{before}\n{text}")
    assert moved.hashes[len(split_words(before)) :].tolist() == split_words(text).hashes.tolist()


def test_kinds_say_what_a_word_is_made_of() -> None:
    assert [bool(kind & LETTER) for kind in split_words("a1 12 ! é 人").kinds] == [True, False, False, True, True]
