"""A decoder that sees, with its tokenizer: images between the words of a prompt."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gptwright.foundations.device import device_of
from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.images.decode import decode_image
from gptwright.images.preprocess import Preprocessing
from gptwright.inference.content import Content
from gptwright.inference.sampling import Sampling
from gptwright.inference.stream import Stream, StreamOptions
from gptwright.models.formats.llava import LLAVA
from gptwright.models.formats.peft import fingerprint
from gptwright.models.vision_language import VisionLanguageModel, with_room
from gptwright.pipelines.export import ExportOptions, export_vision
from gptwright.pipelines.generation_config import UNSAID, GenerationConfig
from gptwright.pipelines.loaded_model import LoadedModel
from gptwright.pipelines.model import Model
from gptwright.tokenizers.chat_templates.chat import prompt_ids, render
from gptwright.tokenizers.chat_templates.parts import Message, images_of
from gptwright.tokenizers.chat_templates.template import Tool
from gptwright.tokenizers.tokenizer import Tokenizer

PLACE = "<image>"  # where an image stands in a text
IMAGE_TOKEN = "<|image|>"  # the special token for that, of decoders that learn to see here
NEVER = -100.0  # a bias that no logit outweighs
KEPT = 32  # images whose tokens are remembered: a conversation is read again at every turn


class VisionModel(LoadedModel):
    """Images come as the bytes of their files, one for each place in the prompt, in their order."""

    kind = "a decoder that sees"

    def __init__(
        self,
        network: VisionLanguageModel,
        tokenizer: Tokenizer | None,
        name: str,
        preprocessing: Preprocessing,
        defaults: GenerationConfig = UNSAID,
        *,
        dtype: str = "auto",
    ) -> None:
        super().__init__(network, tokenizer, name, defaults)
        self.preprocessing = preprocessing
        self.writer = SeeingWriter(self, tokenizer, defaults, dtype)
        self._tokens, self._lock = OrderedDict[bytes, Tensor](), Lock()

    @property
    def architecture(self) -> str:
        return LLAVA.language_model

    @torch.inference_mode()
    def logits(self, ids: Sequence[int], images: Sequence[bytes] = ()) -> Float[Tensor, "T V"]:
        """Raw scores of the next token at every position, in float32, each place taking as many as the image has
        patches. Raises as `prompt` does."""
        room, _ = self.prompt(ids, images)
        device = device_of(self.network)
        pixels = self.pixels(images).to(device) if images else None
        return self.network(torch.tensor([room], device=device), pixels)[0]

    def generate(
        self,
        prompt: str,
        images: Sequence[bytes] = (),
        *,
        max_tokens: int = 128,
        temperature: float = 0.7,
        seed: int | None = None,
    ) -> str:
        """Continues a text with an image wherever it says `<image>`. Raises as `prompt` does."""
        ids = self.placed_ids(prompt)
        asked = replace(self.writer.sampling, max_tokens=max_tokens, temperature=temperature, seed=seed)
        answer = self.generate_ids(ids, images, asked)
        stops = {*self.tokenizer.stop_ids, *asked.stop_ids}
        return self.tokenizer.decode(answer[:-1] if answer and answer[-1] in stops else answer)

    def placed_ids(self, prompt: str) -> list[int]:
        """What is read of a text that is to be continued, with the placeholder wherever it says `<image>`."""
        first, *rest = prompt.split(PLACE)
        ids = self.writer.text_ids(first)
        for part in rest:
            ids += [self.network.config.placeholder, *self.tokenizer.encode(part)]
        return ids

    def generate_ids(
        self, ids: Sequence[int], images: Sequence[bytes] = (), sampling: Sampling | None = None
    ) -> list[int]:
        """Continues ids with an image wherever the placeholder stands: the ids that follow, the one that ended them
        included. What was read before of equal ids and images is not read again. Raises as `prompt` does."""
        room, content = self.prompt(ids, images)
        sampling = self.writer.without_places(sampling or self.writer.sampling)
        request = self.writer.engine.submit(room, sampling, content=content)
        self.writer.engine.run([request])
        return request.answer

    def prompt(self, ids: Sequence[int], images: Sequence[bytes]) -> tuple[list[int], dict[int, Content]]:
        """What the engine reads: the ids with room for every patch, and what stands there, known by a hash of the file.

        Raises `InputError` unless there is one image for each place, beyond the context, and as `decode_image` does.
        """
        config = self.network.config
        places = [i for i, id in enumerate(ids) if id == config.placeholder]
        check_places(len(places), len(images))
        patches = config.image.patches
        room = len(ids) + len(images) * (patches - 1)
        if images and room > self.context:
            raise InputError(f"at most {self.context} tokens and patches, the model's context",
                             f"{room}, of which images are {len(images) * patches}",
                             "Shorten the text, or show fewer images.")  # fmt: skip
        self.require_context(room)
        content: dict[int, Content] = {}
        for before, (place, image) in enumerate(zip(places, images, strict=True)):
            key = hashlib.sha256(image).digest()
            for i, token in enumerate(self._image_tokens(key, image)):
                content[place + before * (patches - 1) + i] = Content(key + i.to_bytes(4), token)
        return with_room(ids, config.placeholder, patches), content

    def save(self, folder: Path, **how: Unpack[ExportOptions]) -> None:
        """Writes a Hugging Face folder; `how` is that of `pipelines.export.export`."""
        export_vision(self.network, self.tokenizer, self.preprocessing, folder, self._defaults, **how)

    @property
    def image_token(self) -> str:
        """The special token that stands for an image."""
        token = self.tokenizer.backend.id_to_token(self.network.config.placeholder)
        if token is None:
            raise ArtifactError(f"a token for images in {self.name}", "a tokenizer without one", "Restore its files.")
        return token

    def pixels(self, images: Sequence[bytes]) -> Float[Tensor, "N 3 S S"]:
        """What the image encoder reads of files. Raises as `decode_image` does."""
        return self.preprocessing([decode_image(image) for image in images])

    @torch.inference_mode()
    def _image_tokens(self, key: bytes, image: bytes) -> Float[Tensor, "P D"]:
        """A server's threads ask for them beside each other."""
        with self._lock:
            if key not in self._tokens:
                self._tokens[key] = self.network.image_tokens(self.pixels([image]).to(device_of(self.network)))[0]
                if len(self._tokens) > KEPT:
                    self._tokens.popitem(last=False)
            self._tokens.move_to_end(key)
            return self._tokens[key]


def check_places(places: int, images: int) -> None:
    """Raises `InputError` unless there is one image for each place."""
    if places != images:
        raise InputError(f"{places:,} images, one for each {PLACE}", f"{images:,}",
                         "Give an image for each place, and a place for each image.")  # fmt: skip


class SeeingWriter(Model):
    """Its decoder, which writes; in conversations there may be images."""

    def __init__(self, model: VisionModel, tokenizer: Tokenizer | None, defaults: GenerationConfig, dtype: str) -> None:
        super().__init__(model.network.decoder, tokenizer, model.name, defaults, dtype=dtype)
        self.model = model

    @property
    def sees(self) -> bool:
        return True

    def save(self, folder: Path, **how: Unpack[ExportOptions]) -> None:
        """The whole of what sees."""
        self.model.save(folder, **how)

    @property
    def sight(self) -> str:
        return fingerprint(nn.ModuleList([self.model.network.vision, self.model.network.projector]))

    def chat_ids(self, messages: Sequence[Message], tools: Sequence[Tool] = (), begun: str = "") -> list[int]:
        """With room for every patch."""
        config = self.model.network.config
        placed = with_room(self._placed(messages, tools), config.placeholder, config.image.patches)
        return [*placed, *(self.tokenizer.encode(begun) if begun else ())]

    def rendered(self, messages: Sequence[Message]) -> tuple[list[int], list[bool]]:
        config, image = self.model.network.config, self._image(messages)
        ids, learned = render(messages, self.tokenizer, image)
        counts = [config.image.patches if id == config.placeholder else 1 for id in ids]
        return with_room(ids, config.placeholder, config.image.patches), [
            by_assistant for by_assistant, count in zip(learned, counts, strict=True) for _ in range(count)
        ]

    def chat_content(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> Mapping[int, Content]:
        return self.model.prompt(self._placed(messages, tools), images_of(messages))[1]

    def open_stream(self, ids: Sequence[int], sampling: Sampling, **how: Unpack[StreamOptions]) -> Stream:
        """Raises `InputError` for a place without an image as well: ids from elsewhere can have some."""
        place, content = self.model.network.config.placeholder, how.get("content", {})
        if missing := sum(id == place and at not in content for at, id in enumerate(ids)):
            raise InputError("an image in every place", f"{missing:,} without one, of id {place}",
                             "Leave the id out, or send a conversation with images.")  # fmt: skip
        return super().open_stream(ids, self.without_places(sampling), **how)

    def without_places(self, sampling: Sampling) -> Sampling:
        """What is written has no room for images in it."""
        return replace(sampling, logit_bias={**sampling.logit_bias, self.model.network.config.placeholder: NEVER})

    def _placed(self, messages: Sequence[Message], tools: Sequence[Tool]) -> list[int]:
        return prompt_ids(messages, self.tokenizer, tools, self._image(messages))

    def _image(self, messages: Sequence[Message]) -> str:
        return self.model.image_token if images_of(messages) else ""
