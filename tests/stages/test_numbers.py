"""Every number that can be given to any verb, on the command line, in a recipe and in Python: taken or explained."""

import re
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass, replace
from math import inf, isfinite, nan
from pathlib import Path
from typing import Any, get_args

import pytest
from jaxtyping import TypeCheckError

from gptwright.configs.command_line import read_command
from gptwright.configs.verbs import STAGES, VERBS
from gptwright.foundations.config import decode
from gptwright.foundations.errors import GptwrightError
from gptwright.foundations.settings import FINITE, WHOLE, Range, numbers_of
from gptwright.layers.positions import RopeScaling
from gptwright.models.catalogue import FAMILIES, config_from_table
from gptwright.models.config import ModelConfig
from gptwright.training.distributed.mesh import Mesh

VALUES = (nan, inf, -inf, -1, 0, 1e30, 10**26, "x")
CLASSES = {name: verb.config_type for name, verb in VERBS.items()}
NUMBERS = [(verb, name) for verb, config in CLASSES.items() for name in numbers_of(config)]
SIZES = [(family, name) for family in FAMILIES for name in numbers_of(FAMILIES[family].config)]
THREE_PARTS = re.compile(r"needed .+; got .+\.\n  .+", re.DOTALL)


def needed(verb: str) -> dict[str, Any]:
    """The least that a verb must be given, besides numbers."""
    must = {
        field.name: field.type for field in fields(CLASSES[verb]) if field.default is field.default_factory is MISSING
    }
    given: dict[str, Any] = {name: (Path("x"),) if "tuple" in str(kind) else Path("x") for name, kind in must.items()}
    return given | {
        "generate": {"prompt": "x"},
        "tokenize": {"text": Path("x")},
        "sandbox": {"program": Path("x")},
    }.get(verb, {})


def words(verb: str) -> list[str]:
    """The same as words on the command line."""
    positional = set[str]()
    if verb not in ("pretrain", "rank"):
        positional |= {"model", "prompt", "source", "recipe", "run", "file", "files", "program"}
    if verb == "see":
        positional |= {"text"}
    found: list[str] = []
    for name in needed(verb):
        found += ["x"] if name in positional else [f"--{name.replace('_', '-')}", "x"]
    return [*found, "--out", "x"] if verb in STAGES else found


def is_explained_or_fits(make: Callable[[], Any], *names: str) -> None:
    try:
        found = make()
    except GptwrightError as error:
        assert THREE_PARTS.fullmatch(str(error)), str(error)
        return
    except TypeCheckError:
        return  # the hook that checks shapes in these tests looks at types before we can
    for name in names:
        found = getattr(found, name)
    assert found is None or (not isinstance(found, str | bool) and isfinite(found)), found


@pytest.mark.parametrize(("verb", "name"), NUMBERS)
def test_on_the_command_line(verb: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    option = f"--{name.replace('_', '-')}"
    for value in VALUES:
        try:
            given = [*words(verb), f"{option}={value}"]
            is_explained_or_fits(lambda given=given: read_command(VERBS[verb], given).config, name)
        except SystemExit as end:
            assert end.code == 2 and option in capsys.readouterr().err


@pytest.mark.parametrize(("verb", "name"), NUMBERS)
def test_in_python(verb: str, name: str) -> None:
    for value in (*VALUES, True, (1,), 10**400):
        is_explained_or_fits(lambda value=value: CLASSES[verb](**needed(verb) | {name: value}), name)


@pytest.mark.parametrize(("verb", "name"), [(verb, name) for verb, name in NUMBERS if verb in STAGES])
def test_in_a_recipe(verb: str, name: str) -> None:
    decoders = {Path: Path, ModelConfig: config_from_table}
    for value in (*VALUES, True, [1], 10**400):
        table = needed(verb) | {name: value}
        is_explained_or_fits(lambda table=table: decode(CLASSES[verb], table, f"[{verb}]", decoders), name)


@pytest.mark.parametrize(("family", "name"), SIZES)
def test_sizes_of_models(family: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    preset, config = next(iter(FAMILIES[family].presets.items()))
    for value in (*VALUES, True):
        table = {"family": family, name: value}
        is_explained_or_fits(lambda table=table: config_from_table(table), name)
        is_explained_or_fits(lambda value=value: replace(config, **{name: value}), name)
        try:
            given = [*words("pretrain"), "--model", preset, f"--model.{name.replace('_', '-')}={value}"]
            is_explained_or_fits(lambda given=given: read_command(VERBS["pretrain"], given).config, "model", name)
        except SystemExit as end:
            assert end.code == 2 and f"--model.{name.replace('_', '-')}" in capsys.readouterr().err


def test_every_size_has_a_least_and_a_most() -> None:
    """Without them a file that is damaged, or a slip, asks for more than a machine has."""
    for config in (*get_args(ModelConfig), Mesh, RopeScaling):
        assert is_dataclass(config)
        assert not unbounded(config), config


def test_every_number_of_a_stage_has_a_least_and_a_most() -> None:
    for verb in STAGES:
        assert not unbounded(CLASSES[verb]), verb


def unbounded(config: Any) -> list[str]:
    return [name for name, number in numbers_of(config).items() if number.range in (FINITE, Range(-WHOLE, WHOLE))]
