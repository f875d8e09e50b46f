"""The OpenAPI document: every route but the page's files, what it takes and answers, and references that lead
somewhere."""

import asyncio
import inspect
import json
import re
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from gptwright.serving.answer_shapes import ANSWERS, EVENTS, PLAIN
from gptwright.serving.openapi import ALL_BODIES, BODIES, QUERIES
from gptwright.serving.page import page_files


def routes(app: FastAPI) -> dict[str, APIRoute]:
    """Of the API, by method and address."""
    found = [route for route in app.routes if isinstance(route, APIRoute) and route.path not in page_files()]
    named = {(method, re.sub(r":\w+}", "}", route.path)): route for route in found for method in route.methods or ()}
    return {f"{method} {path}": route for (method, path), route in named.items() if method != "HEAD"}


def document(client: Any) -> Any:
    async def get() -> Any:
        async with client() as caller:
            return (await caller.get("/openapi.json")).json()

    return asyncio.run(get())


def test_every_route_is_in_it_and_nothing_else(client: Any, app: FastAPI) -> None:
    paths = document(client)["paths"]
    assert {f"{method.upper()} {path}" for path in paths for method in paths[path]} == set(routes(app))


def test_what_reads_a_body_or_a_query_has_its_fields_there(app: FastAPI) -> None:
    sources = {name: inspect.getsource(route.endpoint) for name, route in routes(app).items()}
    assert {name for name, source in sources.items() if "read_json" in source} == set(ALL_BODIES)
    assert {name for name, source in sources.items() if "query_params" in source} == set(QUERIES)
    assert {f"POST {path}" for path in BODIES} <= set(ALL_BODIES)


def test_every_answer_has_a_shape(app: FastAPI) -> None:
    every = set(routes(app))
    assert every == set(ANSWERS) | set(PLAIN) and every >= EVENTS


def test_every_reference_leads_somewhere(client: Any) -> None:
    whole = document(client)
    found = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(whole)))
    assert found and found <= set(whole["components"]["schemas"])


def test_an_address_with_few_texts_lists_them(client: Any) -> None:
    paths = document(client)["paths"]
    kinds = paths["/api/messages/{id}/labels/{kind}"]["put"]["parameters"][1]["schema"]["enum"]
    assert {"thumb", "ranking", "preference"} <= set(kinds)
    assert "trl" in paths["/api/exports/{format}"]["get"]["parameters"][0]["schema"]["enum"]
    assert "rows" not in paths["/api/imports/{format}"]["post"]["parameters"][0]["schema"]["enum"]


def test_editors_send_what_completions_take(client: Any) -> None:
    schemas = document(client)["components"]["schemas"]
    ours, theirs = schemas["CompletionRequest"]["properties"], schemas["EditorRequest"]["properties"]
    assert theirs["temperature"] == ours["temperature"] and theirs["stop"] == ours["stop"]
