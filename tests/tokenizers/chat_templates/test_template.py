"""Jinja as transformers renders it, and nothing a template could do harm with."""

from typing import Any

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.tokenizers.chat_templates.template import Message, knows_role, render_text, skipped_message

MESSAGES: list[Message] = [
    {"role": "system", "content": '<b> & "quotes" é 猫'},
    {"role": "user", "content": " Hi\n"},
    {"role": "assistant", "content": ""},
]
NAMES = {"bos_token": "<s>", "eos_token": "</s>"}


@pytest.mark.parametrize("prompt", [True, False])
@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}\n    {% if m.role == 'user' %}\n  {{ m.content }}\n    {% endif %}\n{% endfor %}\n",
        "{{ bos_token }}{% for m in messages %}{{ m['content'] | tojson }}{{ m | tojson(indent=2) }}{% endfor %}",
        "{%- for m in messages -%}{%- if loop.first -%}{%- continue -%}{%- endif -%}{{ m.role | upper }}{%- endfor -%}",
        "{% for m in messages %}{% break %}{% endfor %}{{ messages | length }}{{ messages[-1].content | trim }}",
        "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}|{% endfor %}",
        "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}{{ pad }}",
        "{{ dict(a=1) }}{{ dict.fromkeys(['x']) }}{{ strftime_now('%Y') | length }}",
        "{% if tools %}tools{% endif %}{{ documents is none }}{% if add_generation_prompt %}go{% endif %}",
        "{{ undefined_variable }}{{ messages[0].name }}{{ messages[0]['role'].title() }}{{ range(3) | list }}",
        "{% macro say(m) %}{{ m.role }}:{% endmacro %}{% for m in messages %}{{ say(m) }}{% endfor %}",
    ],
)
def test_the_reference_renders_the_same_text(template: str, prompt: bool) -> None:
    theirs: Any = render_jinja_template([MESSAGES], chat_template=template, add_generation_prompt=prompt, **NAMES)
    assert render_text(template, MESSAGES, NAMES, prompt=prompt) == theirs[0][0]


@pytest.mark.parametrize("template", ["{% for %}", "{{ 'a }}", "{% unknown %}", "{{ a | nofilter }}"])
def test_a_template_that_is_no_jinja(template: str) -> None:
    with pytest.raises(ArtifactError, match="a chat template in Jinja"):
        render_text(template, MESSAGES, NAMES, prompt=True)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ raise_exception('Only users here') }}", "Only users here"),
        ("{{ messages[7].content }}", "list object has no element 7"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ messages.append(1) }}", "unsafe|not safely callable"),
        ("{{ namespace(__class__=1) }}", "cannot have the attribute"),
        ("{% set ns = namespace() %}{% set ns._x = 1 %}", "cannot have the attribute"),
        ("{{ dict.__init__() }}", "unsafe"),
        ("{% for i in range(10**9) %}{% endfor %}", "[Rr]ange"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion"),
    ],
)
def test_a_template_that_refuses_or_must_be_refused(template: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        render_text(template, MESSAGES, NAMES, prompt=True)
    assert "chat template" in str(error.value)


def test_a_template_cannot_change_the_messages() -> None:
    template = "{% for m in messages %}{% if m.update({'role': 'x'}) %}{% endif %}{% endfor %}"
    with pytest.raises(InputError):
        render_text(template, MESSAGES, NAMES, prompt=True)
    assert [message["role"] for message in MESSAGES] == ["system", "user", "assistant"]


def test_roles_a_template_knows(templates: dict[str, str]) -> None:
    names = tuple(NAMES.items())
    for name, template in templates.items():
        assert knows_role(template, "user", names) and knows_role(template, "assistant", names)
        assert knows_role(template, "system", names) == (name != "gemma")
    assert not knows_role("{% for m in messages %}{{ m.role }}{% endfor %}", "user", names)


FIRST_SYSTEM_ONLY = (
    "{% for m in messages %}{% if m.role != 'system' or loop.first %}{{ m.content }}{% endif %}{% endfor %}"
)
LAST_USER_HAS_IT = (
    "{% for m in messages %}{% if m.role != 'system' %}{{ m.content }}{% if loop.last %}{{ messages[0].content }}"
    "{% endif %}{% endif %}{% endfor %}"
)


@pytest.mark.parametrize(
    ("template", "roles", "place"),
    [
        (FIRST_SYSTEM_ONLY, ("system", "user", "assistant"), None),
        (FIRST_SYSTEM_ONLY, ("user", "assistant", "system", "user"), 2),
        (FIRST_SYSTEM_ONLY, ("system", "system", "user"), 1),
        (LAST_USER_HAS_IT, ("system", "user", "assistant", "user"), None),
        ("{{ raise_exception('roles must alternate') }}", ("user", "user"), None),
        ("{{ messages[-1].content | trim }}", ("user",) * 12, 0),
    ],
)
def test_a_message_that_is_passed_over_is_found(template: str, roles: tuple[str, ...], place: int | None) -> None:
    assert skipped_message(template, roles, ()) == place
