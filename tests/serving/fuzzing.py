"""Requests that nobody sends by accident: made of what the OpenAPI document says of each route, and of what it forbids.

The same seed gives the same requests.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

DEEP = 100_000
WRONG: Sequence[Any] = (
    None, True, False, 0, 1, -1, 2, 127, 129, 1 << 31, 1 << 63, -(1 << 63), 1 << 64, -(1 << 64), 10**30, 10**400, 0.5,
    -0.0, 1e-308, 1e308, float("nan"), float("inf"), -float("inf"), "", " ", "x", "x" * 65, "x" * 5000, "\x00",
    "a\x00b", "\ud800", "\udfff\ud800", "\ufeff", "\u202e", "😀" * 50, "-1", "1e999", "NaN", "null", "true", "[]",
    "' OR 1=1 --", "../../../etc/passwd", "{{ 7 * 7 }}", "{% for x in range(10**9) %}{% endfor %}", "%s%n%x", "%",
    "_", "<|endoftext|>", "<|im_start|>system", "<script>alert(1)</script>", "\x1b[2J", "data:image/png;base64,AAAA",
    "http://169.254.169.254/", "file:///etc/passwd", [], [[]], [None], [0], [-1], [1 << 40], [[0, -1]], ["x", 1], [{}],
    {}, {"": 0}, {"type": "x"}, {"$ref": "#"}, {"type": "object", "pattern": "(("}, {"a": {"a": {"a": {}}}},
    {"__proto__": 1}, {"1": 1}, {"-1": 100}, {"x" * 300: 1}, [[[[[[[[[[[[[]]]]]]]]]]]]],
)  # fmt: skip
"""values that some field does not expect"""
SCHEMAS: Sequence[Any] = (
    {}, {"type": "object"}, {"type": "string", "pattern": "[a-"}, {"type": "string", "pattern": "(a+)+$"},
    {"type": "no such type"}, {"type": ["string", 3]}, {"$ref": "#/definitions/none"}, {"$ref": "#"},
    {"enum": []}, {"const": {"a": [1, None]}}, {"anyOf": []}, {"not": {}}, {"type": "array", "minItems": 10**9},
    {"type": "string", "minLength": 5, "maxLength": 1}, {"type": "number", "minimum": 1e308, "multipleOf": 0},
    {"properties": {"a": {"$ref": "#"}}, "required": ["a"]}, {"properties": 3}, {"required": "a"}, True, False, 3, None,
    {"type": "object", "properties": {"sunny": {"type": "boolean"}}, "required": ["sunny"]},
    {"type": "string", "format": "no such format"}, {"patternProperties": {"(": {}}}, {"uniqueItems": True},
)  # fmt: skip
"""JSON Schemas, sound and not"""
RAW: Sequence[bytes] = (
    b"", b" ", b"null", b"3", b'"x"', b"[1]", b"{", b'{"a"', b'{"a":1,}', b"{'a':1}", b'{"a":NaN}', b'{"a":1e999}',
    b"\xff\xfe{}", b"\xef\xbb\xbf{}", '{"a":1}'.encode("utf-16"), b'{"a":"\\ud800"}', b'{"\\udfff":1}', b"\x00" * 100,
    b"a=1&b=2", b'{"model":' + b"9" * 5000 + b"}", b'{"a":1}{"b":2}', b'{"model":"x","model":"y"}', b"<xml/>",
    b'{"messages":' + b"[" * 200 + b"]" * 200 + b"}",
)  # fmt: skip
"""bodies that are no JSON object, or hardly one"""
LONG: Sequence[bytes] = (
    b"[" * DEEP,
    b"[" * DEEP + b"]" * DEEP,
    b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    b" " * (1 << 20) + b"{}",
)
"""the same, and long: rarely drawn"""


@dataclass(frozen=True)
class Case:
    """A request."""

    method: str
    path: str
    content: bytes | None
    headers: Mapping[str, str]


class Fuzzer:
    """Draws requests to the routes of an OpenAPI document. `known`: values of the parameters in addresses that exist,
    by the text before them (`/conversations/`)."""

    def __init__(self, document: Any, known: Mapping[str, Sequence[str]], seed: int) -> None:
        self.schemas, self.known, self.random = document["components"]["schemas"], known, random.Random(seed)
        self.operations = [(method, path, operation) for path, methods in document["paths"].items()
                           for method, operation in methods.items()]  # fmt: skip

    def case(self) -> Case:
        """The next request: sound, or with few or many values that are not."""
        method, path, operation = self.random.choice(self.operations)
        self.wrongs = self.random.choice((0.0, 0.02, 0.1, 0.5))
        takes = "requestBody" in operation
        content = self._content(operation.get("requestBody")) if takes or self._now(0.05) else None
        address = self._address(path) + self._query(operation["parameters"])
        return Case(method.upper(), address, content, self._headers())

    def _now(self, share: float) -> bool:
        return self.random.random() < share

    def _address(self, path: str) -> str:
        parts = path.split("/")
        return "/".join(self._part(parts[at - 1]) if part.startswith("{") else part for at, part in enumerate(parts))

    def _part(self, before: str) -> str:
        if self._now(self.wrongs):
            return quote(str(self._text()).encode("utf-8", "surrogatepass"), safe="") or "%00"
        return self.random.choice(self.known.get(before, ("none",)))

    def _query(self, parameters: Sequence[Any]) -> str:
        asked = [one for one in parameters if one["in"] == "query" and self._now(0.5)]
        pairs = [(one["name"], self.value(one["schema"])) for one in asked]
        pairs += [("other", "1")] if self._now(self.wrongs) else []
        said = [f"{name}={quote(str(value).encode('utf-8', 'surrogatepass'))}" for name, value in pairs]
        return "?" + "&".join(said) if said else ""

    def _headers(self) -> dict[str, str]:
        drawn = {"content-type": "application/json"} if self._now(0.9) else {"content-type": "text/plain"}
        if self._now(0.02):
            drawn |= {"authorization": self.random.choice(("Bearer gw-x", "Basic x", "Bearer", "x" * 4000))}
        if self._now(0.02):
            drawn |= {"last-event-id": self.random.choice(("3", "-1", "9" * 5000, "x"))}
        if self._now(0.02):
            drawn |= {"content-length": self.random.choice(("x", "-1", "9" * 30))}
        return drawn

    def _content(self, body: Any) -> bytes:
        if self._now(0.03):
            return self.random.choice(LONG if self._now(0.1) else RAW)
        value = self.value(body["content"]["application/json"]["schema"]) if body else {"x": 1}
        if isinstance(value, dict) and self._now(self.wrongs):
            name = str(self.random.choice(("model", "no such field", "", "messages", "n")))
            value = value | {name: self._wrong()}  # a copy: it may be one of WRONG
        return json.dumps(value).encode()

    def _wrong(self) -> Any:
        return self.random.choice(SCHEMAS if self._now(0.1) else WRONG)

    def _text(self) -> Any:
        return self.random.choice([one for one in WRONG if isinstance(one, str)])

    def value(self, schema: Any, depth: int = 0) -> Any:
        """A value that a JSON Schema allows, or now and then one of another kind."""
        if self._now(self.wrongs) or depth > 8:
            return self._wrong()
        if "$ref" in schema:
            return self.value(self.schemas[schema["$ref"].rsplit("/", 1)[1]], depth)
        for name in ("anyOf", "oneOf"):
            if name in schema:
                return self.value(self.random.choice(schema[name]), depth + 1)
        if "const" in schema or "enum" in schema:
            return self.random.choice(schema.get("enum") or [schema.get("const")])
        made = {"object": self._object, "array": self._array, "string": self._string, "integer": self._number,
                "number": self._number, "boolean": lambda *_: self._now(0.5), "null": lambda *_: None}  # fmt: skip
        return made[schema["type"]](schema, depth) if "type" in schema else self._wrong()

    def _object(self, schema: Any, depth: int) -> Any:
        fields, needed = schema.get("properties", {}), schema.get("required", ())
        if not fields:
            return self.random.choice(SCHEMAS) if self._now(0.7) else {"a": "b"}
        share = self.random.choice((0.05, 0.2))
        drawn = {
            name: self.value(field, depth + 1) for name, field in fields.items() if name in needed or self._now(share)
        }
        return drawn | self._usual(drawn)

    def _usual(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """What most requests say, so that many get as far as the model."""
        message = self.random.choice(self.known["messages"])
        usual = {"model": self.known["model"][0], "max_tokens": 3, "message_id": message, "parent_id": message}
        return {name: value for name, value in usual.items() if name in drawn and not self._now(self.wrongs)}

    def _array(self, schema: Any, depth: int) -> Any:
        return [self.value(schema.get("items", {}), depth + 1) for _ in range(self.random.choice((0, 1, 1, 2, 3)))]

    def _string(self, schema: Any, depth: int) -> Any:
        if "pattern" in schema:
            return self.random.choice(("abc", "a-1", "_"))
        return self.random.choice(("the cat", "a", "we like to be free", str(self._text())))

    def _number(self, schema: Any, depth: int) -> Any:
        least, most = schema.get("minimum", schema.get("exclusiveMinimum", -3)), schema.get("maximum", 40)
        drawn = self.random.choice((least, most, least + 1, 1, 3))
        return drawn if schema["type"] == "integer" else drawn + 0.5 * self._now(0.3)
