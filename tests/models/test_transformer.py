"""The laws of an encoder with a decoder, the paper's sizes, and transformers' Marian as the oracle."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor

from gptwright.foundations.errors import ConfigError, GptwrightError
from gptwright.layers.positions import sinusoids
from gptwright.models import catalogue
from gptwright.models.formats.huggingface import read_model, write_model
from gptwright.models.formats.mappings.transformer import MAPPING
from gptwright.models.transformer import PRESETS, Transformer, TransformerConfig
from gptwright.training.optimizer import cast_linears

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
    cast_linears(model, torch.bfloat16)
    assert model.matrix_dtype == torch.bfloat16
    found = model(SOURCE, LENGTHS, TARGET)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, exact, atol=0.1, rtol=0.05)


def test_every_tensor_has_its_own_names_in_their_folders(model: Transformer) -> None:
    names = [theirs for name in model.state_dict() for theirs in MAPPING.theirs(name)]
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


# Marian.

SIZES = {"vocab_size": 60, "d_model": 24, "max_position_embeddings": 32}
HALF = {"layers": 3, "ffn_dim": 40, "attention_heads": 4}
HALVES = {f"{half}_{name}": value for half in ("encoder", "decoder") for name, value in HALF.items()}
PAPER = {"activation_function": "relu", "scale_embedding": True}
IDS = {"pad_token_id": 1, "eos_token_id": 0, "decoder_start_token_id": 0, "bos_token_id": 0}
REAL = torch.arange(9) < LENGTHS[:, None]


@pytest.fixture
def theirs(tmp_path: Path) -> Any:
    """A random Marian made by transformers, as it wrote it into the folder `theirs`."""
    config = transformers.MarianConfig(**SIZES, **HALVES, **PAPER, **IDS, forced_eos_token_id=None)
    model = transformers.MarianMTModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:  # not the sinusoids
                parameter.normal_(0.0, 0.3)
    model.save_pretrained(tmp_path / "theirs")
    return model


def asked(model: Any, **more: Any) -> Any:
    with torch.no_grad():
        return model(input_ids=SOURCE, attention_mask=REAL.long(), decoder_input_ids=TARGET, **more)


def ours(folder: Path) -> Transformer:
    model = read_model(folder)
    assert isinstance(model, Transformer)
    return model.requires_grad_(False)


def test_we_compute_the_same_from_their_folder(theirs: Any, tmp_path: Path) -> None:
    found = ours(tmp_path / "theirs")(SOURCE, LENGTHS, TARGET)
    assert (asked(theirs).logits - found).abs().max() <= 1e-4


def test_every_layer_computes_the_same(theirs: Any, tmp_path: Path) -> None:
    model = ours(tmp_path / "theirs")
    states: dict[str, list[torch.Tensor]] = {"encoder": [], "decoder": []}
    for half, found in states.items():
        for block in getattr(model, half):
            block.register_forward_hook(lambda _, __, output, found=found: found.append(output))
    model(SOURCE, LENGTHS, TARGET)
    expected = asked(theirs, output_hidden_states=True)
    assert len(states["encoder"]) == len(states["decoder"]) == 3
    for mine, other in zip(states["encoder"], expected.encoder_hidden_states[1:], strict=True):
        assert ((mine - other).abs() * REAL[..., None]).max() <= 1e-4
    for mine, other in zip(states["decoder"], expected.decoder_hidden_states[1:], strict=True):
        assert (mine - other).abs().max() <= 1e-4


def test_a_trace_keeps_their_weights_and_states(theirs: Any, tmp_path: Path) -> None:
    trace = ours(tmp_path / "theirs").trace(SOURCE, LENGTHS, TARGET)
    theirs.set_attn_implementation("eager")  # the others keep no weights
    expected = asked(theirs, output_attentions=True, output_hidden_states=True)
    kinds = [(trace.encoder.attention, "encoder_attentions"), (trace.decoder.attention, "decoder_attentions"),
             (trace.decoder.cross, "cross_attentions"), (trace.decoder.states, "decoder_hidden_states")]  # fmt: skip
    for found, name in kinds:
        assert len(found) == len(expected[name]) > 0
        for mine, reference in zip(found, expected[name], strict=True):
            rows = REAL[:, None, :, None] if name == "encoder_attentions" else True
            assert ((mine - reference).abs() * rows).max() <= 1e-4 * max(1.0, float(reference.abs().max())), name


def test_places_far_from_the_start_are_the_same() -> None:
    sizes = SIZES | {"max_position_embeddings": 1024}
    table = transformers.MarianMTModel(transformers.MarianConfig(**sizes, **HALVES, **PAPER, **IDS)).model
    assert (sinusoids(torch.arange(1024), 24) - table.encoder.embed_positions.weight).abs().max() <= 1e-6


def test_their_tensors_come_back_byte_for_byte(theirs: Any, tmp_path: Path) -> None:
    (tmp_path / "back").mkdir()
    write_model(ours(tmp_path / "theirs"), tmp_path / "back", IDS)
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("theirs", "back"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    configs = [json.loads((tmp_path / name / "config.json").read_text()) for name in ("theirs", "back")]
    assert {k: v for k, v in configs[0].items() if k in configs[1] and v != configs[1][k]} == {}


def test_they_compute_the_same_from_our_folder(theirs: Any, tmp_path: Path) -> None:
    (tmp_path / "back").mkdir()
    model = ours(tmp_path / "theirs")
    write_model(model, tmp_path / "back", IDS)
    again, report = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "back", output_loading_info=True)
    assert type(again) is transformers.MarianMTModel
    assert not report["missing_keys"] - {f"model.{half}.embed_positions.weight" for half in ("encoder", "decoder")}
    assert not report["unexpected_keys"] and not report["mismatched_keys"]
    assert (asked(again.eval()).logits - asked(theirs).logits).abs().max() <= 1e-4
    assert ours(tmp_path / "back").config == model.config


def test_weights_in_several_files_go_both_ways(theirs: Any, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    write_model(ours(tmp_path / "theirs"), tmp_path / "parts", IDS, shard=20_000)
    assert len(list((tmp_path / "parts").glob("*.safetensors"))) > 1
    again = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "parts").eval()
    assert (asked(again).logits - ours(tmp_path / "parts")(SOURCE, LENGTHS, TARGET)).abs().max() <= 1e-4


def test_a_model_saved_without_the_output_is_read(theirs: Any, tmp_path: Path) -> None:
    theirs.model.save_pretrained(tmp_path / "trunk")
    found = ours(tmp_path / "trunk")(SOURCE, LENGTHS, TARGET)
    assert (asked(theirs).logits - found).abs().max() <= 1e-4


def settings(**changes: Any) -> Callable[[Path], None]:
    """Changes config.json; `...` takes a field away."""

    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text()) | changes
        (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not ...}))

    return change


def with_bias(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["final_logits_bias"][0, 7] = 0.5
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (settings(activation_function="swish"), "activation_function = 'relu'"),
        (settings(activation_function=...), "activation_function = 'relu', said"),
        (settings(scale_embedding=False), "scale_embedding = True"),
        (settings(scale_embedding=...), "scale_embedding = True, said"),
        (settings(share_encoder_decoder_embeddings=False), "share_encoder_decoder_embeddings = True"),
        (settings(decoder_layers=2), "decoder_layers = 3"),
        (settings(decoder_ffn_dim=48), "decoder_ffn_dim = 40"),
        (settings(decoder_attention_heads=2), "decoder_attention_heads = 4"),
        (settings(decoder_vocab_size=61), "decoder_vocab_size = 60"),
        (settings(normalize_before=True), "normalize_before = False"),
        (settings(add_final_layer_norm=True), "add_final_layer_norm = False"),
        (settings(static_position_embeddings=False), "static_position_embeddings = True"),
        (settings(encoder_layers=...), "'encoder_layers'"),
        (settings(dropout=1.5), "dropout"),
        (settings(cross_gate="sigmoid"), "'cross_gate'"),
        (with_bias, "final_logits_bias of zeros"),
    ],
)
def test_what_is_not_the_papers_model_is_refused(
    theirs: Any, tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    damage(tmp_path / "theirs")
    with pytest.raises(GptwrightError) as error:
        read_model(tmp_path / "theirs")
    assert said in str(error.value)


def test_fields_of_older_folders_are_read(theirs: Any, tmp_path: Path) -> None:
    settings(normalize_before=False, add_bias_logits=False, num_hidden_layers=3, decoder_vocab_size=None,
             bad_words_ids=[[1]], forced_eos_token_id=0)(tmp_path / "theirs")  # fmt: skip
    assert (asked(theirs).logits - ours(tmp_path / "theirs")(SOURCE, LENGTHS, TARGET)).abs().max() <= 1e-4
