"""Templates of other models: transformers' ids, nobody in another's role, and exactly the assistant's words learned."""

import json
from typing import Any

import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.tokenizers.chat_templates.chat import Message, prompt_ids, render
from gptwright.tokenizers.edge_cases import TEXTS
from gptwright.tokenizers.special_tokens import CHAT_TOKENS, SpecialTokens
from gptwright.tokenizers.tokenizer import Tokenizer
from tokenizers import AddedToken, pre_tokenizers
from tokenizers import Tokenizer as Backend

OUR_TOKENS = CHAT_TOKENS.tokens
SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "[X]"]
STOPS = {"chatml": "<|im_end|>", "llama2": "</s>", "zephyr": "</s>", "gemma": "<|im_end|>"}
# How the reference continues behind a special token: with a space of its own (LLaMA's first files), without one (its
# class today), and byte-level, which never has one.
BACKENDS = ["byte-level", "byte-fallback", "metaspace"]

words = st.one_of(st.sampled_from(TEXTS), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
harmless = words.filter(lambda text: not any(token in text for token in [*SPECIAL, *OUR_TOKENS, "<unk>"]))
spelt = st.lists(
    st.one_of(st.sampled_from([*SPECIAL, "<|im_", "start|>", "<|im_end|", ">", "<", "s>", "\ue000", "\ue001"]), words),
    max_size=4,
).map("".join)


def turns(contents: st.SearchStrategy[str]) -> st.SearchStrategy[list[Message]]:
    """Conversations whose roles alternate; some ask the system first, where the template allows."""
    return st.lists(contents, min_size=1, max_size=5).map(
        lambda said: [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said)]
    )


def backend_of(learned: dict[str, Tokenizer], name: str) -> Backend:
    kind = "byte-level" if name == "byte-level" else "byte-fallback"
    backend = Backend.from_str(learned[kind].backend.to_str())
    if name == "metaspace":
        backend.normalizer = None
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    backend.add_special_tokens([AddedToken(t, special=True, rstrip=t == "[X]", normalized=False) for t in SPECIAL])
    return backend


class Both:
    """Our tokenizer and the reference's, over one vocabulary and one template."""

    def __init__(self, backend: Backend, template: str, stop: str) -> None:
        self.theirs: Any = transformers.PreTrainedTokenizerFast(
            tokenizer_object=backend, chat_template=template, bos_token="<s>", eos_token="</s>", pad_token="</s>"
        )
        stops = tuple(dict.fromkeys(["</s>", stop]))
        special_tokens = SpecialTokens(bos="<s>", eos="</s>", pad="</s>", stop=stops, chat_template=template)
        self.ours = Tokenizer(backend, special_tokens)

    def reference(self, messages: list[Message], *, prompt: bool = False) -> list[int]:
        return self.theirs.apply_chat_template(messages, add_generation_prompt=prompt, return_dict=False)


@pytest.fixture(scope="module")
def every(learned: dict[str, Tokenizer], templates: dict[str, str]) -> dict[tuple[str, str], Both]:
    return {
        (kind, name): Both(backend_of(learned, kind), template, STOPS[name])
        for kind in BACKENDS
        for name, template in templates.items()
    }


pairs = pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in BACKENDS for name in STOPS])
Every = dict[tuple[str, str], Both]


@pairs
@settings(max_examples=30)
@given(messages=turns(harmless))
def test_the_reference_renders_the_same_ids(every: Every, kind: str, name: str, messages: list[Message]) -> None:
    both = every[kind, name]
    assert prompt_ids(messages, both.ours) == both.reference(messages, prompt=True)
    assert render(messages, both.ours)[0] == both.reference(messages)


@pairs
@settings(max_examples=30)
@given(messages=turns(spelt))
def test_nobody_speaks_in_anothers_role(every: Every, kind: str, name: str, messages: list[Message]) -> None:
    """The same special tokens in the same places as when everybody says something harmless."""
    both = every[kind, name]
    plain: list[Message] = [{"role": m["role"], "content": "a"} for m in messages]
    ids = render(messages, both.ours)[0]
    control = both.ours.all_special_ids
    assert [i for i in ids if i in control] == [i for i in render(plain, both.ours)[0] if i in control]
    said = "".join(message["content"] for message in messages)
    if kind == "byte-level":
        written = both.ours.decode(ids)
        assert all(message["content"].strip() in written for message in messages)
        assert written.count("\ue000") == said.count("\ue000")


@pairs
@settings(max_examples=30)
@given(messages=turns(spelt))
def test_exactly_the_assistants_words_and_end_of_turn_are_learned(
    every: Every, kind: str, name: str, messages: list[Message]
) -> None:
    tokenizer = every[kind, name].ours
    ids, said = render(messages, tokenizer)
    stop, turn, found = tokenizer.special_id(STOPS[name]), list[int](), list[list[int]]()
    for i, learned in zip(ids, said, strict=True):
        if learned:
            turn.append(i)
            if i == stop:
                found.append(turn)
                turn = []
    assert turn == []
    wanted = [message["content"] for message in messages if message["role"] == "assistant"]
    assert len(found) == len(wanted)
    if name == "chatml" and kind == "byte-level":
        shown = [tokenizer.decode(turn) for turn in found]
        assert all(text.endswith(part) for text, part in zip(wanted, shown, strict=True))
        assert [t for t, w in zip(shown, wanted, strict=True) if not w.startswith("\n")] == [
            w for w in wanted if not w.startswith("\n")
        ]


def test_chatml_by_hand(every: Every) -> None:
    tokenizer = every["byte-level", "chatml"].ours
    start, end = tokenizer.special_id("<|im_start|>"), tokenizer.special_id("<|im_end|>")
    say = tokenizer.encode
    messages: list[Message] = [
        {"role": "system", "content": "Be"},
        {"role": "user", "content": "a <|im_end|>"},
        {"role": "assistant", "content": "b"},
    ]
    asked = [start, *say("system\nBe"), end, *say("\n"), start, *say("user\na <|im_end|>"), end, *say("\n")]
    expected = [*asked, start, *say("assistant\n"), *say("b"), end, *say("\n")]
    ids, said = render(messages, tokenizer)
    assert ids == expected
    assert [at for at, learned in enumerate(said) if learned] == [len(ids) - 3, len(ids) - 2]
    assert prompt_ids(messages[:2], tokenizer) == [*asked, start, *say("assistant\n")]


def test_what_a_template_says_by_default_stays(every: Every) -> None:
    tokenizer = every["byte-level", "chatml"].ours
    ids = prompt_ids([{"role": "user", "content": "a"}], tokenizer)
    assert tokenizer.decode(ids).startswith("system\nYou are a helpful AI assistant\nuser\na\nassistant\n")


@pytest.mark.parametrize("kind", BACKENDS)
def test_a_control_token_that_takes_the_space_behind_it(learned: dict[str, Tokenizer], kind: str) -> None:
    both = Both(backend_of(learned, kind), "{{ messages[0].content }}[X]  {{ messages[0].content }} [X]", "</s>")
    for said in ("the cat", "<s>"):
        messages: list[Message] = [{"role": "user", "content": said}]
        text = both.ours.decode(prompt_ids(messages, both.ours))
        if said == "the cat":
            assert prompt_ids(messages, both.ours) == both.reference(messages)
            assert text in ("the catthe cat ", "the cat the cat ")
        assert both.ours.special_id("<s>") not in prompt_ids(messages, both.ours)


def test_roles_that_a_template_does_not_know(every: Every) -> None:
    messages: list[Message] = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    with pytest.raises(InputError, match=r"template knows.*'system'"):
        prompt_ids(messages, every["byte-level", "gemma"].ours)


def test_a_template_that_passes_over_a_role_in_silence(learned: dict[str, Tokenizer]) -> None:
    template = "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}</s>{% endif %}{% endfor %}"
    tokenizer = Both(backend_of(learned, "byte-level"), template, "</s>").ours
    assert prompt_ids([{"role": "user", "content": "a"}], tokenizer)
    for role in ("system", "assistant"):
        with pytest.raises(InputError, match=rf"template knows.*'{role}'"):
            prompt_ids([{"role": role, "content": "s"}, {"role": "user", "content": "u"}], tokenizer)


def test_a_template_that_refuses_an_order(every: Every) -> None:
    messages: list[Message] = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
    with pytest.raises(InputError, match="must alternate"):
        prompt_ids(messages, every["byte-level", "llama2"].ours)


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}",  # no end of turn
        "{% for m in messages %}{{ m.role }}: {{ m.content }}</s>{% endfor %}"
        "{% if add_generation_prompt %}now: {% endif %}",  # another prompt than the turn begins with
        "{% for m in messages %}{% if m.role == 'assistant' and not loop.last %}{{ m.content[:1] }}{% else %}"
        "{{ m.content }}{% endif %}</s>{% endfor %}",  # earlier turns are cut
    ],
)
def test_a_template_that_does_not_show_who_speaks(learned: dict[str, Tokenizer], template: str) -> None:
    tokenizer = Both(backend_of(learned, "byte-level"), template, "</s>").ours
    messages: list[Message] = [
        {"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(["a", "bc", "d", "e"])
    ]
    with pytest.raises(ArtifactError, match="shows which words are the assistant's"):
        render(messages, tokenizer)


def test_an_assistant_that_speaks_first(every: Every) -> None:
    with pytest.raises(InputError, match="that a user or the system begins"):
        render([{"role": "assistant", "content": "a"}], every["byte-level", "chatml"].ours)


def test_halves_of_surrogate_pairs(every: Every) -> None:
    tokenizer = every["byte-level", "chatml"].ours
    assert "a\ufffdb" in tokenizer.decode(prompt_ids([{"role": "user", "content": "a\ud800b"}], tokenizer))


def test_a_control_token_of_one_character(learned: dict[str, Tokenizer]) -> None:
    backend = backend_of(learned, "byte-level")
    backend.add_special_tokens(["\u1200"])
    tokenizer = Both(backend, "{{ messages[0].content }}</s>", "</s>").ours
    ids = prompt_ids([{"role": "user", "content": "a \u1200"}], tokenizer)
    assert ids == [*tokenizer.encode("a \u1200"), tokenizer.special_id("</s>")]
    assert tokenizer.special_id("\u1200") not in ids


def test_tokens_that_only_the_template_makes_control(learned: dict[str, Tokenizer]) -> None:
    backend = backend_of(learned, "byte-level")
    backend.add_tokens([AddedToken("<think>", special=False), AddedToken("\n\n\n", special=False)])
    template = (
        "{% for m in messages %}{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<think>\n\n\n{% endif %}"
    )
    both = Both(backend, template, "</s>")
    messages: list[Message] = [{"role": "user", "content": "a\n\n\nb"}]
    assert prompt_ids(messages, both.ours) == both.reference(messages, prompt=True)
    ids = prompt_ids([{"role": "user", "content": "<think>\n\n\n"}], both.ours)
    assert ids.count(both.ours.special_id("<think>")) == 1 and ids.count(both.ours.special_id("\n\n\n")) == 2
    assert json.loads(both.ours.backend.to_str())["added_tokens"][-2]["special"] is False


# As reasoning models, tool callers and careful prompts look at what was said before they write it.
LOOKING = {
    "reasoning is taken away": "{% for m in messages %}{{ '<|im_start|>' + m.role }}\n{% if '</think>' in m.content %}"
    "{{ m.content.split('</think>')[-1].lstrip('\n') }}{% else %}{{ m.content }}{% endif %}<|im_end|>{% endfor %}",
    "only of earlier turns": "{% set ns = namespace(last=-1) %}{% for m in messages %}{% if m.role == 'user' and not "
    "(m.content.startswith('<tool_response>') and m.content.endswith('</tool_response>')) %}"
    "{% set ns.last = loop.index0 %}{% endif %}{% endfor %}{% for m in messages %}{% set content = m.content %}"
    "{% set reasoning = '' %}{% if '</think>' in content %}{% set reasoning = content.split('</think>')[0].rstrip('\n')"
    ".split('<think>')[-1].lstrip('\n') %}{% set content = content.split('</think>')[-1].lstrip('\n') %}{% endif %}"
    "{% if loop.index0 > ns.last %}{{ '<|im_start|>' ~ m.role ~ '\n<think>\n' ~ reasoning.strip('\n') "
    "~ '\n</think>\n\n' ~ content }}{% else %}{{ '<|im_start|>' + m.role + '\n' + content }}{% endif %}<|im_end|>"
    "{% endfor %}",
    "cut and counted": "{% for m in messages %}{{ m.content[:5] }}|{{ m.content | length }}|{{ m.content | first }}|"
    "{{ m.content | trim }}|{{ m.content | replace('<', '(') }}|{{ m.content.count('s') }}</s>{% endfor %}",
    "a variable between": "{% for m in messages %}{% set text = '[' ~ m.content ~ ']' %}{% if text.startswith('[<') %}"
    "{{ text[1:-1] | upper }}{% elif text == '[]' %}empty{% else %}{{ text }}{% endif %}</s>{% endfor %}",
    "macros and blocks": "{% macro say(m) %}<|im_start|>{{ m.content }}{% endmacro %}{% for m in messages %}"
    "{% set text %}{{ say(m) | trim }}{% endset %}{{ text | length }}{{ text }}{{ text.endswith('s>') }}"
    "</s>{% endfor %}",
    "json and lists": "{{ messages | tojson }}{% for m in messages %}{{ m.content.splitlines() | join('+') }}"
    "{{ [m.content, 'x'] | join(', ') }}{{ m.content.split() | list | length }}</s>{% endfor %}",
    "numbers and tests": "{% for m in messages %}{{ m.content | int }}{{ m.content is string }}"
    "{{ m.content in ['7', 'a'] }}{{ m.content | wordcount }}{{ m.content | truncate(8) }}{{ m.content | e }}"
    "{{ {'7': 'seven'}[m.content] }}{{ m.content.isdigit() }}{{ m.content | lower | title }}</s>{% endfor %}",
    "names": "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}{{ unk_token }}"
    "{{ sep_token }}{{ cls_token }}{{ mask_token }}{{ pad_token }}",
}
THINKING = ["<think>\nhm <b>\n</think>\n\nYes.", "</think>", "a</think>b</think>\nc",
            "<tool_response>x</tool_response>",
            "7", "", "<thin", " spaces \n and lines\n", "héllo | wörld"]  # fmt: skip


@pytest.fixture(scope="module")
def lookers(learned: dict[str, Tokenizer]) -> dict[tuple[str, str], Both]:
    found = dict[tuple[str, str], Both]()
    for kind in BACKENDS:
        backend = backend_of(learned, kind)
        backend.add_special_tokens(["<think>", "</think>"])
        for name, template in LOOKING.items():
            found[kind, name] = Both(backend, template, "</s>")
    return found


@pytest.mark.parametrize("kind", BACKENDS)
@pytest.mark.parametrize("name", LOOKING)
def test_a_template_that_looks_at_what_was_said(lookers: dict[tuple[str, str], Both], kind: str, name: str) -> None:
    """It decides as the reference's, of whatever is said; what is said and stays becomes no special token."""
    both = lookers[kind, name]
    plain = [text for text in THINKING if "think>" not in text]
    for said in THINKING:
        messages: list[Message] = [
            {"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(["hi", said, "and", said])
        ]
        ours, theirs = prompt_ids(messages, both.ours), both.reference(messages, prompt=True)
        assert both.ours.decode(ours) == both.theirs.decode(theirs, skip_special_tokens=True) or said not in plain
        if said in plain:
            assert ours == theirs
        written: str = both.theirs.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        if kind == "byte-level":
            assert both.theirs.decode(ours) == written
            spelt = sum(said.count(token) for token in ("<think>", "</think>")) * 2
            think = [both.ours.special_id(token) for token in ("<think>", "</think>")]
            assert sum(i in think for i in ours) <= sum(i in think for i in theirs) <= spelt + 8
