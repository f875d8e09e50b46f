"""What schemathesis cannot know of a server: the name of its model, without which most requests end at a 404."""

from typing import Any

import schemathesis

MODEL = "tiny"


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    return {**body, "model": MODEL} if isinstance(body, dict) and isinstance(body.get("model"), str) else body


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    of_a_model = context.operation.path == "/v1/models/{name}"
    return {**path_parameters, "name": MODEL} if of_a_model and path_parameters else path_parameters
