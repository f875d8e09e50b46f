"""OpenAI's two kinds of completion: from a request's fields to the replies that the worker writes."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from gptwright.foundations.errors import GptwrightError
from gptwright.inference.sampling import Sampling
from gptwright.serving.api_errors import api_error_of
from gptwright.serving.choices import IndexedChunk, OpenStream
from gptwright.serving.logprobs import token_speller
from gptwright.serving.messages import to_chat_messages
from gptwright.serving.replies import respond
from gptwright.serving.request_body import read_json
from gptwright.serving.response_format import ChatEncoder, CompletionEncoder, ResponseEncoder
from gptwright.serving.schemas import ChatRequest, CompletionParams, CompletionRequest, check_model
from gptwright.serving.worker import Worker

if TYPE_CHECKING:
    from gptwright.pipelines.model import Model

DROPPED = "x-dropped-messages"
"""header that says how many messages behind the system's were left out, where "truncation": "auto" left out any"""


class Completions:
    """What `model` answers by way of `worker`."""

    def __init__(self, model: "Model", worker: Worker[IndexedChunk]) -> None:
        self.model, self.worker = model, worker
        self._spell = token_speller(model.tokenizer)

    async def chat(self, request: Request) -> Response:
        """A reply to a conversation."""
        asked = ChatRequest.read(await read_json(request))
        messages, dropped = to_chat_messages(asked.messages), 0

        def prompts(sampling: Sampling) -> list[OpenStream]:
            nonlocal dropped
            shown = self.model.truncated(messages, sampling) if asked.truncation == "auto" else messages
            dropped = len(messages) - len(shown)
            return [partial(self.model.open_stream, self.model.chat_ids(shown))]

        response = await self._respond(request, asked, ChatEncoder(self._spell), prompts)
        if dropped:
            response.headers[DROPPED] = str(dropped)
        return response

    async def text(self, request: Request) -> Response:
        """Texts that are continued, each for itself."""
        asked = CompletionRequest.read(await read_json(request))

        def prompts(_: Sampling) -> list[OpenStream]:
            read = [self.model.text_prompt(prompt) for prompt in asked.prompt]
            return [
                partial(self.model.open_stream, one.ids, starts_text=False, echo=one if asked.echo else None)
                for one in read
            ]

        return await self._respond(request, asked, CompletionEncoder(self._spell), prompts)

    async def _respond(
        self,
        request: Request,
        asked: CompletionParams,
        encoder: ResponseEncoder,
        prompts: Callable[[Sampling], Sequence[OpenStream]],
    ) -> Response:
        check_model(asked.model, self.model.name)
        sampling = asked.sampling(self.model.sampling, self.model.context, self.model.tokenizer.vocab)

        def read() -> Sequence[OpenStream]:
            self.model.matcher(
                sampling, starts_text=encoder.starts_text
            )  # made, or refused, beside the running replies
            return prompts(sampling)

        try:
            opened = await run_in_threadpool(read)
        except GptwrightError as error:
            raise api_error_of(error, encoder.prompt_field) from error
        return await respond(request, self.worker, asked, opened, sampling, encoder)
