"""The laws that every decoder of the catalogue keeps."""

from typing import Any

import pytest
import torch

from gptwright.layers.cache import Cache
from gptwright.models.bert import BERTConfig
from gptwright.models.catalogue import FAMILIES
from gptwright.models.decoder import Decoder
from gptwright.models.formats.huggingface import mapping_of
from gptwright.models.gpt1 import GPT1Config
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.gpt3 import GPT3Config
from gptwright.models.llama import LlamaConfig
from gptwright.models.modern import ModernConfig
from gptwright.models.transformer import TransformerConfig
from gptwright.objectives.language import next_token_loss
from gptwright.objectives.masked import chosen_states, masked_loss, next_sentence_loss
from gptwright.training.optimizer import cast_linears

SIZES = {"vocab": 50, "context": 16, "width": 12, "layers": 2}
TINY: dict[str, Any] = {
    "gpt1": GPT1Config(**SIZES, heads=3),
    "gpt2": GPT2Config(**SIZES, heads=3),
    "gpt3": GPT3Config(**SIZES, heads=3, reach=4),
    "llama": LlamaConfig(**SIZES, heads=6, kv_heads=3, hidden=20),
    "modern": ModernConfig(**SIZES, heads=2, kv_heads=1),
    "transformer": TransformerConfig(**SIZES, heads=3, hidden=20),
    "bert": BERTConfig(**SIZES, heads=3),
}
DECODERS = [name for name, family in FAMILIES.items() if family.kind == "decoder"]


def test_every_family_is_tested() -> None:
    assert TINY.keys() == FAMILIES.keys()


@pytest.fixture(params=DECODERS)
def model(request: pytest.FixtureRequest) -> Any:
    """Large weights everywhere, so that every part shows."""
    built = FAMILIES[request.param].model(TINY[request.param])
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.normal_(0.0, 0.3)
    assert isinstance(built, Decoder)
    return built


def new_cache(model: Any, rows: int, capacity: int) -> Cache:
    """For a decoder's layers."""
    attention = model.blocks[0].attention
    return Cache(len(model.blocks), rows, attention.kv_heads, capacity, attention.head_width, model.matrix_dtype)


def logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    return model.logits(model.hidden(ids))


def test_the_future_cannot_change_the_past(model: Any) -> None:
    ids = torch.randint(50, (2, 16))
    other = ids.clone()
    other[:, 9:] = (other[:, 9:] + 1) % 50
    one, two = logits(model, ids), logits(model, other)
    assert torch.equal(one[:, :9], two[:, :9])
    assert not torch.equal(one[:, 9], two[:, 9])


def test_position_matters(model: Any) -> None:
    one = logits(model, torch.tensor([[1, 2, 3]]))
    assert not torch.allclose(one[0, 2], logits(model, torch.tensor([[2, 1, 3]]))[0, 2])


def test_cached_equals_uncached(model: Any) -> None:
    ids = torch.randint(50, (3, 12))
    whole = logits(model, ids)
    cache = new_cache(model, 3, 12)
    lengths = torch.tensor([5, 2, 4])
    first = model.logits(model.hidden(ids[:, :5], cache))
    cache.advance(lengths)
    for row, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(first[row, :length], whole[row, :length], atol=1e-4, rtol=1e-5)
    for _ in range(7):
        now = cache.lengths.clone()
        step = model.logits(model.hidden(ids[torch.arange(3), now][:, None], cache))
        cache.advance(torch.ones_like(now))
        torch.testing.assert_close(step[:, 0], whole[torch.arange(3), now], atol=1e-4, rtol=1e-5)


def test_padding_on_the_right_changes_nothing(model: Any) -> None:
    ids = torch.randint(50, (1, 7))
    padded = torch.cat([ids, torch.full((1, 5), 3)], 1)
    torch.testing.assert_close(logits(model, padded)[:, :7], logits(model, ids), atol=1e-5, rtol=1e-5)


def test_rows_do_not_see_each_other(model: Any) -> None:
    ids = torch.randint(50, (4, 9))
    torch.testing.assert_close(logits(model, ids)[2:3], logits(model, ids[2:3]), atol=1e-5, rtol=1e-5)


def test_a_gradient_reaches_every_parameter(model: Any) -> None:
    logits(model, torch.arange(16)[None] * 3 % 50).logsumexp(-1).square().sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_a_fresh_model_knows_nothing(model: Any) -> None:
    model.initialise(1)
    nats = -logits(model, torch.randint(50, (4, 16))).log_softmax(-1).mean().detach()
    assert abs(float(nats) - 3.912) < 0.05, "ln 50"


def test_more_tokens_than_the_context_are_refused(model: Any) -> None:
    with pytest.raises(IndexError):
        model.hidden(torch.zeros(1, 17, dtype=torch.long))


def test_every_tensor_has_one_name_in_their_folders(model: Any) -> None:
    names = [theirs for name in model.state_dict() for theirs in mapping_of(model.config).theirs(name)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_step_stays_on_the_models_device_and_waits_for_nothing(name: str) -> None:
    """On torch's meta device: a tensor made elsewhere is refused, and so is asking for a number."""
    family = FAMILIES[name]
    preset = next(config for preset, config in family.presets.items() if preset.endswith("-nano"))
    with torch.device("meta"):
        model: Any = family.model(preset)
    cast_linears(model, torch.bfloat16)
    training_loss(model, family.kind).backward()
    assert {parameter.grad.device.type for parameter in model.parameters() if parameter.grad is not None} == {"meta"}
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def training_loss(model: Any, kind: str) -> torch.Tensor:
    """Of two rows of 96 tokens, as its lesson has it."""
    ids = torch.zeros(2, 96, dtype=torch.long, device="meta")
    lengths = ids[:, 0]
    if kind == "decoder":
        return next_token_loss(model.hidden(ids), model.output, ids, count=192)
    if kind == "encoder-decoder":
        return next_token_loss(model.decode(ids, model.encode(ids, lengths)), model.output, ids, 0.1, 192)
    states = model.encode(ids, ids, lengths)
    words, targets = chosen_states(states, torch.zeros(2, 96, dtype=torch.long))
    return masked_loss(
        model.masked_states(words), model.embed.weight, model.output_bias, targets, 192
    ) + next_sentence_loss(model.next_logits(states), lengths > 0)
