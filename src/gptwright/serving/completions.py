"""OpenAI's two kinds of completion, and its edits: from a request's fields to the replies that the worker writes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from gptwright.foundations.errors import GptwrightError
from gptwright.inference.sampling import Sampling
from gptwright.serving.access import caller_of
from gptwright.serving.api_errors import APIError, api_error_of
from gptwright.serving.choices import OpenStream
from gptwright.serving.completion_params import CompletionParams
from gptwright.serving.logprobs import token_speller
from gptwright.serving.messages import MOST_IMAGES, to_chat_messages
from gptwright.serving.replies import Keep, respond
from gptwright.serving.request_body import read_json
from gptwright.serving.response_format import ChatEncoder, CompletionEncoder, EditEncoder, ResponseEncoder
from gptwright.serving.schemas import ChatRequest, CompletionRequest, EditRequest
from gptwright.serving.served_models import ServedModel, ServedModels
from gptwright.serving.stored_completions import keep_completion
from gptwright.serving.transactions import Transactions
from gptwright.tokenizers.chat_templates.parts import images_of

"""images of a conversation"""
DROPPED = "x-dropped-messages"
"""header that says how many messages behind the system's were left out, where "truncation": "auto" left out any"""


def untaught(served: ServedModel, what: str, param: str) -> APIError:
    """What a model is asked to do that it has no marks for."""
    return APIError(400, f"'{param}': the model '{served.name}' was not taught to {what}.", param=param,
                    code="unsupported_parameter")  # fmt: skip


class Completions:
    """Completions by any of the models that are served."""

    def __init__(self, served: ServedModels, store: Transactions) -> None:
        self.served, self.store = served, store

    async def chat(self, request: Request) -> Response:
        """A reply to a conversation."""
        asked = ChatRequest.read(await read_json(request))
        served = self.served.writer(asked.model)
        model = served.model
        messages, tools, dropped = to_chat_messages(asked.messages), asked.shown, 0
        if (count := len(images_of(messages))) > MOST_IMAGES:
            raise APIError(400, f"'messages': at most {MOST_IMAGES} images, not {count}.", param="messages",
                           code="invalid_value")  # fmt: skip

        def prompts(sampling: Sampling) -> list[OpenStream]:
            nonlocal dropped
            shown = model.truncated(messages, sampling, tools) if asked.truncation == "auto" else messages
            dropped = len(messages) - len(shown)
            seen = {"content": model.chat_content(shown, tools)} if images_of(shown) else {}
            return [partial(model.open_stream, model.chat_ids(shown, tools), **seen)]

        names = [function.name for function in asked.callable]
        encoder = ChatEncoder(token_speller(model.tokenizer), names, legacy=asked.functions is not None)
        owner = caller_of(request).name
        keep = partial(keep_completion, self.store, encoder.id, messages, owner=owner, model=served.name,
                       fields=asked.about)  # fmt: skip
        response = await self._respond(request, served, asked, encoder, prompts, keep if asked.store else None)
        if dropped:
            response.headers[DROPPED] = str(dropped)
        return response

    async def text(self, request: Request) -> Response:
        """Texts that are continued, each for itself, or what stands between each and the suffix."""
        asked = CompletionRequest.read(await read_json(request))
        served = self.served.writer(asked.model)
        model = served.model

        if any(asked.holes) and not model.inserts:
            raise untaught(served, "insert", "suffix" if asked.suffix else "prompt")

        def opened(prompt: str | list[int], hole: tuple[str | list[int], str] | None) -> OpenStream:
            if hole:
                return partial(model.open_insertion, *hole)
            read = model.text_prompt(prompt)
            return partial(model.open_stream, read.ids, starts_text=False, echo=read if asked.echo else None)

        def prompts(_: Sampling) -> list[OpenStream]:
            return list(map(opened, asked.prompt, asked.holes))

        return await self._respond(request, served, asked, CompletionEncoder(token_speller(model.tokenizer)), prompts)

    async def edit(self, request: Request) -> Response:
        """A text as an instruction wants it."""
        asked = EditRequest.read(await read_json(request))
        served = self.served.writer(asked.model)
        model = served.model
        if not model.edits:
            raise untaught(served, "edit", "model")

        def prompts(_: Sampling) -> list[OpenStream]:
            return [partial(model.open_edit, asked.input, asked.instruction)]

        return await self._respond(request, served, asked, EditEncoder(), prompts)

    async def _respond(
        self,
        request: Request,
        served: ServedModel,
        asked: CompletionParams,
        encoder: ResponseEncoder,
        prompts: Callable[[Sampling], Sequence[OpenStream]],
        keep: Keep | None = None,
    ) -> Response:
        model = served.model
        sampling = asked.sampling(model.sampling, model.context, model.tokenizer.vocab)
        if asked.predicted:
            sampling = replace(sampling, predicted_ids=tuple(model.tokenizer.encode(asked.predicted)))

        def read() -> Sequence[OpenStream]:
            model.matcher(sampling, starts_text=encoder.starts_text)  # compiled, or refused, beside running requests
            return prompts(sampling)

        try:
            opened = await run_in_threadpool(read)
        except GptwrightError as error:
            raise api_error_of(error, encoder.prompt_field, schema_field=asked.schema_field) from error
        named = asked.model_copy(update={"model": served.name})  # it may have been called by another name
        return await respond(request, served.worker, named, opened, sampling, encoder, keep)
