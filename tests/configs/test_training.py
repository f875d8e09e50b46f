"""Options that several stages share are written once, and a stage's own come first."""

from dataclasses import fields
from pathlib import Path

import pytest

from gptwright.configs.pretrain import SHORTEST_PAIR, Pretrain
from gptwright.configs.reward import Reward
from gptwright.configs.sft import SFT
from gptwright.configs.training import OPTIMIZERS, SupervisedOptions, TextOptions, TrainingOptions
from gptwright.foundations.errors import ConfigError
from gptwright.pretraining.nsp_pairs import SHORTEST
from gptwright.training import optimizers

HERE = Path()


@pytest.mark.parametrize("kind", [Pretrain, SFT, Reward])
def test_shared_options_are_inherited_and_come_last(kind: type[SupervisedOptions]) -> None:
    names = [field.name for field in fields(kind)]
    assert {field.name for field in fields(TrainingOptions)} < set(names)
    assert names.index("threads") > names.index(next(iter(kind.__annotations__)))


@pytest.mark.parametrize("kind", [TrainingOptions, SupervisedOptions, TextOptions])
def test_every_shared_option_says_what_it_is(kind: type[TrainingOptions]) -> None:
    text = Path(__import__(kind.__module__, fromlist=["_"]).__file__).read_text(encoding="utf-8")
    for field in fields(kind):
        assert f"    {field.name}: " in text
        assert text.split(f"    {field.name}: ", 1)[1].split("\n")[1].strip().startswith('"""')


@pytest.mark.parametrize("dtype", ["auto", "float32", "bfloat16"])
def test_formats_to_train_in(dtype: str) -> None:
    assert Reward(base=HERE, rankings=(HERE,), dtype=dtype).dtype == dtype  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["fast", "int8", "float16"])
def test_other_formats_are_refused(dtype: str) -> None:
    with pytest.raises(ConfigError, match="number format to train in"):
        Reward(base=HERE, rankings=(HERE,), dtype=dtype)  # type: ignore[arg-type]


def test_what_is_written_twice_so_that_no_torch_is_needed_agrees() -> None:
    assert set(OPTIMIZERS) == set(optimizers.OPTIMIZERS)
    assert SHORTEST_PAIR == SHORTEST


def test_the_numbers_of_inherited_options_are_checked() -> None:
    with pytest.raises(ConfigError, match="save_every"):
        SFT(base=HERE, conversations=(HERE,), tokens=HERE, save_every=0)
