"""OpenAI's two kinds of completion: from a request's fields to the replies that the worker writes."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from gptwright.foundations.errors import GptwrightError
from gptwright.inference.sampling import Sampling
from gptwright.serving.api_errors import from_model
from gptwright.serving.choices import Numbered, Open
from gptwright.serving.logprobs import spelled
from gptwright.serving.messages import turns_of
from gptwright.serving.replies import answer
from gptwright.serving.request_body import read_json
from gptwright.serving.response_format import ChatWording, TextWording, Wording
from gptwright.serving.schemas import ChatRequest, CompletionParams, CompletionRequest, check_model
from gptwright.serving.worker import Worker

if TYPE_CHECKING:
    from gptwright.pipelines.model import Model

DROPPED = "x-dropped-messages"
"""header that says how many messages behind the system's were left out, where "truncation": "auto" left out any"""


class Completions:
    """What `model` answers by way of `worker`."""

    def __init__(self, model: "Model", worker: Worker[Numbered]) -> None:
        self.model, self.worker = model, worker
        self._spell = spelled(model.tokenizer)

    async def chat(self, request: Request) -> Response:
        """A reply to a conversation."""
        asked = ChatRequest.read(await read_json(request))
        messages, dropped = turns_of(asked.messages), 0

        def prompts(sampling: Sampling) -> list[Open]:
            nonlocal dropped
            shown = self.model.fitted(messages, sampling) if asked.truncation == "auto" else messages
            dropped = len(messages) - len(shown)
            return [partial(self.model.open, self.model.chat_ids(shown))]

        response = await self._answered(request, asked, ChatWording(self._spell), prompts)
        if dropped:
            response.headers[DROPPED] = str(dropped)
        return response

    async def text(self, request: Request) -> Response:
        """Texts that are continued, each for itself."""
        asked = CompletionRequest.read(await read_json(request))

        def prompts(_: Sampling) -> list[Open]:
            read = [self.model.text_prompt(prompt) for prompt in asked.prompt]
            return [partial(self.model.open, one.ids, begins=False, echo=one if asked.echo else None) for one in read]

        return await self._answered(request, asked, TextWording(self._spell), prompts)

    async def _answered(
        self, request: Request, asked: CompletionParams, wording: Wording, prompts: Callable[[Sampling], Sequence[Open]]
    ) -> Response:
        check_model(asked.model, self.model.name)
        sampling = asked.sampling(self.model.sampling, self.model.context, self.model.tokenizer.vocab)

        def read() -> Sequence[Open]:
            self.model.matcher(sampling, begins=wording.begins)  # made, or refused, beside the running replies
            return prompts(sampling)

        try:
            opened = await run_in_threadpool(read)
        except GptwrightError as error:
            raise from_model(error, wording.given) from error
        return await answer(request, self.worker, asked, opened, sampling, wording)
