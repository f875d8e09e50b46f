"""The OpenAPI document: every route that takes a body, and references that lead somewhere."""

import asyncio
import json
import re
from typing import Any

from gptwright.serving.openapi import BODIES, openapi_document


def test_every_route_that_takes_json_of_openais_is_in_it(client: Any, app: Any) -> None:
    posted = {route.path for route in app.routes if "POST" in (getattr(route, "methods", None) or ())}
    assert {path for path in posted if path.startswith("/v1/")} == {path for path in BODIES if path.startswith("/v1/")}
    assert set(BODIES) <= posted


def test_every_reference_leads_somewhere(client: Any) -> None:
    async def get() -> Any:
        async with client() as caller:
            return (await caller.get("/openapi.json")).json()

    document = asyncio.run(get())
    assert document == json.loads(json.dumps(openapi_document()))
    found = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert found and found <= set(document["components"]["schemas"])
