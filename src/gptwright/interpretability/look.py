"""A page of what a model makes of ids: which of them, as what they are read, and whose they are."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol, runtime_checkable

from gptwright.foundations.errors import InputError
from gptwright.interpretability.inside import Stage, View, inside, most_tokens
from gptwright.interpretability.page import Page, page
from gptwright.interpretability.sight import Sight
from gptwright.interpretability.steps import Steps
from gptwright.interpretability.translation import inside_translation
from gptwright.models.bert import BERT
from gptwright.models.catalogue import count
from gptwright.models.decoder import Decoder
from gptwright.models.transformer import Transformer
from gptwright.tokenizers.tokenizer import Tokenizer


@runtime_checkable
class Reader(Protocol):
    """A model with what its page needs of it."""

    @property
    def network(self) -> Decoder | BERT | Transformer: ...

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def name(self) -> str: ...


def look(
    reader: Reader,
    ids: Sequence[int],
    title: str,
    *,
    end: bool = False,
    stages: Sequence[Stage] = (),
    sight: Sight | None = None,
) -> Steps[Page]:
    """The page. Of more ids than it or the context holds the first are shown, or with `end` the last, and it says so.

    Raises `InputError` for none, and with `sight` for too many: of a text with images nothing is cut. `stages`: what is
    shown beside, of networks with the same vocabulary.
    """
    network = reader.network
    assert not isinstance(network, Transformer)
    most = most_tokens(network, sight)
    if sight and len(ids) > most:
        patches = sight.model.config.image.patches
        raise InputError(f"at most {most:,} tokens and patches, {patches} an image", f"{len(ids):,}",
                         "Give fewer images, or a shorter text.")  # fmt: skip
    shown = ids[-most:] if end else ids[:most]
    view = yield from inside(network, shown, partial(_said, reader.tokenizer), stages, sight)
    cut = f"{len(shown):,} of {len(ids):,} tokens are shown." if len(shown) < len(ids) else ""
    return _page(view | {"note": cut}, reader, title)


def look_at_translation(reader: Reader, source: Sequence[int], target: Sequence[int], title: str) -> Steps[Page]:
    """The page of a source and its target. Raises as `inside_translation` does."""
    assert isinstance(reader.network, Transformer)
    view = yield from inside_translation(reader.network, source, target, partial(_said, reader.tokenizer))
    return _page(view | {"note": ""}, reader, title)


def _page(view: View, reader: Reader, title: str) -> Page:
    config = reader.network.config
    about = f"{config.family}, {config.layers} layers × {config.width}, {count(reader.network):,} parameters"
    made = page(view | {"model": reader.name, "about": about}, f"{reader.name}: {title}")
    return replace(made, note=view["note"])


def _said(tokenizer: Tokenizer, id: int) -> str:
    """An id as text: half a letter as its replacement, a special token by its name."""
    said = tokenizer.token_bytes(id)
    return said.decode("utf-8", "replace") if said is not None else tokenizer.backend.id_to_token(id) or ""
