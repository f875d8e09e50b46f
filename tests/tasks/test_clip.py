"""CLIP's task: what is read, that batches depend on the step alone, and recall counted by hand."""

import json
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image

from gptwright.foundations.errors import InputError
from gptwright.images.preprocess import Preprocessing
from gptwright.models.clip import CLIP, CLIPConfig
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.vision import ViTConfig
from gptwright.objectives.contrastive import contrastive_loss
from gptwright.pipelines.image_text import ImageTextModel
from gptwright.tasks.clip import Captioned, ClipTask, read_captions, recall
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.batch_shard import WHOLE


def picture(red: int) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (8, 8), (red, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def task(tokenizer: Tokenizer) -> ClipTask:
    config = CLIPConfig(image=ViTConfig(image_size=8, patch=4, width=16, heads=2, layers=1), embedding=8,
                        text=GPT2Config(vocab=tokenizer.vocab, context=16, width=16, heads=2, layers=1))  # fmt: skip
    network = CLIP(config)
    network.initialise(1)
    model = ImageTextModel(network.eval(), tokenizer, "clip", Preprocessing(size=8))
    some = [Captioned(picture(40 * i), "the cat " * i, None) for i in range(1, 7)]
    return ClipTask(model, some[:4], some[4:], rows=3, seed=1)


def test_batches_depend_on_the_step_alone(task: ClipTask) -> None:
    one, again, other = task.batch(2), task.batch(2), task.batch(3)
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one.images, other.images)
    assert one.images.shape == (3, 3, 8, 8) and one.rows == 1


def test_the_loss_is_that_of_finding_each_among_all(task: ClipTask) -> None:
    batch = task.batch(0)
    (loss,) = task.loss(batch, WHOLE)
    assert torch.allclose(loss, contrastive_loss(task.model.network(*batch)))


def test_recall_by_hand() -> None:
    logits = torch.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    found = recall(logits, ["a", "b", "c"]).estimates
    assert {name: each.value for name, each in found.items()} == {"recall@1 of 3": pytest.approx(2 / 3),
                                                                 "recall@5 of 3": 1.0}  # fmt: skip
    assert recall(logits, ["a", "a", "c"]).estimates["recall@1 of 3"].value == 1.0  # an equal text is as good


def test_what_is_held_out_is_measured(task: ClipTask) -> None:
    assert set(task.evaluate(0).estimates) == {"recall@1 of 2", "recall@5 of 2"}
    assert not ClipTask(task.model, task.train, [], 3, 1).evaluate(0).estimates


def test_captions_are_read_and_lines_without_one_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture(9))
    path = tmp_path / "captions.jsonl"
    path.write_text(json.dumps({"image": "a.png", "text": "red", "split": "heldout"}))
    assert read_captions(path) == [Captioned(picture(9), "red", "heldout")]
    for wrong in ({"image": "a.png"}, {"image": "b.png", "text": "red"}, {"image": 1, "text": "red"}):
        path.write_text(json.dumps(wrong))
        with pytest.raises(InputError):
            read_captions(path)
