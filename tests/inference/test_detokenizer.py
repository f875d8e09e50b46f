from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.inference.detokenizer import Detokenizer, StopTexts
from gptwright.inference.sampling import Sampling
from gptwright.tokenizers import bytefallback
from gptwright.tokenizers.tokenizer import Tokenizer

letters = st.text("ab.", max_size=14)
stops = st.lists(st.text("ab.", min_size=1, max_size=4), max_size=3).map(tuple)


def fed(parts: list[str], stop_texts: tuple[str, ...]) -> tuple[str, bool]:
    """All that is shown, until a stop is met."""
    reader, shown = StopTexts(stop_texts), ""
    for part in parts:
        shown += reader.feed(part)
        if reader.matched:
            return shown, True
    return shown + reader.rest(), False


@given(letters, stops, st.lists(st.integers(0, 14), max_size=6))
def test_where_the_text_was_split_changes_nothing(text: str, stop_texts: tuple[str, ...], cuts: list[int]) -> None:
    borders = [0, *sorted(min(hit_stop_text, len(text)) for hit_stop_text in cuts), len(text)]
    parts = [text[a:b] for a, b in pairwise(borders)]
    assert fed(parts, stop_texts) == fed([text], stop_texts) == fed(list(text), stop_texts)


@given(letters, stops, letters)
def test_what_was_shown_is_the_beginning_and_holds_no_stop(text: str, stop_texts: tuple[str, ...], more: str) -> None:
    shown, matched = fed([text, more], stop_texts)
    assert (text + more).startswith(shown)
    assert not any(stop in shown for stop in stop_texts)
    assert matched == any(stop in text + more for stop in stop_texts)
    assert matched or shown == text + more


@pytest.mark.parametrize(
    ("parts", "stop_texts", "shown"),
    [
        (["Hello ", "Wor", "ld"], ("World",), ["Hello ", "", ""]),
        (["Hello ", "Wor", "d"], ("World",), ["Hello ", "", "Word"]),
        (["a\n", "\n", "b"], ("\n\n",), ["a", ""]),
        (["abcd", "X"], ("abcdX", "cd"), ["ab"]),
    ],
)
def test_text_is_held_back_only_while_it_could_begin_a_stop(
    parts: list[str], stop_texts: tuple[str, ...], shown: list[str]
) -> None:
    reader = StopTexts(stop_texts)
    found: list[str] = []
    for part in parts:
        found.append(reader.feed(part))
        if reader.matched:
            break
    assert found == shown


def read(
    tokenizer: Tokenizer, tokens: list[int], sampling: Sampling, *, starts_text: bool = True
) -> tuple[list[str], str]:
    """What each token showed, what came at the end, and why it ended."""
    reply = Detokenizer(tokenizer, sampling, starts_text=starts_text)
    shown: list[str] = []
    for token in tokens:
        shown.append(reply.feed(token))
        if reply.stopped:
            break
    assert reply.tokens == len(shown)
    return [*shown, reply.finish()], "stop" if reply.stopped else "length"


def test_a_character_comes_with_its_last_token(tokenizer: Tokenizer) -> None:
    cat = tokenizer.encode_bytes("x猫".encode()[:2]) + tokenizer.encode_bytes("猫".encode()[1:])
    assert read(tokenizer, cat, Sampling()) == (["x", "", "", "猫", ""], "length")
    assert read(tokenizer, cat[:-1], Sampling()) == (["x", "", "", "\ufffd"], "length")
    assert read(tokenizer, cat[:-1], Sampling(stop=("\ufffd",))) == (["x", "", "", ""], "stop")


def test_a_stop_id_ends_it_and_what_was_held_back_is_given_out(tokenizer: Tokenizer) -> None:
    q, newline, end = (*tokenizer.encode("q"), *tokenizer.encode("\n"), tokenizer.stop_ids[-1])
    assert read(tokenizer, [q, newline, end, q], Sampling(stop=("\n\n",))) == (["q", "", "", "\n"], "stop")
    assert read(tokenizer, [q, newline, end], Sampling(stop_ids=(newline,))) == (["q", "", ""], "stop")
    assert read(tokenizer, [], Sampling()) == ([""], "length")


def test_a_stop_text_across_tokens_ends_it(tokenizer: Tokenizer) -> None:
    ids = [token for letter in "q\n\nz" for token in tokenizer.encode(letter)]
    assert read(tokenizer, ids, Sampling(stop=("\n\n",))) == (["q", "", "", ""], "stop")


def test_only_what_continues_a_text_keeps_its_space() -> None:
    tokenizer = bytefallback.train(["the cat sat on the mat " * 9], 275)
    the = tokenizer.encode("the")
    assert read(tokenizer, the, Sampling())[0] == ["the", ""]
    assert read(tokenizer, the, Sampling(), starts_text=False)[0] == [" the", ""]
