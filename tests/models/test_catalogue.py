from dataclasses import replace
from typing import Any

import pytest
import torch

from gptwright.foundations.errors import ConfigError
from gptwright.models import catalogue
from gptwright.models.gpt2 import GPT2Config

# Counted in the released weights, or (GPT-3, which has none) from the paper's table with its biases and norms.
PUBLISHED = {
    "gpt1-117m": 116_534_784,
    "gpt2-124m": 124_439_808,
    "gpt2-355m": 354_823_168,
    "gpt2-774m": 774_030_080,
    "gpt2-1.5b": 1_557_611_200,
    "gpt3-125m": 125_226_240,
    "gpt3-350m": 355_871_744,
    "gpt3-760m": 760_300_032,
    "gpt3-1.3b": 1_315_723_264,
    "gpt3-2.7b": 2_651_553_280,
    "gpt3-6.7b": 6_658_404_352,
    "gpt3-13b": 12_853_386_240,
    "gpt3-175b": 174_604_259_328,
    "llama-7b": 6_738_415_616,
    "llama-13b": 13_015_864_320,
    "llama-33b": 32_528_943_616,
    "llama-65b": 65_285_660_672,
    "llama2-7b": 6_738_415_616,
    "llama2-13b": 13_015_864_320,
    "llama2-70b": 68_976_648_192,
    "llama3-8b": 8_030_261_248,
    "llama3-70b": 70_553_706_496,
    "llama3.1-8b": 8_030_261_248,
    "llama3.1-70b": 70_553_706_496,
    "llama3.1-405b": 405_853_388_800,
}


@pytest.mark.parametrize(("name", "parameters"), PUBLISHED.items())
def test_presets_have_the_published_number_of_parameters(name: str, parameters: int) -> None:
    config = catalogue.preset(name)
    with torch.device("meta"):
        assert catalogue.count(catalogue.family_of(config).model(config)) == parameters


def test_every_family_is_listed_under_its_name_and_owns_its_presets() -> None:
    for name, family in catalogue.FAMILIES.items():
        assert family.name == name
        assert all(catalogue.family_of(config) is family for config in family.presets.values())


def test_a_model_is_a_pure_function_of_its_seed() -> None:
    config = GPT2Config(vocab=11, context=8, width=8, heads=2, layers=1)
    one, same, other = (catalogue.build(config, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["embed.weight"], other["embed.weight"])


@pytest.mark.parametrize("name", catalogue.presets())
def test_a_preset_with_one_size_changed_is_that_preset_but_for_the_size(name: str) -> None:
    start = catalogue.preset(name)
    assert catalogue.config_from_table({"preset": name, "vocab": 77}) == replace(start, vocab=77)
    assert catalogue.config_from_table({"preset": name, "width": start.width, "layers": 1}) == replace(start, layers=1)


def test_what_is_not_there_is_left_out_or_given_whole() -> None:
    scaled = catalogue.config_from_table({"preset": "llama3.1-8b", "layers": 2})
    assert scaled.scaling == catalogue.preset("llama3.1-8b").scaling is not None
    assert catalogue.config_from_table({"family": "llama", "layers": 2}).scaling is None
    with pytest.raises(ConfigError, match=r"model\.scaling"):
        catalogue.config_from_table({"preset": "llama-nano", "scaling": 4})


def test_a_configuration_from_a_recipe() -> None:
    nano = catalogue.preset("gpt2-nano")
    assert catalogue.config_from_table("gpt2-nano") == nano
    assert catalogue.config_from_table({"preset": "gpt2-nano", "layers": 2}).layers == 2
    assert catalogue.config_from_table({"preset": "gpt2-nano", "layers": 2}).width == nano.width
    assert catalogue.config_from_table({"family": "gpt2", "width": 64}) == GPT2Config(width=64)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("gpt2-nono", "Did you mean 'gpt2-nano'?"),
        ({"preset": "gpt2-nano", "layer": 2}, "Did you mean 'layers'?"),
        ({"family": "gtp2"}, "Did you mean 'gpt2'?"),
        ({}, "Known: "),
        ({"family": "gpt2", "layers": "two"}, "needed int for model.layers; got 'two'"),
    ],
)
def test_an_unknown_word_in_a_recipe_is_met_with_the_nearest(table: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=r".") as error:
        catalogue.config_from_table(table)
    assert said in str(error.value)


@pytest.mark.parametrize("sizes", [{"width": 30, "heads": 4}, {"layers": 0}, {"vocab": -1}])
def test_sizes_that_contradict_each_other(sizes: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        catalogue.build(GPT2Config(**sizes))
