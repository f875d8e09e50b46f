"""`gptwright.see`: a look inside a model while it reads a text, as one page."""

from collections.abc import Sequence
from itertools import accumulate

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.images.decode import decode_image
from gptwright.images.named import drawn_uri
from gptwright.inference.sampling import Sampling
from gptwright.interpretability.inside import Stage
from gptwright.interpretability.look import look, look_at_translation
from gptwright.interpretability.page import Page
from gptwright.interpretability.sight import Sight
from gptwright.interpretability.steps import finished
from gptwright.pipelines.encoder import Encoder
from gptwright.pipelines.load import AnyModel
from gptwright.pipelines.model import Model
from gptwright.pipelines.translator import Translator
from gptwright.pipelines.vision_model import PLACE, SeeingWriter, VisionModel, check_places
from gptwright.tokenizers.chat_templates.parts import Message, PlacedImage


def see(
    model: AnyModel,
    text: str,
    *,
    images: Sequence[bytes] = (),
    chat: bool = False,
    max_tokens: int = 64,
    stages: Sequence[Model] = (),
) -> Page:
    """What a decoder, an encoder or a translator makes of a text; a translator writes its translation first.

    With `chat` the text is what a user says: the model answers first, with `max_tokens` at most and always the
    likeliest, and the whole conversation is looked at. `images`: files that a model which sees reads where the text
    says `<image>`, or before it. `stages`: models with the same tokenizer, whose expectations stand beside.

    Of a text that is longer than the page or the context the beginning is shown, of a conversation the end, and the
    page says so; of a text with images nothing is cut. Raises `InputError` for a text without a token, for images and
    places that are not as many, for images of a model or beside a stage that sees none, and as `decode_image` does;
    `ArtifactError` for a model of another kind.
    """
    reader = model.writer if isinstance(model, VisionModel) else model
    if images and not isinstance(reader, SeeingWriter):
        raise InputError("a model that sees, to look at images", f"{reader.name}, which reads text alone",
                         "Leave the images out, or give a folder of gptwright vision.")  # fmt: skip
    if isinstance(reader, Translator):
        return _translation(reader, text, chat=chat, stages=stages)
    if not isinstance(reader, Model | Encoder):
        raise ArtifactError("a decoder, an encoder or a translator", f"{reader.name}, {reader.kind}",
                            "Give the model that it was made from.")  # fmt: skip
    _check_tokenizers(reader, stages)
    if isinstance(reader, SeeingWriter):
        ids = _with_images(reader, text, images, chat, max_tokens)
    else:
        ids = _ids(reader, text, chat, max_tokens)
    others = [Stage(stage.name, stage.network, _sight(stage, images)) for stage in stages]
    return finished(look(reader, ids, text[:60], end=chat, stages=others, sight=_sight(reader, images)))


def _check_tokenizers(reader: Model | Encoder, stages: Sequence[Model]) -> None:
    for stage in stages:
        if stage.tokenizer.sha256 != reader.tokenizer.sha256:
            raise InputError(f"a model with the tokenizer of {reader.name}", f"{stage.name}, which has another",
                             "Leave it out.")  # fmt: skip


def _sight(model: Model | Encoder, images: Sequence[bytes]) -> Sight | None:
    if not images:
        return None
    if not isinstance(model, SeeingWriter):
        raise InputError("a stage that sees, beside one with images", f"{model.name}, which reads text alone",
                         "Leave it out.")  # fmt: skip
    seeing = model.model
    squares = [seeing.preprocessing.square(decode_image(image)) for image in images]
    return Sight(seeing.network, seeing.pixels(images), [drawn_uri(square) for square in squares])


def _with_images(writer: SeeingWriter, text: str, images: Sequence[bytes], chat: bool, max_tokens: int) -> list[int]:
    """A text, or a conversation, with room for every patch of the images in it."""
    if PLACE not in text:
        text = PLACE * len(images) + text
    if chat:
        return _conversation(writer, _message(text, images), max_tokens)
    return writer.model.prompt(writer.model.placed_ids(text), images)[0] if text else []


def _message(text: str, images: Sequence[bytes]) -> Message:
    """What a user says, its images at their places. Raises `InputError` unless they are as many."""
    *before, last = text.split(PLACE)
    check_places(len(before), len(images))
    ends = accumulate(map(len, before))
    placed = [PlacedImage(at, image) for at, image in zip(ends, images, strict=True)]
    message: Message = {"role": "user", "content": "".join([*before, last])}
    if placed:
        message["images"] = placed
    return message


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
    return _conversation(reader, Message(role="user", content=text), max_tokens)


def _conversation(model: Model, said: Message, max_tokens: int) -> list[int]:
    """What a user says, and the model's answer."""
    stream = model.open_chat([said], Sampling(max_tokens=max_tokens, temperature=0.0))
    model.engine.run([stream.request])
    return [*model.chat_ids([said]), *stream.request.answer]
