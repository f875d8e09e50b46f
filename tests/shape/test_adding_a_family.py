"""The family on the page docs/adding-a-family.md is two files, a line each, and computes what transformers computes."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import transformers
from tests.models.test_family import new_cache

from gptwright.models.catalogue import FAMILIES, count
from gptwright.models.formats.huggingface import MAPPINGS, read_model, write_model

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-family.md"
IDS = torch.arange(60).reshape(2, 30) * 7 % 60


@pytest.fixture
def mistral(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The page's two files as modules, and their lines in the two tables."""
    family, names = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    module: Any = ModuleType("gptwright.models.mistral")
    mapping: Any = ModuleType("gptwright.models.formats.mappings.mistral")
    for file, code in ((module, family), (mapping, names)):
        monkeypatch.setitem(sys.modules, file.__name__, file)
        exec(compile(code, str(PAGE), "exec"), file.__dict__)
    monkeypatch.setitem(FAMILIES, "mistral", module.FAMILY)
    monkeypatch.setitem(MAPPINGS, "mistral", mapping.MAPPING)
    yield module


def test_it_is_theirs(mistral: Any, tmp_path: Path) -> None:
    theirs: Any = transformers.MistralForCausalLM(transformers.MistralConfig(
        vocab_size=60, hidden_size=24, num_hidden_layers=3, num_attention_heads=6, num_key_value_heads=2,
        intermediate_size=40, max_position_embeddings=32, sliding_window=8, bos_token_id=0, eos_token_id=0,
    )).eval()  # fmt: skip
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_(0.0, 0.3)
    theirs.save_pretrained(tmp_path / "theirs")
    ours: Any = read_model(tmp_path / "theirs")
    assert isinstance(ours, mistral.Mistral)
    (tmp_path / "back").mkdir()
    write_model(ours, tmp_path / "back", {"bos_token_id": 0, "eos_token_id": 0})
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "back").eval()
    with torch.no_grad():
        assert (theirs(IDS).logits - ours(IDS)).abs().max() <= 1e-4
        assert (again(IDS).logits - ours(IDS)).abs().max() <= 1e-4


def test_the_band_holds_in_the_cache_too(mistral: Any) -> None:
    config = mistral.MistralConfig(vocab=60, context=32, width=24, heads=6, kv_heads=2, layers=2, hidden=40, window=8)
    model = mistral.Mistral(config)
    model.initialise(1)
    cache = new_cache(model, 2, 30)
    steps: list[torch.Tensor] = []
    for place in range(30):
        steps.append(model.hidden(IDS[:, place : place + 1], cache))
        cache.advance(torch.ones(2, dtype=torch.long))
    torch.testing.assert_close(torch.cat(steps, 1), model.hidden(IDS), atol=1e-4, rtol=1e-4)


def test_the_published_count(mistral: Any) -> None:
    with torch.device("meta"):
        assert count(mistral.Mistral(mistral.PRESETS["mistral-7b"])) == 7_241_732_096
