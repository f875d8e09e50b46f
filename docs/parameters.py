"""Writes docs/parameters.md: what every route of the API takes, read from the classes that check it."""

from collections.abc import Mapping
from typing import Any

from gptwright.serving.fields import NEUTRAL, REFUSED
from gptwright.serving.openapi import BODIES

HEAD = """# Parameters of the API

Made by `make docs` from the classes that check a request. `null` is the same as nothing. A parameter that is not in a
route's table is refused by its name: `{"error": {"message": "'audio' is not supported by this server: …", "type":
"invalid_request_error", "param": "audio", "code": "unsupported_parameter"}}`. What the routes do is told in
[chat, generate, serve](08-chat-and-serve.md)."""


def parameters() -> str:
    """The whole page."""
    parts = [HEAD]
    for path, fields in BODIES.items():
        schema = fields.model_json_schema()
        parts += [f"## POST {path}", _table(schema)]
    return "\n\n".join([*parts, "## Refused", _refused()]) + "\n"


def _table(schema: Mapping[str, Any]) -> str:
    rows = ["| parameter | takes | does |", "|---|---|---|"]
    for name, field in sorted(schema["properties"].items()):
        needed = " (needed)" if name in schema.get("required", ()) else ""
        does = field.get("description", "").replace("\n", " ").replace("|", "\\|")
        rows.append(f"| `{name}`{needed} | {_kind(field, schema)} | {does} |")
    return "\n".join(rows)


def _refused() -> str:
    rows = ["| parameter of OpenAI's client | is taken when | because |", "|---|---|---|"]
    for name, why in REFUSED.items():
        taken = ", ".join(f"`{value}`" for value in NEUTRAL.get(name, ())) or "never"
        rows.append(f"| `{name}` | {taken} | {why} |")
    return "\n".join(rows)


def _kind(field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """What values a field may have, in words."""
    if "$ref" in field:
        return _kind(schema["$defs"][field["$ref"].rsplit("/", 1)[1]], schema)
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_kind(one, schema) for one in field["anyOf"] if one.get("type") != "null"))
    if "enum" in field or "const" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        return f"list of {_kind(field['items'], schema)}{_most(field, 'maxItems')}"
    if field.get("type") == "object":
        names = ", ".join(f"`{name}`" for name in field.get("properties", ()))
        return f"object{names and ' with '}{names}{_most(field, 'maxProperties')}"
    return field.get("type", "any") + _range(field) + _most(field, "maxLength")


def _most(field: Mapping[str, Any], limit: str) -> str:
    return f" (at most {field[limit]})" if limit in field else ""


def _range(field: Mapping[str, Any]) -> str:
    """Its least and greatest value, where those are not so large that nobody asks."""
    ends = {"from": field.get("minimum"), "above": field.get("exclusiveMinimum"), "to": field.get("maximum")}
    return "".join(f" {word} {end:g}" for word, end in ends.items() if end is not None and abs(end) < 1 << 31)
