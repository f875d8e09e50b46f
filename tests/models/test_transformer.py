"""The laws of an encoder with a decoder, and the paper's sizes."""

import pytest
import torch
from torch import Tensor

from gptwright.foundations.errors import ConfigError
from gptwright.models import catalogue
from gptwright.models.transformer import FAMILY, PRESETS, Transformer, TransformerConfig
from gptwright.training.optimizer import hold_matrices_in

TINY = TransformerConfig(vocab=50, context=16, width=12, heads=3, layers=2, hidden=20)
SOURCE = torch.arange(27).reshape(3, 9) * 7 % 50
LENGTHS = torch.tensor([9, 5, 1])
TARGET = torch.arange(36).reshape(3, 12) * 11 % 50


@pytest.fixture
def model() -> Transformer:
    """Large weights everywhere, so that every part shows; no dropout."""
    built = Transformer(TINY).eval()
    with torch.no_grad():
        for name, parameter in built.named_parameters():
            parameter.normal_(1.0 if "norm" in name and name.endswith("weight") else 0.0, 0.3)
    return built


def test_parameters_of_the_papers_sizes() -> None:
    # Table 3 prints 65 and 213 million, which no one vocabulary gives: they would need 40,700 and 35,800 tokens.
    counted = {"transformer-base": 63_082_496, "transformer-big": 214_245_376}
    for name, parameters in counted.items():
        with torch.device("meta"):
            assert catalogue.count(Transformer(PRESETS[name])) == parameters
    base, big = (parameters - 37_000 * PRESETS[name].width for name, parameters in counted.items())
    assert round((65e6 - base) / 512, -2) == 40_700 and round((213e6 - big) / 1024, -2) == 35_800


def test_parameters_by_hand() -> None:
    def attention(width: int) -> int:
        return 4 * (width * width + width)

    width, hidden = 512, 2048
    feed_forward = width * hidden + hidden + hidden * width + width
    encoder = attention(width) + feed_forward + 2 * 2 * width
    decoder = 2 * attention(width) + feed_forward + 3 * 2 * width
    assert 37_000 * width + 6 * (encoder + decoder) == 63_082_496


def test_the_future_of_the_target_cannot_change_its_past(model: Transformer) -> None:
    other = TARGET.clone()
    other[:, 7:] = (other[:, 7:] + 1) % 50
    one, two = model(SOURCE, LENGTHS, TARGET), model(SOURCE, LENGTHS, other)
    assert torch.equal(one[:, :7], two[:, :7])
    assert not torch.equal(one[:, 7], two[:, 7])


def test_every_real_token_of_the_source_matters_and_its_place_does(model: Transformer) -> None:
    whole = model(SOURCE, LENGTHS, TARGET)
    for at in (0, 4, 8):
        other = SOURCE.clone()
        other[:, at] = (other[:, at] + 1) % 50
        differs = (model(other, LENGTHS, TARGET) - whole).abs().amax((1, 2)) > 1e-4
        assert torch.equal(differs, at < LENGTHS)
    assert not torch.allclose(model(SOURCE.flip(1), LENGTHS, TARGET)[0], whole[0], atol=1e-4)


def test_padding_of_the_source_changes_nothing(model: Transformer) -> None:
    padded = torch.cat([SOURCE, torch.full((3, 6), 3)], 1)
    torch.testing.assert_close(model(padded, LENGTHS, TARGET), model(SOURCE, LENGTHS, TARGET), atol=1e-5, rtol=1e-5)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = model(SOURCE[row : row + 1, :length], torch.tensor([length]), TARGET[row : row + 1])
        torch.testing.assert_close(alone[0], model(SOURCE, LENGTHS, TARGET)[row], atol=1e-5, rtol=1e-5)


def test_padding_of_the_target_changes_nothing_before_it(model: Transformer) -> None:
    whole = model(SOURCE, LENGTHS, TARGET)
    torch.testing.assert_close(model(SOURCE, LENGTHS, TARGET[:, :5]), whole[:, :5], atol=1e-5, rtol=1e-5)


def test_rows_do_not_see_each_other(model: Transformer) -> None:
    whole = model(SOURCE, LENGTHS, TARGET)
    torch.testing.assert_close(model(SOURCE[1:2], LENGTHS[1:2], TARGET[1:2]), whole[1:2], atol=1e-5, rtol=1e-5)


def cached(model: Transformer, target: Tensor, first: int) -> Tensor:
    """Logits of all places, read `first` tokens at once and then one by one."""
    memory = model.encode(SOURCE, LENGTHS)
    cache = model.new_cache(len(target), target.shape[1])
    parts: list[Tensor] = []
    for step in target.split([first, *[1] * (target.shape[1] - first)], dim=1):
        parts.append(model.logits(model.decode(step, memory, cache)))
        cache.advance(torch.full((len(target),), step.shape[1]))
    return torch.cat(parts, 1)


@pytest.mark.parametrize("first", [1, 4])
def test_cached_equals_uncached(model: Transformer, first: int) -> None:
    torch.testing.assert_close(cached(model, TARGET, first), model(SOURCE, LENGTHS, TARGET), atol=1e-4, rtol=1e-5)


def test_several_targets_a_source_look_at_the_same_memory(model: Transformer) -> None:
    targets = torch.randint(50, (6, 8))
    memory = model.encode(SOURCE, LENGTHS)
    expected = model(SOURCE.repeat_interleave(2, 0), LENGTHS.repeat_interleave(2), targets)
    torch.testing.assert_close(model.logits(model.decode(targets, memory)), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(cached(model, targets, 1), expected, atol=1e-4, rtol=1e-5)


def test_a_memory_of_some_of_the_sources(model: Transformer) -> None:
    rows = torch.tensor([2, 0])
    memory = model.encode(SOURCE, LENGTHS).keep(rows)
    found = model.logits(model.decode(TARGET[rows], memory))
    torch.testing.assert_close(found, model(SOURCE, LENGTHS, TARGET)[rows], atol=1e-5, rtol=1e-5)


def test_a_gradient_reaches_every_parameter(model: Transformer) -> None:
    target = torch.arange(16)[None] * 3 % 50
    model(target.flip(1), torch.tensor([16]), target).logsumexp(-1).square().sum().backward()
    # A key's bias adds the same to all scores of a query, which the softmax takes off again.
    idle = {f"decoder.{layer}.cross.key.bias" for layer in range(2)}
    still = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 1e-4}
    assert still == idle


def test_a_fresh_model_knows_next_to_nothing(model: Transformer) -> None:
    model.initialise(1)
    nats = -model(SOURCE, LENGTHS, TARGET).log_softmax(-1).mean().detach()
    assert 3.9 < float(nats) < 4.7, "ln 50 = 3.91, and half a nat or so for outputs of N(0, 1)"
    spread = model.embed.weight.detach().std()
    assert abs(float(spread) - 12**-0.5) < 0.05
    for name, fans in (("mlp.up", 12 + 20), ("attention.qkv", 12 + 12), ("cross.key", 12 + 12)):
        bound, largest = (6 / fans) ** 0.5, model.decoder.get_parameter(f"0.{name}.weight").abs().max()
        assert 0.9 * bound < largest <= bound


def test_dropout_is_only_for_training(model: Transformer) -> None:
    still = model(SOURCE, LENGTHS, TARGET)
    assert torch.equal(still, model(SOURCE, LENGTHS, TARGET))
    model.train()
    torch.manual_seed(1)
    one = model(SOURCE, LENGTHS, TARGET)
    assert not torch.allclose(one, still, atol=0.01)
    torch.manual_seed(1)
    assert torch.equal(one, model(SOURCE, LENGTHS, TARGET))


def test_matrices_in_bfloat16_stay_near_float32(model: Transformer) -> None:
    model.initialise(3)
    exact = model(SOURCE, LENGTHS, TARGET)
    hold_matrices_in(model, torch.bfloat16)
    assert model.matrix_dtype == torch.bfloat16
    found = model(SOURCE, LENGTHS, TARGET)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, exact, atol=0.1, rtol=0.05)


def test_every_tensor_has_its_own_names_in_their_folders(model: Transformer) -> None:
    names = [theirs for name in model.state_dict() for theirs in FAMILY.folder.theirs(name)]
    assert len(set(names)) == len(names) == 1 + 2 * (16 + 26)


def test_more_tokens_than_the_context_are_refused(model: Transformer) -> None:
    long = torch.zeros(1, 17, dtype=torch.long)
    with pytest.raises(IndexError):
        model.encode(long, torch.tensor([17]))
    memory = model.encode(long[:, :4], torch.tensor([4]))
    with pytest.raises(IndexError):
        model.decode(long, memory)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [({"width": 15, "heads": 3}, "even width"), ({"dropout": 1.0}, "dropout"), ({"heads": 5}, "heads that divide")],
)
def test_sizes_that_make_no_sense(sizes: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        catalogue.build(TransformerConfig(**sizes))  # type: ignore[arg-type]
