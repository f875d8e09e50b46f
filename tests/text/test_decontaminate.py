import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.text import decontaminate
from gptwright.text.decontaminate import MOST_PIECES, Contamination, runs

QUESTION = " ".join(f"word{i}" for i in range(20))
RUN = " ".join(f"Word{i}," for i in range(3, 16))


def filler(name: str, characters: int) -> str:
    return " ".join(f"{name}{i}" for i in range(characters))[:characters]


def test_thirteen_words_of_a_test_are_found() -> None:
    asked = Contamination([QUESTION, "too short to say"])
    assert len(asked) == 20 - 13 + 1
    assert len(asked.found(f"before {RUN} behind")) == 1
    assert not asked.found("before " + " ".join(f"word{i}" for i in range(3, 15)) + " behind")
    assert not asked.found("too short to say") and not len(runs("one two").hashes)
    assert not Contamination([]).found(QUESTION)


WORDS = st.lists(st.sampled_from(["a", "B", "ΣΑΣ", "İ", "人", "-", "\n", ""]), max_size=30).map(" ".join)


@given(st.lists(WORDS, max_size=6))
def test_many_tests_have_the_runs_of_each_and_no_others(tests: list[str]) -> None:
    each = set[int]().union(*(runs(text).hashes.tolist() for text in tests))
    with pytest.MonkeyPatch.context() as patch:
        for batch in (0, 20, 2**18):
            patch.setattr(decontaminate, "BATCH", batch)
            assert set(Contamination(tests)._hashes.tolist()) == each  # pyright: ignore[reportPrivateUsage]


def test_signs_letter_case_and_lines_do_not_hide_a_run() -> None:
    asked = Contamination([QUESTION])
    assert len(asked.found(QUESTION.upper().replace(" ", " --\n"))) == len(asked)
    turkish = f"İstanbul {QUESTION}"  # its first letter has two small ones
    assert len(Contamination([turkish]).found(turkish)) == len(asked) + 1


def test_what_is_around_a_run_goes_with_it() -> None:
    asked = Contamination([QUESTION])
    before, behind = filler("a", 600), filler("b", 500)
    text = f"{before} {RUN} {behind}"
    begin = text.index("Word3")
    end = text.index("Word15") + len("Word15")
    assert asked.pieces(text) == [text[: begin - 200], text[end + 200 :]]
    assert asked.pieces(f"{filler('a', 399)} {RUN} {filler('b', 300)}") == [filler("a", 399)[:200]]
    assert asked.pieces(RUN) == []
    assert asked.pieces(before) == [before]


def test_a_text_in_too_many_pieces_goes_and_phrases_stay() -> None:
    asked = Contamination([QUESTION])
    parts = [filler(f"c{i}x", 700) for i in range(MOST_PIECES + 1)]
    assert len(asked.pieces(f" {RUN} ".join(parts[:-1])) or ()) == MOST_PIECES
    whole = f" {RUN} ".join(parts)
    assert asked.pieces(whole) is None
    assert asked.pieces(whole, asked.found(whole)) == [whole]


def test_every_planted_run_is_found() -> None:
    tests = [" ".join(f"t{n}w{i}" for i in range(40)) for n in range(50)]
    asked = Contamination(tests)
    for number, test in enumerate(tests):
        words = test.split()[number % 27 : number % 27 + 13]
        assert asked.found(f"{filler('d', 300)} {' '.join(words)} {filler('e', 300)}")
