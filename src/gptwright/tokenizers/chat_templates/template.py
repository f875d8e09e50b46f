"""Chat templates in Jinja, rendered as `transformers` does, in a sandbox: a template is a program of a stranger."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import jinja2
from jinja2.compiler import CodeGenerator, Frame
from jinja2.ext import Extension, loopcontrols
from jinja2.filters import make_attrgetter
from jinja2.nodes import Concat, EvalContext, Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import pass_eval_context

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.tokenizers.chat_templates.parts import Message
from gptwright.tokenizers.chat_templates.special_token_escaping import joined, on_unescaped_text

# Filters of Jinja's that look at characters by other ways than the methods of a text.
_FILTERS = ("title", "wordcount", "wordwrap", "escape", "e", "forceescape", "striptags", "urlencode", "urlize",
               "indent", "truncate", "format", "pprint", "filesizeformat")  # fmt: skip


Tool = Mapping[str, Any]
"""what the assistant may call: `{"type": "function", "function": {"name", "description", "parameters"}}`"""


def render_text(
    template: str,
    messages: Sequence[Message],
    names: Mapping[str, str],
    *,
    prompt: bool,
    tools: Sequence[Tool] = (),
) -> str:
    """The conversation as the template writes it; with `prompt`, up to where the assistant is to speak.

    `names` are the tokens that templates ask for by name, such as bos_token; `tools` what may be called. Raises
    `ArtifactError` when the template is not Jinja, `InputError` when it refuses the conversation.
    """
    compiled = _compiled(template)
    try:
        return compiled.render(
            messages=[dict(m) for m in messages],
            add_generation_prompt=prompt,
            tools=list(tools) or None,
            documents=None,
            **names,
        )
    except Exception as error:  # a template is a program: it may fail in any way
        raise InputError("a conversation that the model's chat template can write",
                         f"its refusal: {error or type(error).__name__}",
                         "Change the roles or their order.") from error  # fmt: skip


@lru_cache
def knows_role(template: str, role: str, names: tuple[tuple[str, str], ...]) -> bool:
    """Whether the template writes what this role says; some pass over system messages in silence."""
    probe = "\ue000probe\ue000"
    user = [Message(role="user", content="a")]
    messages = [
        *(user if role == "assistant" else []),
        Message(role=role, content=probe),
        *(user if role == "system" else []),
    ]
    try:
        text = render_text(template, messages, dict(names), prompt=False)
    except InputError:
        return False
    return probe in text


@lru_cache
def knows_tools(template: str, names: tuple[tuple[str, str], ...]) -> bool:
    """Whether the template tells the assistant what it may call."""
    probe = "probe_of_a_tool"
    tool = {"type": "function", "function": {"name": probe, "description": "", "parameters": {"type": "object"}}}
    try:
        return probe in render_text(
            template, [Message(role="user", content="a")], dict(names), prompt=True, tools=[tool]
        )
    except InputError:
        return False


@lru_cache(maxsize=1024)
def skipped_message(template: str, roles: tuple[str, ...], names: tuple[tuple[str, str], ...]) -> int | None:
    """The place of the first message that the template does not write in a conversation of these roles, if any.

    Some write a system message only at the beginning. One that refuses the conversation will say so itself.
    """
    probes = [chr(0xF0000 + place) for place in range(len(roles))]  # characters of no language
    messages = [Message(role=role, content=3 * probe) for role, probe in zip(roles, probes, strict=True)]
    try:
        text = render_text(template, messages, dict(names), prompt=False)
    except InputError:
        return None
    return next((place for place, probe in enumerate(probes) if probe not in text), None)


@lru_cache(maxsize=16)
def _compiled(template: str) -> jinja2.Template:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    filters: dict[str, Any] = environment.filters  # pyright: ignore[reportAssignmentType]
    filters |= {"tojson": on_unescaped_text(_tojson), "join": _join} | {
        name: on_unescaped_text(filters[name]) for name in _FILTERS
    }
    environment.code_generator_class = _Generator
    environment.concat = joined  # pyright: ignore[reportAttributeAccessIssue]
    known: dict[str, Any] = environment.globals
    known |= {
        "raise_exception": _raise_exception,
        "strftime_now": _strftime_now,
        "dict": _Dict(),
        "namespace": _Namespace,
    }
    try:
        return environment.from_string(template)
    except (jinja2.TemplateError, RecursionError) as error:
        raise ArtifactError(
            "a chat template in Jinja", f"a faulty one ({error})", "Restore the model's files."
        ) from error


class _Generation(Extension):
    """The block {% generation %}, with which some templates mark what the assistant says: its content as it stands."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> list[Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Without the HTML escapes of Jinja's own."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


@pass_eval_context
def _join(context: EvalContext, value: Any, d: str = "", attribute: Any = None) -> str:
    """Jinja's own, over texts that may be people's."""
    if attribute is not None:
        value = map(make_attrgetter(context.environment, attribute), value)
    texts = list(value)
    return joined(part for text in texts for part in (d, text))[len(d) :] if texts else ""


class _Generator(CodeGenerator):
    """Jinja's, but that `a ~ b` keeps escaped text escaped."""

    def visit_Concat(self, node: Concat, frame: Frame) -> None:
        self.write("environment.concat((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)


def _strftime_now(form: str) -> str:
    return datetime.now().strftime(form)


class _Dict:
    """`dict` for templates, without the attributes of the class."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, keys: Iterable[object], value: object = None, /) -> dict[object, object]:
        return dict.fromkeys(keys, value)


class _Namespace(jinja2.utils.Namespace):
    """Jinja's `namespace`, without names that reach into Python."""

    def __init__(*args: object, **kwargs: object) -> None:
        for name in dict(*args[1:], **kwargs):
            _check_name(name)
        jinja2.utils.Namespace.__init__(*args, **kwargs)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        super().__setitem__(name, value)


def _check_name(name: Any) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise jinja2.exceptions.SecurityError(f"a namespace cannot have the attribute {name!r}")
