from collections.abc import Callable
from pathlib import Path

from gptwright.reporting.collect import collect
from gptwright.reporting.curves import figures


def test_every_stage_that_measured_has_its_curves(whole_run: Path) -> None:
    titles = [figure.title for figure in figures(collect(whole_run))]
    assert titles == [
        "Pretraining",
        "Supervised fine-tuning",
        "Reward model",
        "PPO: score",
        "PPO: distance",
        "PPO: length",
    ]


def test_training_loss_is_in_bits_a_byte(whole_run: Path) -> None:
    """At the end the mean of 3.00 … 3.15 nats a token of 3 bytes: 3.075 / ln 2 / 3 = 1.479 bits a byte."""
    legend = figures(collect(whole_run))[0].legend
    assert legend == [("training", "b", "1.479"), ("held out", "a", "1.600")]


def test_without_a_tokenizer_only_held_out_loss_is_shown(tmp_path: Path, stage_writer: Callable[..., Path]) -> None:
    history = [{"step": n, "loss_nats": 3.0} for n in (1, 2, 4)] + [{"step": 2, "heldout_bits_per_byte": 2.0}]
    stage_writer(tmp_path / "01-pretrain", "pretrain", history=history, metrics={"heldout_bits_per_byte": 1.5})
    (figure,) = figures(collect(tmp_path))
    assert figure.legend == [("held out", "a", "1.500")]  # the final measurement closes the curve


def test_a_run_that_measured_nothing_has_no_curves(tmp_path: Path, stage_writer: Callable[..., Path]) -> None:
    stage_writer(tmp_path / "01-prepare", "prepare")
    assert figures(collect(tmp_path)) == []
