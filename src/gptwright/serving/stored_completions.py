"""Chat completions that a caller wants kept: the conversation with its replies, in the store."""

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from gptwright.serving.choices import Choice
from gptwright.serving.transactions import Transactions
from gptwright.store.messages import Generation, add_conversation, add_message, parts_of
from gptwright.tokenizers.chat_templates.template import Message as Turn


async def keep_completion(
    store: Transactions,
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

    def write(session: Session) -> None:
        conversation = add_conversation(session, owner=owner, fields=fields, id=id).id
        last = None
        for turn in turns:
            last = add_message(session, conversation, last, turn["role"], parts_of(turn)).id
        for made in choices:
            generation: Generation = {"finish": made.finish or ""}
            add_message(session, conversation, last, "assistant", made.text, model=model, generation=generation)

    await store.write(write)
