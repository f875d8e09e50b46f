"""A page of what a model makes of ids: which of them, as what they are read, and whose they are."""

from collections.abc import Sequence
from functools import partial
from typing import Protocol, runtime_checkable

from gptwright.interpretability.inside import Stage, inside, most_tokens
from gptwright.interpretability.page import Page, page
from gptwright.interpretability.steps import Steps
from gptwright.models.bert import BERT
from gptwright.models.catalogue import count
from gptwright.models.decoder import Decoder
from gptwright.tokenizers.tokenizer import Tokenizer


@runtime_checkable
class Reader(Protocol):
    """A model with what its page needs of it."""

    @property
    def network(self) -> Decoder | BERT: ...

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def name(self) -> str: ...


def look(
    reader: Reader, ids: Sequence[int], title: str, *, end: bool = False, stages: Sequence[Stage] = ()
) -> Steps[Page]:
    """The page. Of more ids than it or the context holds the first are shown, or with `end` the last, and it says so.

    Raises `InputError` for none. `stages`: what is shown beside, of networks with the same vocabulary.
    """
    network = reader.network
    most = most_tokens(network)
    shown = ids[-most:] if end else ids[:most]
    view = yield from inside(network, shown, partial(_said, reader.tokenizer), stages)
    config = network.config
    about = f"{config.family}, {config.layers} layers × {config.width}, {count(network):,} parameters"
    cut = f"{len(shown):,} of {len(ids):,} tokens are shown." if len(shown) < len(ids) else ""
    return page(view | {"model": reader.name, "about": about, "note": cut}, f"{reader.name}: {title}")


def _said(tokenizer: Tokenizer, id: int) -> str:
    """An id as text: half a letter as its replacement, a special token by its name."""
    said = tokenizer.token_bytes(id)
    return said.decode("utf-8", "replace") if said is not None else tokenizer.backend.id_to_token(id) or ""
