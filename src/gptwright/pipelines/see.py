"""`gptwright.see`: a look inside a model while it reads a text, as one page."""

from collections.abc import Sequence

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.inference.sampling import Sampling
from gptwright.interpretability.inside import Stage
from gptwright.interpretability.look import look, look_at_translation
from gptwright.interpretability.page import Page
from gptwright.interpretability.steps import finished
from gptwright.pipelines.encoder import Encoder
from gptwright.pipelines.load import AnyModel
from gptwright.pipelines.model import Model
from gptwright.pipelines.translator import Translator
from gptwright.pipelines.vision_model import VisionModel
from gptwright.tokenizers.chat_templates.chat import Message


def see(model: AnyModel, text: str, *, chat: bool = False, max_tokens: int = 64, stages: Sequence[Model] = ()) -> Page:
    """What a decoder, an encoder or a translator makes of a text; a translator writes its translation first.

    With `chat` the text is what a user says: the model answers first, with `max_tokens` at most and always the
    likeliest, and the whole conversation is looked at. `stages`: models with the same tokenizer, whose expectations
    stand beside.

    Of a text that is longer than the page or the context the beginning is shown, of a conversation the end, and the
    page says so. Raises `InputError` for a text without a token, `ArtifactError` for a model of another kind.
    """
    reader = model.writer if isinstance(model, VisionModel) else model
    if isinstance(reader, Translator):
        return _translation(reader, text, chat=chat, stages=stages)
    if not isinstance(reader, Model | Encoder):
        raise ArtifactError("a decoder, an encoder or a translator", f"{reader.name}, {reader.kind}",
                            "Give the model that it was made from.")  # fmt: skip
    for stage in stages:
        if stage.tokenizer.sha256 != reader.tokenizer.sha256:
            raise InputError(f"a model with the tokenizer of {reader.name}", f"{stage.name}, which has another",
                             "Leave it out.")  # fmt: skip
    others = [Stage(stage.name, stage.network) for stage in stages]
    return finished(look(reader, _ids(reader, text, chat, max_tokens), text[:60], end=chat, stages=others))


def _translation(reader: Translator, text: str, *, chat: bool, stages: Sequence[Model]) -> Page:
    if chat or stages:
        raise InputError("a text for a translator", "a conversation" if chat else "other stages", "Leave them out.")
    if not text:
        raise InputError("a text to translate", "an empty one", "Give a text.")
    (source,) = reader.sources([text])
    (written,) = reader.translated([source], reader.search)
    return finished(look_at_translation(reader, source, [reader.bos, *written, reader.eos], text[:60]))


def _ids(reader: Model | Encoder, text: str, chat: bool, max_tokens: int) -> list[int]:
    if not text:
        return []
    if not chat:
        return reader.text_ids(text)
    if isinstance(reader, Encoder):
        raise InputError("a decoder for a conversation", f"{reader.name}, an encoder", "Leave out --chat.")
    asked = reader.chat_ids([Message(role="user", content=text)])
    return [*asked, *reader.generate_ids(asked, Sampling(max_tokens=max_tokens, temperature=0.0))]
