"""clip learns which captions belong to which images, and leaves a CLIP that other tools open."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import transformers
from torch.nn.functional import normalize

import gptwright
from gptwright.configs.clip import Clip
from gptwright.foundations.metrics import read_metrics
from gptwright.pipelines.image_text import ImageTextModel
from gptwright.stages.clip import task_of
from gptwright.training.evaluation import read_evaluations


def test_what_it_leaves(clip: Path, pictures: Path) -> None:
    found = read_evaluations(clip)
    assert set(found) == {"before", "after"} and set(found["after"].estimates) == {"recall@1 of 3", "recall@5 of 3"}
    assert sum("recall@5 of 3" in line for line in read_metrics(clip / "metrics.jsonl")) == 2
    model = gptwright.load(clip)
    assert isinstance(model, ImageTextModel)
    vectors = model.embed_images([(pictures / "sheet.png").read_bytes()])
    assert torch.allclose(vectors.norm(), torch.tensor(1.0))


@torch.no_grad()
def test_transformers_finds_where_a_text_ends(clip: Path) -> None:
    """The first end of text in the ids, though the tokenizer begins texts with the same token."""
    ours: Any = gptwright.load(clip)
    assert ours.tokenizer.declared_bos_id == ours.tokenizer.eos_id
    ids = ours.text_ids("the sea")
    theirs: Any = transformers.CLIPModel.from_pretrained(clip / "model")
    found = theirs.eval().get_text_features(torch.tensor([ids])).pooler_output
    torch.testing.assert_close(normalize(found), ours.embed_texts(["the sea"]), atol=1e-5, rtol=0.0)


def test_a_held_out_image_is_not_learned_under_another_name(clip_config: Clip) -> None:
    task = task_of(clip_config)
    assert len(task.train) == 9 and len(task.heldout) == 3
    assert not {each.key for each in task.train} & {each.key for each in task.heldout}


def test_what_cannot_be_learned_is_refused(clip_config: Clip, refused: Callable[..., str], tmp_path: Path) -> None:
    words = ["clip", "--captions", clip_config.captions[0], "--tokens", clip_config.tokens, "--out", tmp_path / "out"]
    assert "nearest" in (said := refused(*words, "--preset", "clip-nono")) or "clip-nano" in said
    assert "a batch" in refused(*words, "--batch-size", 20)
    assert "captions.jsonl" in refused(*[*words[:2], tmp_path / "captions.jsonl", *words[3:]])


def test_the_seed_decides_the_weights(clip_config: Clip) -> None:
    one, same, other = (task_of(replace(clip_config, seed=seed)).model.network for seed in (1, 1, 2))
    weights = [network.image.patches.project.weight for network in (one, same, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
