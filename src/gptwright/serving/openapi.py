"""The document of the API in OpenAPI's form: every route with what it takes, read from the classes that check it, and
the shape of what it answers."""

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from gptwright.foundations.version import __version__
from gptwright.serving.answer_shapes import ANSWERS, ERROR, EVENTS, PLAIN
from gptwright.serving.fields import RequestFields
from gptwright.serving.llama_cpp import DRAWING, EditorRequest, InfillRequest
from gptwright.serving.response_schemas import ResponseRequest
from gptwright.serving.routes.answer_requests import ELSEWHERE, AnswerRequest
from gptwright.serving.routes.answers import EventsQuery
from gptwright.serving.routes.branches import MessageChange
from gptwright.serving.routes.conversations import ConversationChange, ListQuery, NewConversation, NewMessage
from gptwright.serving.routes.jobs import JobRequest
from gptwright.serving.routes.label_files import TAKEN_IN, Lines, OfflinePage
from gptwright.serving.routes.labelling import MadeTasks, NewTasks, Priorities
from gptwright.serving.routes.labels import LabelQuery, LabelRequest
from gptwright.serving.routes.logins import LoginRequest, PasswordChange
from gptwright.serving.routes.people import NewKey, NewUser, UserChange
from gptwright.serving.routes.tasks import NextTask, Renewal, Skip, Submission
from gptwright.serving.schemas import (
    ChatRequest,
    CompletionRequest,
    EditRequest,
    EmbeddingRequest,
    FeedbackRequest,
    ModerationRequest,
)
from gptwright.store.exports import FORMATS
from gptwright.store.labels import KINDS

BODIES: Mapping[str, type[RequestFields]] = {
    "/v1/chat/completions": ChatRequest,
    "/v1/completions": CompletionRequest,
    "/v1/responses": ResponseRequest,
    "/v1/edits": EditRequest,
    "/v1/embeddings": EmbeddingRequest,
    "/v1/moderations": ModerationRequest,
    "/feedback": FeedbackRequest,
}
"""what is posted to OpenAI's routes, and a rating"""
ALL_BODIES: Mapping[str, type[RequestFields]] = {
    **{f"POST {path}": fields for path, fields in BODIES.items()},
    "POST /completion": EditorRequest,
    "POST /infill": InfillRequest,
    "POST /api/conversations": NewConversation,
    "PATCH /api/conversations/{id}": ConversationChange,
    "POST /api/conversations/{id}/messages": NewMessage,
    "POST /api/conversations/{id}/answers": AnswerRequest,
    "PATCH /api/messages/{id}": MessageChange,
    "PUT /api/messages/{id}/labels/{kind}": LabelRequest,
    "POST /api/tasks": NewTasks,
    "POST /api/tasks/next": NextTask,
    "POST /api/tasks/{id}/submit": Submission,
    "POST /api/tasks/{id}/skip": Skip,
    "POST /api/tasks/{id}/renew": Renewal,
    "POST /api/tasks/{id}/decide": Submission,
    "POST /api/tasks/make": MadeTasks,
    "POST /api/tasks/prioritise": Priorities,
    "POST /api/tasks/offline": OfflinePage,
    "POST /api/tasks/merge": Lines,
    "POST /api/imports/{format}": Lines,
    "POST /api/jobs": JobRequest,
    "POST /api/login": LoginRequest,
    "PUT /api/me/password": PasswordChange,
    "POST /api/users": NewUser,
    "PATCH /api/users/{name}": UserChange,
    "POST /api/users/{name}/keys": NewKey,
}
"""what every route takes, by its method and address"""
QUERIES: Mapping[str, type[RequestFields]] = {
    "GET /api/conversations": ListQuery,
    "GET /api/answers/{id}/events": EventsQuery,
    "DELETE /api/messages/{id}/labels/{kind}": LabelQuery,
}
"""what stands behind the question mark"""
IN_PATH: Mapping[str, Mapping[str, Any]] = {
    "PUT /api/messages/{id}/labels/{kind}": {"kind": list(KINDS)},
    "DELETE /api/messages/{id}/labels/{kind}": {"kind": list(KINDS)},
    "GET /api/exports/{format}": {"format": list(FORMATS)},
    "POST /api/imports/{format}": {"format": list(TAKEN_IN)},
}
"""which texts there may be in addresses, where they are few"""
Schemas = dict[str, Any]


def openapi_document(routes: Sequence[APIRoute]) -> dict[str, Any]:
    """OpenAPI 3.1, of the routes that are given."""
    schemas = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = re.sub(r":\w+}", "}", route.path)
        for method in sorted((route.methods or set[str]()) - {"HEAD"}):
            paths.setdefault(path, {})[method.lower()] = _operation(route, f"{method} {path}", schemas)
    return {"openapi": "3.1.0", "info": {"title": "gptwright", "version": __version__}, "paths": paths,
            "components": {"schemas": schemas}}  # fmt: skip


def _schemas() -> Schemas:
    kinds = [(fields, "validation") for fields in dict.fromkeys([*ALL_BODIES.values(), *QUERIES.values()])]
    _, made = models_json_schema(kinds, ref_template="#/components/schemas/{model}")  # pyright: ignore[reportArgumentType]
    schemas: Schemas = {**made["$defs"], "Error": ERROR}
    chat = schemas["ChatRequest"]["properties"].items()
    settings = {name: field for name, field in chat if name not in (*ELSEWHERE, "messages")}
    schemas["AnswerRequest"]["properties"] = settings | schemas["AnswerRequest"]["properties"]
    completion = schemas["CompletionRequest"]["properties"]
    for editor in ("EditorRequest", "InfillRequest"):  # which are read as completions
        schemas[editor]["properties"] |= {name: completion[name] for name in (*DRAWING, "stop")}
    return schemas


def _operation(route: APIRoute, name: str, schemas: Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {"responses": _responses(name), "parameters": _parameters(name, schemas)}
    fields = ALL_BODIES.get(name)
    about = inspect.getdoc(route.endpoint) or (fields.__doc__ if fields else "") or ""
    operation["summary"] = about.partition("\n")[0]
    if fields:
        schema = {"$ref": f"#/components/schemas/{fields.__name__}"}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _parameters(name: str, schemas: Schemas) -> list[dict[str, Any]]:
    known = IN_PATH.get(name, {})
    in_path = [{"name": one, "in": "path", "required": True,
                "schema": {"type": "string"} | ({"enum": known[one]} if one in known else {})}
               for one in re.findall(r"{(\w+)}", name)]  # fmt: skip
    asked = QUERIES.get(name)
    fields = schemas[asked.__name__]["properties"] if asked else {}
    return in_path + [{"name": one, "in": "query", "schema": schema} for one, schema in fields.items()]


def _responses(name: str) -> dict[str, Any]:
    """JSON, or server-sent events where there are streams; every error has OpenAI's shape."""
    content: dict[str, Any] = {} if name in PLAIN else {"application/json": {"schema": ANSWERS.get(name, {})}}
    content |= {PLAIN[name]: {}} if name in PLAIN else {}
    content |= {"text/event-stream": {}} if name in EVENTS else {}
    error = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    return {
        "2XX": {"description": "the answer", "content": content},
        "4XX": {"description": "what is wrong with the request", **error},
        "5XX": {"description": "what the server could not do", **error},
    }
