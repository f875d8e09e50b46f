"""OpenAI's moderations: which of a classifier's labels a text has, and whether one of them flags it."""

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gptwright.foundations.errors import GptwrightError
from gptwright.inference.engine import PromptTooLong
from gptwright.serving.api_errors import api_error_of
from gptwright.serving.jobs import collect
from gptwright.serving.request_body import read_json
from gptwright.serving.schemas import ModerationRequest
from gptwright.serving.served_models import ServedModels

if TYPE_CHECKING:
    from gptwright.pipelines.sequence_scorer import SequenceScorer


class Moderations:
    """Judgements of any of the classifiers that are served."""

    def __init__(self, served: ServedModels) -> None:
        self.served = served

    async def moderate(self, request: Request) -> Response:
        """A result for each text, in their order."""
        asked = ModerationRequest.read(await read_json(request))
        served = self.served.classifier(asked.model)
        rows = await run_in_threadpool(_rows, served.scorer, asked.input)
        found = dict(await collect(request, served.worker, lambda: served.batches.open(rows), "input"))
        results = [_result(served.scorer, found[number]) for number in range(len(rows))]
        return JSONResponse({"id": f"modr-{secrets.token_hex(12)}", "model": served.name, "results": results})


def _rows(scorer: "SequenceScorer", texts: Sequence[str]) -> list[list[int]]:
    """What is read of each text, whole: of a part nothing is said. Raises `APIError` (400) naming the text."""
    rows: list[list[int]] = []
    for number, text in enumerate(texts):
        try:
            (row,) = scorer.rows(text)
            if len(row) > scorer.context:
                raise PromptTooLong(len(row), scorer.context, answered=False)
        except GptwrightError as error:
            raise api_error_of(error, f"input[{number}]" if len(texts) > 1 else "input") from error
        rows.append(row)
    return rows


def _result(scorer: "SequenceScorer", probabilities: Sequence[float]) -> dict[str, object]:
    scores = dict(zip(scorer.labels, probabilities, strict=True))
    categories = scorer.moderation.flagged(scores)
    return {
        "flagged": any(categories.values()),
        "categories": categories,
        "category_scores": scores,
        "category_applied_input_types": {label: ["text"] for label in scores},
    }
