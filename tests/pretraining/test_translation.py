import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from gptwright.foundations.errors import ArtifactError, ConfigError
from gptwright.models.catalogue import build
from gptwright.models.transformer import TransformerConfig
from gptwright.objectives.language import IGNORED
from gptwright.pretraining.task import TaskInputs
from gptwright.pretraining.translation import Translation
from gptwright.pretraining.translation_batches import PairBatch
from gptwright.text.pack import TokenFile, pack
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.batch_schedule import BatchSizeSchedule
from gptwright.training.batch_shard import WHOLE, BatchShard

WORDS = {"the": "le", "cat": "chat", "dog": "chien", "sea": "mer", "warm": "chaud", "mat": "tapis", "free": "libre"}


def sentences(count: int, first: int) -> list[str]:
    """Sources and what they mean, alternately."""
    words = list(WORDS)
    made: list[str] = []
    for i in range(first, first + count):
        chosen = [words[i * step % 7] for step in range(1, 3 + i % 5)]
        made += [" ".join(chosen), " ".join(WORDS[word] for word in chosen)]
    return made


def material(tokenizer: Tokenizer, folder: Path, **more: Any) -> TaskInputs:
    for name, texts in (("train", sentences(90, 0)), ("heldout", sentences(70, 300))):
        pack(texts, tokenizer.encode_many, 0, folder / name, tokenizer.vocab, tokenizer.sha256, pairs=True)
    train, heldout = (TokenFile.open(folder / name) for name in ("train", "heldout"))
    config = TransformerConfig(vocab=tokenizer.vocab, context=40, width=16, heads=2, layers=1, hidden=32)
    settings = {
        "network": build(config, 1),
        "tokenizer": tokenizer,
        "train": train,
        "heldout": heldout,
        "batch_schedule": BatchSizeSchedule(4),
    }
    return TaskInputs(**settings | {"length": 32, "seed": 1} | more)  # type: ignore[arg-type]


@pytest.fixture
def task(tokenizer: Tokenizer, tmp_path: Path) -> Translation:
    return Translation(material(tokenizer, tmp_path))


def test_the_loss_is_smoothed_over_the_real_target_tokens(task: Translation) -> None:
    batch = task.train.batch(5)
    found = sum(task.loss(task.batch(5), WHOLE))
    torch.manual_seed(0)
    task.network.eval()
    logits = task.network(batch.source, batch.lengths, batch.inputs)
    still = F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORED, label_smoothing=0.1)
    assert isinstance(found, torch.Tensor)
    assert found.item() == pytest.approx(still.item(), abs=0.5), "but for dropout"
    assert found.item() != pytest.approx(still.item(), abs=1e-4)


def test_a_step_is_a_pure_function_of_seed_and_number_dropout_too(task: Translation) -> None:
    one = [float(sum(task.loss(task.batch(step), WHOLE)).detach()) for step in (3, 4)]  # type: ignore[union-attr]
    task.evaluate(3)
    torch.manual_seed(99)
    two = [float(sum(task.loss(task.batch(step), WHOLE)).detach()) for step in (4, 3)]  # type: ignore[union-attr]
    assert one == two[::-1]


def test_pieces_and_shares_add_up(tokenizer: Tokenizer, tmp_path: Path, split_as_whole: Callable[..., None]) -> None:
    config = TransformerConfig(vocab=tokenizer.vocab, context=40, width=16, heads=2, layers=1, hidden=32, dropout=0.0)
    task = Translation(material(tokenizer, tmp_path, network=build(config, 1), batch_schedule=BatchSizeSchedule(6)))
    split_as_whole(task.network, lambda shard: task.loss(task.batch(3), shard))


def test_pieces_drop_out_differently(tokenizer: Tokenizer, tmp_path: Path) -> None:
    task = Translation(material(tokenizer, tmp_path))
    batch = task.batch(3)
    tensors = (batch.source, batch.lengths, batch.inputs, batch.targets)
    twice = PairBatch(*(part[:1].repeat(2, *[1] * (part.dim() - 1)) for part in tensors), step=3)
    one, two = (part.item() for part in task.loss(twice, BatchShard(micro_batches=2)))
    assert one != two


def test_tokens_and_epochs(task: Translation) -> None:
    assert task.epochs(3 * task.train.count) == 3
    assert task.tokens(task.train.count) == task.train.tokens.meta.tokens


def test_figures_are_those_of_the_held_out_pairs(task: Translation) -> None:
    metrics = task.measure()
    plain: list[torch.Tensor] = []
    smoothed: list[torch.Tensor] = []
    task.network.eval()
    for place in range(70):
        source, target = task.heldout.pair(place)
        logits = task.network(torch.tensor([source]), torch.tensor([len(source)]), torch.tensor([[0, *target]]))[0]
        wanted = torch.tensor([*target, 0])
        plain.append(F.cross_entropy(logits, wanted, reduction="none").detach())
        smoothed.append(F.cross_entropy(logits, wanted, reduction="none", label_smoothing=0.1).detach())
    assert metrics["heldout_nats"] == pytest.approx(float(torch.cat(plain).mean()), abs=1e-4)
    assert metrics["heldout_smoothed_nats"] == pytest.approx(float(torch.cat(smoothed).mean()), abs=1e-4)
    assert metrics["heldout_pairs_translated"] == 70
    assert metrics["pairs_left_out"] == metrics["heldout_pairs_left_out"] == 0
    assert "tok:13a" in str(metrics["bleu_signature"]) and "nc:6" in str(metrics["chrf_signature"])
    assert metrics == task.measure()


def test_a_look_shows_source_translation_and_reference(task: Translation) -> None:
    found = task.evaluate(4)
    assert found.metrics.keys() == {"heldout_nats", "heldout_smoothed_nats", "heldout_bleu", "heldout_chrf"}
    source, target = sentences(70, 300)[:2]
    assert found.samples[0].startswith(f"{source} → ") and found.samples[0].endswith(f" (reference: {target})")
    assert len(found.samples) == 2


def test_it_learns_to_translate(tokenizer: Tokenizer, tmp_path: Path) -> None:
    config = TransformerConfig(vocab=tokenizer.vocab, context=40, width=48, heads=4, layers=1, hidden=96, dropout=0.0)
    task = Translation(material(tokenizer, tmp_path, network=build(config, 1), batch_schedule=BatchSizeSchedule(16)))
    optimizer = torch.optim.Adam(task.network.parameters(), 5e-3)
    for step in range(200):
        for part in task.loss(task.batch(step), WHOLE):
            part.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert float(task.measure()["heldout_bleu"]) > 80


def test_pairs_beyond_the_context_are_counted(tokenizer: Tokenizer, tmp_path: Path) -> None:
    config = TransformerConfig(vocab=tokenizer.vocab, context=12, width=16, heads=2, layers=1, hidden=32)
    metrics = Translation(material(tokenizer, tmp_path, network=build(config, 1), length=12)).measure()
    assert 0 < metrics["pairs_left_out"] < 90 and metrics["heldout_pairs_left_out"] != 0  # type: ignore[operator]


def test_running_text_is_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    given = material(tokenizer, tmp_path)
    pack(sentences(9, 0), tokenizer.encode_many, 0, tmp_path / "text", tokenizer.vocab, tokenizer.sha256)
    with pytest.raises(ArtifactError, match="--pairs"):
        Translation(TaskInputs(**vars(given) | {"train": TokenFile.open(tmp_path / "text")}))


def test_without_sacrebleu_nothing_begins(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    with pytest.raises(ConfigError, match=r"gptwright\[translate\]"):
        Translation(material(tokenizer, tmp_path))
