"""Visual instruction tuning (Liu et al. 2023, §4.2): conversations with images, of which the assistant's words are
learned, beside pretraining text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from gptwright.alignment.demonstrations import Conversation, Demonstration, Demonstrations
from gptwright.evaluation.perplexity import text_loss
from gptwright.foundations.device import device_of, to_device
from gptwright.foundations.errors import InputError
from gptwright.foundations.intake import Intake
from gptwright.images.jitter import jittered
from gptwright.images.named import named_image
from gptwright.models.vision_language import with_room
from gptwright.objectives.language import IGNORED, next_token_loss, token_nats
from gptwright.pipelines.vision_model import VisionModel
from gptwright.text.jsonl import read_objects
from gptwright.text.pack import TokenFile
from gptwright.tokenizers.chat_templates.chat import read_messages
from gptwright.tokenizers.chat_templates.parts import images_of
from gptwright.training.batch_shard import BatchShard
from gptwright.training.batches import TokenBatch, Windows, key
from gptwright.training.evaluation import Evaluation
from gptwright.training.next_token import next_token_losses, without_overhang

WINDOWS = 200  # of held-out text


def read_conversations(path: Path) -> list[Conversation]:
    """The conversations of a file, with their images. Raises `InputError` naming what is wrong, and images that are not
    there."""
    load = partial(named_image, folder=path.parent)
    return [Conversation(read_messages(line.get("messages"), line.where, load), line.split, line.where)
            for line in read_objects(path)]  # fmt: skip


class Shown(NamedTuple):
    """A conversation as ids, with room for its images."""

    ids: Demonstration
    images: list[bytes]


def shown(conversations: Sequence[Conversation], model: VisionModel, intake: Intake) -> list[Shown]:
    """What can be learned from them; `intake` is told of the others. Those that the context does not hold go whole: a
    conversation without its images is another."""
    config, found = model.network.config, list[Shown]()
    for conversation in conversations:
        images = images_of(conversation.messages)
        with intake.dropping(conversation.where):
            room = model.context - len(images) * (config.image.patches - 1)
            one = Demonstration.of(conversation.messages, model.tokenizer, max(room, 0), model.image_token)
            if not one.ids or one.cut:
                intake.drop(f"without an answer, or longer than {model.context:,} tokens", conversation.where)
            else:
                found.append(Shown(_with_room(one, config.placeholder, config.image.patches), images))
    return found


def _with_room(shown: Demonstration, placeholder: int, patches: int) -> Demonstration:
    """Nothing is learned at an image's patches but what follows the last."""
    targets: list[int] = []
    for id, target in zip(shown.ids, shown.targets, strict=True):
        targets += [*[IGNORED] * (patches - 1), target] if id == placeholder else [target]
    return Demonstration(with_room(shown.ids, placeholder, patches), targets)


class VisionBatch(NamedTuple):
    """A step's conversations with the images of each, and its text."""

    conversations: TokenBatch
    images: list[list[bytes]]
    text: TokenBatch | None
    step: int

    @property
    def rows(self) -> int:
        return max(self.conversations.rows, self.text.rows if self.text else 0)


@dataclass(frozen=True)
class MixedText:
    """Pretraining text beside the conversations."""

    windows: Windows | None
    """what is mixed in, if any"""
    heldout: TokenFile
    length: int
    """tokens of a window"""


class VisionTask:
    """Every step learns from a batch of conversations and one of text."""

    def __init__(
        self,
        model: VisionModel,
        train: Sequence[Shown],
        heldout: Sequence[Shown],
        text: MixedText,
        *,
        rows: int,
        seed: int,
        jitter: bool,
    ) -> None:
        self.model, self.train, self.heldout, self.text = model, train, heldout, text
        self.seed, self.jitter = seed, jitter
        pad = model.tokenizer.pad_id
        self.demonstrations = Demonstrations([one.ids for one in train], rows, seed, pad)
        self.losses: dict[str, float] = {}

    @property
    def typical_length(self) -> int:
        """Tokens and patches of a conversation on the average."""
        return sum(len(one.ids.ids) for one in self.train) // len(self.train)

    def batch(self, step: int) -> VisionBatch:
        images = [self.train[i].images for i in self.demonstrations.numbers(step)]
        text = self.text.windows.batch(step) if self.text.windows else None
        return VisionBatch(self.demonstrations.batch(step), images, text, step)

    def loss(self, batch: VisionBatch, shard: BatchShard) -> Iterator[Tensor]:
        self.losses = {"answer_nats": 0.0}
        count = int((batch.conversations.targets != IGNORED).sum())
        for rows in shard.slices(batch.conversations.rows):
            pixels = self._pixels(batch, rows)
            hidden, targets = self._hidden(batch.conversations, rows, pixels)
            decoder = self.model.network.decoder
            loss = next_token_loss(hidden, decoder.output, targets, 0.0, count, decoder.vocabulary)
            self.losses["answer_nats"] += float(loss.detach())
            yield loss
        mine = shard.of_part(batch.text.rows) if batch.text else None
        if batch.text and mine:
            self.losses["text_nats"] = 0.0
            for loss in next_token_losses(self.model.network.decoder, batch.text, mine):
                self.losses["text_nats"] += float(loss.detach())
                yield loss

    def _pixels(self, batch: VisionBatch, rows: slice) -> Tensor | None:
        """Of the images of these rows; the same however the batch is cut."""
        every = [image for images in batch.images for image in images]
        first = sum(len(images) for images in batch.images[: rows.start])
        count = sum(len(images) for images in batch.images[rows])
        if not count:
            return None
        pixels = self.model.pixels(every)
        seen = jittered(pixels, key("jitter", self.seed, batch.step) >> 1) if self.jitter else pixels
        return seen[first : first + count]

    def _hidden(self, batch: TokenBatch, rows: slice, pixels: Tensor | None) -> tuple[Tensor, Tensor]:
        network = self.model.network
        device = device_of(network)
        cut = without_overhang(batch, network.config.context)
        seen = None if pixels is None else to_device(pixels, device)
        return network.hidden(to_device(cut.ids[rows], device), seen), cut.targets[rows]

    @torch.no_grad()
    def evaluate(self, step: int) -> Evaluation:
        """Nats a token of held-out answers and of held-out text."""
        network = self.model.network
        total = seen = 0.0
        for one in self.heldout:
            batch = TokenBatch(torch.tensor([one.ids.ids]), torch.tensor([one.ids.targets]))
            pixels = self.model.pixels(one.images) if one.images else None
            hidden, targets = self._hidden(batch, slice(None), pixels)
            chosen = targets != IGNORED
            wanted = to_device(targets[chosen], hidden.device)
            total += float(token_nats(hidden[chosen.to(hidden.device)], network.decoder.output, wanted).sum())
            seen += len(wanted)
        text = text_loss(network.decoder, self.text.heldout, length=self.text.length, windows=WINDOWS).nats
        answers = {"heldout_answer_nats": total / seen} if seen else {}
        return Evaluation(metrics={**answers, "heldout_nats": text})


def require_images(conversations: Sequence[Shown]) -> None:
    """Raises `InputError` where nothing is to be seen."""
    if not any(one.images for one in conversations):
        raise InputError("conversations with images", "none that has one", "Teach text alone with gptwright sft.")
