import json
import re
import sys
from typing import Any

import numpy as np
import pytest

from gptwright.foundations.errors import ConfigError, InputError
from gptwright.inference.grammar import GrammarCompiler, Matcher
from gptwright.inference.sampling import Sampling, SettingError
from gptwright.tokenizers.registry import TRAINERS
from gptwright.tokenizers.tokenizer import Tokenizer

TEXT = (
    'the cat sat on the mat; {"a": 12, "b": ["sat", null, true, false]} yes no x - . , 0 1 2 3 4 5 6 7 8 9\n'
    "a b c d e f g h i j k l m n o p q r s t u v w x y z [ ] { } : / the dog ran to the sea \n"
) * 4
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "integer", "minimum": 0, "maximum": 99}, "b": {"enum": ["cat", "sat", None]}},
    "required": ["a", "b"],
    "additionalProperties": False,
}
VOCAB = {"byte-level": 310, "byte-fallback": 310, "gpt1": 160, "wordpiece": 150}


@pytest.fixture(scope="module", params=list(TRAINERS))
def kind(request: pytest.FixtureRequest) -> Tokenizer:
    return TRAINERS[request.param]([TEXT], VOCAB[request.param])


def may_end(matcher: Matcher) -> bool:
    """Whether what was written is whole, as llguidance says."""
    return matcher._matcher.is_accepting()


def must_end(matcher: Matcher) -> bool:
    """Whether nothing can follow, as llguidance says."""
    return matcher._matcher.is_stopped()


def follow(matcher: Matcher, tokenizer: Tokenizer, seed: int) -> list[int]:
    """Tokens drawn from those allowed, until the answer may end."""
    numbers, said = np.random.default_rng(seed), list[int]()
    while not may_end(matcher):
        row = matcher.allowed()[0]
        assert len(row) == tokenizer.vocab and not row[tokenizer.stop_ids].any()
        said.append(int(numbers.choice(np.flatnonzero(row))))
        matcher.accept(said[-1])
    assert matcher.allowed()[0][tokenizer.stop_ids].all()
    return said


def test_whatever_is_drawn_is_json_of_the_schema(kind: Tokenizer) -> None:
    grammars = GrammarCompiler(kind)
    for seed in range(20):
        matcher = grammars.matcher(Sampling(schema=SCHEMA))
        assert matcher
        text = kind.decode(follow(matcher, kind, seed))
        found = json.loads(text)
        assert "".join(text.split()) == json.dumps(found, separators=(",", ":"))
        assert list(found) == ["a", "b"]
        assert found["a"] in range(100) and found["b"] in ("cat", "sat", None)
        more = set(np.flatnonzero(matcher.allowed()[0]).tolist()) - set(kind.stop_ids)
        assert not kind.decode(more).strip()
        assert not (must_end(matcher) and more)


def test_whatever_is_drawn_matches_the_regex(kind: Tokenizer) -> None:
    for pattern in ("(yes|no)/x", "[a-c]{3,5}( the)?", r"\d+"):
        for seed in range(10):
            matcher = GrammarCompiler(kind).matcher(Sampling(regex=pattern))
            assert matcher
            text = kind.decode(follow(matcher, kind, seed))
            assert re.fullmatch(pattern, text), text


@pytest.mark.parametrize("schema", [SCHEMA, {"type": "object"}, {"type": "array", "items": {"type": "integer"}}, {}])
def test_nothing_blank_may_come_between_the_parts_of_a_json_text(schema: dict[str, Any]) -> None:
    """A model that likes blanks would write them until its tokens are spent."""
    tokenizer = TRAINERS["byte-level"]([TEXT], VOCAB["byte-level"])
    blank = [i for i in range(tokenizer.vocab) if (said := tokenizer.token_bytes(i)) and not said.strip()]
    assert blank
    for text in ("", "{", '{"a":', '{"a":1,', "[", "[1,") if schema != SCHEMA else ("", "{", '{"a":', '{"a":1,'):
        matcher = GrammarCompiler(tokenizer).matcher(Sampling(schema=schema))
        assert matcher
        tokens = tokenizer.encode(text)
        if all(matcher.allowed()[0][token] and matcher.accept(token) is None for token in tokens):
            assert not matcher.allowed()[0][blank].any()


def test_a_schema_may_say_itself_which_blanks_it_wants() -> None:
    tokenizer = TRAINERS["byte-level"]([TEXT], VOCAB["byte-level"])
    own = {"x-guidance": {"whitespace_flexible": True}}
    (open_,), (space, *_) = tokenizer.encode("{"), tokenizer.encode(" ")
    for schema, blanks in ((SCHEMA, False), (SCHEMA | own, True)):
        matcher = GrammarCompiler(tokenizer).matcher(Sampling(schema=schema))
        assert matcher
        matcher.accept(open_)
        assert matcher.allowed()[0][space] == blanks


def test_an_answer_that_may_end_need_not() -> None:
    tokenizer = TRAINERS["byte-level"]([TEXT], 310)
    matcher = GrammarCompiler(tokenizer).matcher(Sampling(regex="[ab]{1,3}"))
    assert matcher and not may_end(matcher)
    for token, must in zip(tokenizer.encode("aba"), (False, False, True), strict=False):
        matcher.accept(token)
        assert may_end(matcher) and must_end(matcher) == must
    matcher.accept(tokenizer.stop_ids[0])


def test_what_continues_a_text_keeps_the_space_of_its_kind() -> None:
    tokenizer = TRAINERS["byte-fallback"]([TEXT], 310)
    space, word = tokenizer.encode("yes")[0], Sampling(regex="yes")
    for starts_text in (True, False):
        matcher = GrammarCompiler(tokenizer).matcher(word, starts_text=starts_text)
        assert matcher
        assert tokenizer.backend.id_to_token(space).startswith("▁")
        assert matcher.allowed()[0][space] == starts_text


def test_drafts_are_looked_at_and_not_taken() -> None:
    tokenizer = TRAINERS["byte-level"]([TEXT], 310)
    a, b, x = (tokenizer.encode(letter)[0] for letter in "abx")
    matcher = GrammarCompiler(tokenizer).matcher(Sampling(regex="[ab][ax]"))
    assert matcher
    first, second, third, fourth = matcher.allowed([a, x, b])
    assert first[[a, b, x]].tolist() == [True, True, False]
    assert second[[a, b, x]].tolist() == [True, False, True]
    assert not third[[a, b, x]].any() and third[tokenizer.stop_ids].all()
    assert len(fourth) == tokenizer.vocab, "nobody gets here"
    assert (matcher.allowed()[0] == first).all()
    for impossible in ([x, a], [tokenizer.stop_ids[0], a], [99_999, a]):
        assert len(matcher.allowed(impossible)) == 3
    assert not may_end(matcher)


def test_other_stop_ids_come_only_at_the_end_too() -> None:
    tokenizer = TRAINERS["byte-level"]([TEXT], 310)
    a, pad = tokenizer.encode("a")[0], tokenizer.pad_id
    matcher = GrammarCompiler(tokenizer).matcher(Sampling(regex="aa?", stop_ids=(a, pad, 99_999)))
    assert matcher
    with pytest.raises(InputError):  # the only way to begin would be to end
        matcher.allowed()
    matcher = GrammarCompiler(tokenizer).matcher(Sampling(regex="ba?", stop_ids=(a, pad)))
    assert matcher and not matcher.allowed()[0][[a, pad]].any()
    matcher.accept(tokenizer.encode("b")[0])
    assert matcher.allowed()[0][[a, pad]].all()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"schema": {"type": "nonsense"}}, "Invalid type: nonsense"),
        ({"schema": {"type": "integer", "minimum": 3, "maximum": 1}}, "minimum .3. is greater than maximum"),
        ({"schema": {"$ref": "#/nowhere"}}, "does not exist"),
        ({"schema": {"enum": []}}, "Unsatisfiable"),
        ({"schema": {"type": "string", "pattern": "("}}, "unclosed group"),
        ({"regex": "("}, "unclosed group"),
        ({"regex": "(?=a)b"}, "look-ahead"),
        ({"regex": "/\nmain: x"}, "that this vocabulary can spell"),
    ],
)
def test_what_cannot_be_met_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=said) as error:
        matcher = GrammarCompiler(TRAINERS["gpt1"]([TEXT], VOCAB["gpt1"])).matcher(Sampling(**settings))
        assert matcher
        follow(matcher, TRAINERS["gpt1"]([TEXT], VOCAB["gpt1"]), 0)
    assert [error.value.setting] == list(settings)


def test_a_grammar_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    grammars, compiled = GrammarCompiler(TRAINERS["byte-level"]([TEXT], 310)), list[str]()
    compile_ = grammars._library.LLMatcher  # pyright: ignore[reportPrivateUsage]

    class Library:
        LLParserLimits = staticmethod(grammars._library.LLParserLimits)  # pyright: ignore[reportPrivateUsage]
        regex_to_lark = staticmethod(grammars._library.regex_to_lark)  # pyright: ignore[reportPrivateUsage]

        @staticmethod
        def LLMatcher(words: Any, text: str, **how: Any) -> Any:
            compiled.append(text)
            return compile_(words, text, **how)

    monkeypatch.setattr(grammars, "_library", Library)
    one, two = (grammars.matcher(Sampling(schema=SCHEMA)) for _ in range(2))
    assert one and two and len(compiled) == 1
    one.accept(int(np.flatnonzero(one.allowed()[0])[0]))
    assert (two.allowed()[0] == grammars.matcher(Sampling(schema=dict(SCHEMA))).allowed()[0]).all()  # type: ignore
    assert len(compiled) == 1


def test_answers_are_free_where_nothing_is_asked_for() -> None:
    assert GrammarCompiler(TRAINERS["byte-level"]([TEXT], 310)).matcher(Sampling()) is None


def test_without_the_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(ConfigError, match=re.escape("gptwright[grammar]")):
        GrammarCompiler(TRAINERS["byte-level"]([TEXT], 310))


class Narrow:
    """A grammar that lets the ids 0 and 1 come, and behind 1 nothing that the vocabulary has."""

    def __init__(self, said: int | None = None) -> None:
        self.said = said

    def deep_copy(self) -> "Narrow":
        return Narrow(self.said)

    def consume_token(self, token: int) -> bool:
        self.said = token
        return True

    def is_accepting(self) -> bool:
        return False

    def compute_bitmask(self) -> bytes:
        return b"\0" if self.said == 1 else b"\3"


def test_a_draft_that_leads_nowhere_is_no_error_before_it_is_drawn() -> None:
    matcher = Matcher(Narrow(), 8, frozenset({7}), frozenset())
    assert [row.sum() for row in matcher.allowed([1, 0])] == [2, 2, 2]
    matcher.accept(1)
    with pytest.raises(InputError, match="this vocabulary can spell"):
        matcher.allowed()
