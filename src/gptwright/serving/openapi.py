"""The document of the API in OpenAPI's form: what every route takes, read from the classes that check it."""

from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from gptwright.foundations.version import __version__
from gptwright.serving.fields import RequestFields
from gptwright.serving.response_schemas import ResponseRequest
from gptwright.serving.schemas import (
    ChatRequest,
    CompletionRequest,
    EditRequest,
    EmbeddingRequest,
    FeedbackRequest,
    ModerationRequest,
)

BODIES: Mapping[str, type[RequestFields]] = {
    "/v1/chat/completions": ChatRequest,
    "/v1/completions": CompletionRequest,
    "/v1/responses": ResponseRequest,
    "/v1/edits": EditRequest,
    "/v1/embeddings": EmbeddingRequest,
    "/v1/moderations": ModerationRequest,
    "/feedback": FeedbackRequest,
}
"""what is posted to a route"""
READ = {"/v1/models": "the models that are served", "/health": "whether the server is there"}
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {"message": {"type": "string"}, "type": {"type": "string"},
                           "param": {"type": ["string", "null"]}, "code": {"type": ["string", "null"]}},
        }
    },
}  # fmt: skip
STREAMED = {"/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/edits"}


def openapi_document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    kinds = [(fields, "validation") for fields in dict.fromkeys(BODIES.values())]
    _, made = models_json_schema(kinds, ref_template="#/components/schemas/{model}")  # pyright: ignore[reportArgumentType]
    paths = {path: {"post": _post(path, fields)} for path, fields in BODIES.items()}
    paths |= {path: {"get": {"summary": text, "responses": _responses(path)}} for path, text in READ.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "gptwright", "version": __version__},
        "paths": paths,
        "components": {"schemas": {**made["$defs"], "Error": ERROR}},
    }


def _post(path: str, fields: type[RequestFields]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{fields.__name__}"}
    return {
        "summary": (fields.__doc__ or "").split("\n")[0],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": _responses(path),
    }


def _responses(path: str) -> dict[str, Any]:
    """JSON, or server-sent events where there are streams; every error has OpenAI's shape."""
    types = ["application/json", *(["text/event-stream"] if path in STREAMED else [])]
    error = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    return {
        "200": {"description": "the answer", "content": {name: {} for name in types}},
        "4XX": {"description": "what is wrong with the request", **error},
        "5XX": {"description": "what the server could not do", **error},
    }
