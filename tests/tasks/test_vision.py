"""Conversations with images: rooms and targets by hand, and a loss that no cut of the batch changes."""

from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image

from gptwright.alignment.demonstrations import Conversation
from gptwright.foundations.errors import InputError
from gptwright.foundations.intake import Intake
from gptwright.images.preprocess import Preprocessing
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.vision import ViTConfig
from gptwright.models.vision_language import VisionLanguageConfig, VisionLanguageModel
from gptwright.objectives.language import IGNORED
from gptwright.pipelines.vision_model import IMAGE_TOKEN, VisionModel
from gptwright.tasks.vision import MixedText, Shown, VisionTask, read_conversations, require_images, shown
from gptwright.text.pack import TokenFile, pack
from gptwright.tokenizers.chat_templates.parts import Message, PlacedImage
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.batch_shard import BatchShard
from gptwright.training.batches import Windows


def picture(red: int) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (8, 8), (red, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def model(tokenizer: Tokenizer) -> VisionModel:
    sees = tokenizer.with_additional([IMAGE_TOKEN])
    config = VisionLanguageConfig(
        image=ViTConfig(image_size=8, patch=4, width=16, heads=2, layers=2),
        text=GPT2Config(vocab=sees.vocab, context=48, width=16, heads=2, layers=1),
        placeholder=sees.special_id(IMAGE_TOKEN),
    )
    network = VisionLanguageModel(config)
    network.initialise(1)
    return VisionModel(network.eval(), sees, "seeing", Preprocessing(size=8))


def conversation(count: int, answer: str = "red") -> Conversation:
    images = [PlacedImage(0, picture(50 * i)) for i in range(count)]
    return Conversation([Message(role="user", content="the", images=images), Message(role="assistant", content=answer)])


@pytest.fixture
def text(model: VisionModel, tmp_path: Path) -> TokenFile:
    known, lines = model.tokenizer, ["the cat sat on the mat. " * 40]
    pack(lines, known.encode_many, known.eos_id, tmp_path / "train", known.vocab, known.sha256)
    return TokenFile.open(tmp_path / "train")


def made(model: VisionModel, text: TokenFile, *, jitter: bool = True) -> VisionTask:
    some = shown([conversation(1), conversation(0, "no"), conversation(2, "two")], model, Intake("vision"))
    mixed = MixedText(Windows(text, 8, 2, 1), text, 8)
    return VisionTask(model, some, some[:1], mixed, rows=3, seed=1, jitter=jitter)


def test_an_image_has_room_for_its_patches_and_nothing_is_learned_there(model: VisionModel) -> None:
    ((ids, images),) = shown([conversation(1)], model, Intake("vision"))
    encode, special = model.tokenizer.encode, model.tokenizer.special_id
    user, end, assistant = map(special, ("<|user|>", "<|end|>", "<|assistant|>"))
    said = [*encode("red"), end]
    asked = [user, *[special(IMAGE_TOKEN)] * 4, *encode("the"), end, assistant]
    assert images == [picture(0)] and ids.ids == [*asked, *said[:-1]]
    assert ids.targets == [*[IGNORED] * (len(asked) - 1), *said]


def test_what_the_context_does_not_hold_is_left_out_whole(model: VisionModel) -> None:
    intake = Intake("vision")
    assert shown([conversation(12), conversation(1)], model, intake) == shown([conversation(1)], model, Intake("x"))
    assert intake.dropped.counts.total() == 1


def test_micro_batches_add_up(model: VisionModel, text: TokenFile) -> None:
    task = made(model, text)
    batch = task.batch(4)
    whole, cut = (sum(task.loss(batch, BatchShard(micro_batches=n))) for n in (1, 3))
    assert isinstance(whole, torch.Tensor) and isinstance(cut, torch.Tensor)
    assert torch.allclose(whole, cut, atol=1e-5)
    assert set(task.losses) == {"answer_nats", "text_nats"}


def test_batches_depend_on_the_step_alone(model: VisionModel, text: TokenFile) -> None:
    task, again = made(model, text), made(model, text)
    one, other = task.batch(3), again.batch(3)
    assert torch.equal(one.conversations.ids, other.conversations.ids) and one.images == other.images
    assert [float(part.detach()) for part in task.loss(one, BatchShard())] == [
        float(part.detach()) for part in again.loss(other, BatchShard())]  # fmt: skip


def test_it_is_measured_on_answers_and_text(model: VisionModel, text: TokenFile) -> None:
    task = made(model, text, jitter=False)
    assert set(task.evaluate(0).metrics) == {"heldout_answer_nats", "heldout_nats"}


def test_conversations_without_any_image_are_another_stages() -> None:
    with pytest.raises(InputError, match="with images"):
        require_images([])


def test_images_are_read_beside_their_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture(7))
    line = '{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "%s"}}]}]}'
    (tmp_path / "talk.jsonl").write_text(line % "a.png")
    (found,) = read_conversations(tmp_path / "talk.jsonl")
    assert found.messages[0].get("images") == [PlacedImage(0, picture(7))]
    (tmp_path / "talk.jsonl").write_text(line % "b.png")
    with pytest.raises(InputError, match=r"b\.png"):
        read_conversations(tmp_path / "talk.jsonl")


def test_shown_pairs_ids_with_images(model: VisionModel) -> None:
    assert all(isinstance(one, Shown) for one in shown([conversation(0)], model, Intake("vision")))
