"""OpenAI's embeddings: a vector for each text, the mean of a model's last hidden states."""

import base64
import math
import struct
from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gptwright.inference.engine import PromptTooLong
from gptwright.serving.api_errors import APIError, api_error_of
from gptwright.serving.jobs import collect
from gptwright.serving.request_body import read_json
from gptwright.serving.schemas import EmbeddingRequest
from gptwright.serving.served_models import ServedModel, ServedModels


class Embeddings:
    """Vectors by any of the models that write."""

    def __init__(self, served: ServedModels) -> None:
        self.served = served

    async def embed(self, request: Request) -> Response:
        """A vector for each text, in their order."""
        asked = EmbeddingRequest.read(await read_json(request))
        served = self.served.writer(asked.model)
        rows = await run_in_threadpool(_rows, served, asked)
        found = dict(await collect(request, served.embedding_worker, lambda: served.batches.open(rows), "input"))
        data = [{"object": "embedding", "index": number, "embedding": _encoded(found[number], asked)}
                for number in range(len(rows))]  # fmt: skip
        tokens = sum(map(len, rows))
        return JSONResponse({"object": "list", "data": data, "model": served.name,
                             "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})  # fmt: skip


def _rows(served: ServedModel, asked: EmbeddingRequest) -> list[Sequence[int]]:
    """What is read of each text, whole. Raises `APIError` (400) naming the text, or the dimensions."""
    model, rows = served.model, list[Sequence[int]]()
    if (asked.dimensions or 0) > model.width:
        raise APIError(400, f"'dimensions': '{served.name}' has {model.width}.", param="dimensions",
                       code="integer_above_max_value")  # fmt: skip
    for number, text in enumerate(asked.input):
        field = f"input[{number}]" if len(asked.input) > 1 else "input"
        row = model.text_prompt(text).ids
        if not row or not all(0 <= id < model.tokenizer.vocab for id in row):
            needed = f"at least one token, and ids below {model.tokenizer.vocab}"
            raise APIError(400, f"'{field}': needs {needed}.", param=field, code="invalid_value")
        if len(row) > model.context:
            raise api_error_of(PromptTooLong(len(row), model.context, answered=False), field)
        rows.append(row)
    return rows


def _encoded(vector: list[float], asked: EmbeddingRequest) -> list[float] | str:
    if asked.dimensions is not None:
        vector = vector[: asked.dimensions]
        length = math.hypot(*vector) or 1.0
        vector = [number / length for number in vector]
    if asked.encoding_format != "base64":
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
