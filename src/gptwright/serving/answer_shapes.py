"""What routes answer, as JSON Schema: fields that are always there, and their types."""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]


def _object(**fields: "str | Schema") -> Schema:
    """An object that has these fields; a type with a question mark may be null."""
    return {"type": "object", "required": [*fields], "properties": {name: _of(field) for name, field in fields.items()}}


def _of(field: "str | Schema") -> Schema:
    if not isinstance(field, str):
        return field
    return {"type": [field[:-1], "null"] if field.endswith("?") else field}


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item}


ERROR = _object(error=_object(message="string", type="string", param="string?", code="string?"))
MODEL = _object(id="string", object="string", created="integer", owned_by="string", max_model_len="integer",
                default="boolean", aliases=_list({"type": "string"}), stage="string?", run="string?", base="string?",
                weights="string?")  # fmt: skip
VERSION = _object(model="string", before="string", when="integer", figures="object", undone="boolean")
USAGE = _object(prompt_tokens="integer", completion_tokens="integer", total_tokens="integer")
MESSAGE = _object(role="string", content="string?", refusal="string?")
LLAMA_CPP: Schema = {"type": "object"}
"""which fields, the request says"""
CONVERSATION = _object(id="string", title="string", folder="string", pinned="boolean", leaf="string?",
                       created="number", changed="number", deleted="number?")  # fmt: skip
STORED_MESSAGE = _object(id="string", conversation_id="string", parent_id="string?", role="string", author="string?",
                         model="string?", created="number", content="string", generation="object?")  # fmt: skip
LABEL = _object(id="string", kind="string", message_id="string", author="string", created="number")
ANSWER = _object(id="string")
TOKEN = _object(token="string", logprob="number", bytes="array?", top_logprobs="array")
PIECE = _object(text="string", special="boolean")
JOB = _object(id="string", kind="string", state="string", progress="object")
WHO = _object(name="string", role="string")
USER = _object(name="string", role="string", active="boolean", created="number")
KEY = _object(id="string", user="string", title="string", until="number?", per_minute="integer?", created="number")


def _completion(choice: Schema) -> Schema:
    return _object(id="string", object="string", created="integer", model="string", choices=_list(choice), usage=USAGE)


ANSWERS: Mapping[str, Schema] = {
    "POST /v1/chat/completions": _completion(_object(index="integer", message=MESSAGE, finish_reason="string?")),
    "POST /v1/completions": _completion(_object(index="integer", text="string", finish_reason="string?")),
    "POST /v1/edits": _completion(_object(index="integer", text="string")),
    "POST /v1/responses": _object(id="string", object="string", created_at="integer", model="string", status="string",
                                  output=_list(_object(type="string")), usage="object?"),
    "POST /v1/embeddings": _object(object="string", model="string", usage="object",
                                   data=_list(_object(object="string", index="integer", embedding={}))),
    "POST /v1/moderations": _object(id="string", model="string", results=_list(
        _object(flagged="boolean", categories="object", category_scores="object"))),
    "GET /v1/models": _object(object="string", data=_list(MODEL)),
    "GET /v1/models/{name}": MODEL,
    "GET /api/versions": _object(versions=_list(VERSION)),
    "POST /completion": LLAMA_CPP,
    "POST /infill": LLAMA_CPP,
    "POST /feedback": _object(id="string", rating="string"),
    "GET /health": _object(status="string"),
    "GET /examples": _list({"type": "string"}),
    "GET /openapi.json": _object(openapi="string", info="object", paths="object", components="object"),
    "GET /api/conversations": _object(conversations=_list(CONVERSATION)),
    "POST /api/conversations": CONVERSATION,
    "GET /api/conversations/{id}": CONVERSATION | {"required": [*CONVERSATION["required"], "messages", "writing"]},
    "PATCH /api/conversations/{id}": CONVERSATION,
    "DELETE /api/conversations/{id}": CONVERSATION,
    "POST /api/conversations/{id}/messages": STORED_MESSAGE,
    "POST /api/conversations/{id}/answers": ANSWER,
    "GET /api/answers/{id}": ANSWER,
    "POST /api/answers/{id}/stop": ANSWER,
    "GET /api/answers/{id}/tokens": _object(id="string", model="string", start="integer", content=_list(TOKEN)),
    "GET /api/answers/{id}/prompt": _object(id="string", model="string", tokens="integer", pieces=_list(PIECE)),
    "GET /api/conversations/{id}/labels": _object(labels=_list(LABEL)),
    "DELETE /api/messages/{id}": STORED_MESSAGE,
    "PATCH /api/messages/{id}": STORED_MESSAGE,
    "GET /api/messages/{id}/labels": _object(labels=_list(LABEL)),
    "PUT /api/messages/{id}/labels/{kind}": LABEL,
    "DELETE /api/messages/{id}/labels/{kind}": LABEL,
    "POST /api/tasks": _object(ids=_list({"type": "string"})),
    "POST /api/tasks/next": _object(task="object?"),
    "POST /api/tasks/{id}/submit": _object(labels=_list(LABEL), in_time="boolean"),
    "POST /api/tasks/{id}/skip": _object(given_back="boolean"),
    "POST /api/tasks/{id}/undo": _object(withdrawn="integer", task="object?"),
    "POST /api/tasks/{id}/renew": _object(held="boolean", seconds_left="number"),
    "POST /api/tasks/{id}/decide": _object(labels=_list(LABEL)),
    "POST /api/tasks/make": _object(ids=_list({"type": "string"})),
    "POST /api/tasks/prioritise": _object(tasks="integer"),
    "POST /api/tasks/merge": _object(taken="integer"),
    "POST /api/imports/{format}": _object(taken="integer"),
    "GET /api/tasks/progress": _object(kinds="object", done_by="object", people="object"),
    "GET /api/tasks/agreement": {"type": "object"},
    "GET /api/tasks/agreement/labellers": {"type": "object"},
    "GET /api/tasks/differing": _object(tasks=_list({"type": "object"})),
    "GET /api/jobs": _object(jobs=_list(JOB)),
    "POST /api/jobs": JOB,
    "GET /api/jobs/{id}": JOB,
    "POST /api/jobs/{id}/cancel": JOB,
    "GET /api/teaching": _object(labels="object", new="integer", asked=_list({"type": "string"}), improves="boolean",
                                 least="integer", prompts=_list({"type": "string"}), may_undo="boolean"),
    "GET /api/me": WHO,
    "PUT /api/me/password": WHO,
    "GET /api/login": _object(needed="boolean", passwords="boolean"),
    "POST /api/login": WHO,
    "POST /api/logout": _object(logged_out="boolean"),
    "GET /api/users": _object(users=_list(USER)),
    "POST /api/users": USER,
    "PATCH /api/users/{name}": USER,
    "GET /api/users/{name}/keys": _object(keys=_list(KEY)),
    "POST /api/users/{name}/keys": KEY,
    "DELETE /api/keys/{id}": _object(id="string", withdrawn="boolean"),
}  # fmt: skip
"""by method and address; of a stream's events it is not said"""
EVENTS = frozenset({"POST /v1/chat/completions", "POST /v1/completions", "POST /v1/responses", "POST /v1/edits",
                    "POST /completion", "POST /infill", "GET /api/answers/{id}/events",
                    "POST /api/conversations/{id}/answers"})  # fmt: skip
"""routes that may answer with server-sent events"""
PLAIN = {"GET /metrics": "text/plain", "GET /api/answers/{id}/events": "text/event-stream",
         "GET /api/exports/{format}": "application/x-ndjson", "POST /api/tasks/offline": "text/html",
         "GET /api/answers/{id}/inside": "text/html"}  # fmt: skip
"""those that never answer with JSON"""
