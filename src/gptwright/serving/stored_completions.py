"""Chat completions that a caller wants kept: the conversation with its replies, in the store."""

from collections.abc import Mapping, Sequence

from starlette.concurrency import run_in_threadpool

from gptwright.foundations.errors import ResourceError
from gptwright.foundations.progress import say
from gptwright.serving.api_errors import APIError
from gptwright.serving.choices import Choice
from gptwright.store.database import Store
from gptwright.store.messages import Generation, add_conversation, add_message
from gptwright.tokenizers.chat_templates.template import Message as Turn


async def keep_completion(
    store: Store,
    id: str,
    turns: Sequence[Turn],
    choices: Sequence[Choice],
    *,
    owner: str,
    model: str,
    fields: Mapping[str, object],
) -> None:
    """Keeps a conversation under the completion's id; its replies are alternatives, and `fields` what was said of it.

    Raises `APIError` (503) when the store cannot.
    """

    def write() -> None:
        with store.write() as session:
            conversation = add_conversation(session, owner=owner, fields=fields, id=id).id
            last = None
            for turn in turns:
                last = add_message(session, conversation, last, turn["role"], turn["content"]).id
            for made in choices:
                generation: Generation = {"finish": made.finish or ""}
                add_message(session, conversation, last, "assistant", made.text, model=model, generation=generation)

    try:
        await run_in_threadpool(write)
    except ResourceError as error:
        raise not_saved("reply", error) from error


def not_saved(what: str, error: ResourceError) -> APIError:
    """Of what the store could not keep; why goes to the terminal."""
    say(str(error))
    return APIError(503, f"The {what} was not saved; the server's terminal says why.", code="not_saved")
