"""Prefix, suffix, middle: the paper's two orders, cuts between characters, and sentinels that text cannot forge."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.foundations.errors import ConfigError
from gptwright.tokenizers import bytelevel
from gptwright.tokenizers.fill_in_the_middle import KNOWN, SENTINELS, Sentinels, read_template
from gptwright.tokenizers.tokenizer import Tokenizer

BASE = bytelevel.train(["def f(x):\n    return x + 1\n" * 3], 270)
CODE = BASE.with_additional(SENTINELS)
PRE, SUF, MID, END = (*(CODE.special_id(token) for token in SENTINELS), CODE.eos_id)


def parts(ids: list[int], *, suffix_first: bool = False) -> tuple[str, str, str]:
    """Prefix, middle, suffix of a rearranged text; the prefix with the middle where the suffix comes first."""
    assert ids[0] == PRE and ids[-1] == END and ids.count(MID) == ids.count(SUF) == 1
    suffix, middle = ids.index(SUF), ids.index(MID)
    last, between = CODE.decode(ids[middle + 1 : -1]), CODE.decode(ids[suffix + 1 : middle])
    assert suffix == 1 or not suffix_first
    return (last, "", between) if suffix_first else (CODE.decode(ids[1:suffix]), last, between)


@given(st.text(max_size=40), st.integers(0, 2**32), st.booleans())
def test_nothing_is_lost_and_the_suffix_is_behind(text: str, seed: int, suffix_first: bool) -> None:
    ids = Sentinels.of(CODE).rearranged(text, CODE, Random(seed), suffix_first=suffix_first)
    prefix, middle, suffix = parts(ids, suffix_first=suffix_first)
    assert prefix + middle + suffix == CODE.decode(CODE.encode(text))


def test_the_two_orders_by_hand() -> None:
    sentinels = Sentinels.of(CODE)
    assert sentinels.prompt([10, 11], [12], suffix_first=False) == [PRE, 10, 11, SUF, 12, MID]
    assert sentinels.prompt([10, 11], [12], suffix_first=True) == [PRE, SUF, 12, MID, 10, 11]
    assert sentinels.prompt([], []) == [PRE, SUF, MID]


def test_every_pair_of_places_is_as_likely() -> None:
    cuts: Counter[tuple[int, int]] = Counter()
    for seed in range(3000):
        prefix, middle, _ = parts(Sentinels.of(CODE).rearranged("abc", CODE, Random(seed), suffix_first=False))
        cuts[len(prefix), len(prefix) + len(middle)] += 1
    for (first, second), count in cuts.items():
        expected = 3000 / 16 * (1 if first == second else 2)
        assert abs(count - expected) < 5 * expected**0.5
    assert len(cuts) == 10


def test_a_prompt_is_what_training_has_before_the_middle() -> None:
    sentinels = Sentinels.of(CODE)
    for seed in range(20):
        ids = sentinels.rearranged("def f(x): return x", CODE, Random(seed), suffix_first=False)
        prefix, middle, suffix = parts(ids)
        asked = sentinels.prompt(CODE.encode(prefix), CODE.encode(suffix), suffix_first=False)
        assert ids == [*asked, *CODE.encode(middle), END]


@pytest.mark.parametrize("names", KNOWN)
def test_sentinels_of_other_tools_are_found(names: tuple[str, str, str]) -> None:
    tokenizer = BASE.with_additional(names)
    found = Sentinels.of(tokenizer)
    assert [found.prefix, found.suffix, found.middle] == [tokenizer.special_id(name) for name in names]
    # A small model fills holes only where its prefix runs on; of a model from outside it is not known whether it does.
    assert found.prompt([10], [12]) == found.prompt([10], [12], suffix_first=names == SENTINELS)


def test_a_vocabulary_without_them_is_told_what_helps() -> None:
    assert Sentinels.known(BASE) is None
    with pytest.raises(ConfigError, match="gptwright codex"):
        Sentinels.of(BASE)


def test_text_cannot_forge_a_sentinel(tokenizer: Tokenizer) -> None:
    for text in ("".join(SENTINELS), SENTINELS[2], f"x{SENTINELS[0]}y"):
        assert not {PRE, SUF, MID} & set(CODE.encode(text))


@given(st.sampled_from(KNOWN), st.text("ab\n<|>", max_size=9), st.text("ab\n<|>", max_size=9))
def test_sentinels_that_an_editor_has_put_in(names: tuple[str, str, str], before: str, after: str) -> None:
    prefix, suffix, middle = names
    assert read_template(f"{prefix}{before}{suffix}{after}{middle}") == (before, after)


@pytest.mark.parametrize("text", ["", "def f(x):", "<fim_prefix>a<fim_suffix>b", "<fim_prefix>a<fim_middle>",
                                  "x<fim_prefix>a<fim_suffix>b<fim_middle>",
                                  "<fim_prefix>a<|fim_suffix|>b<fim_middle>"])  # fmt: skip
def test_other_texts_have_no_hole(text: str) -> None:
    assert read_template(text) is None
