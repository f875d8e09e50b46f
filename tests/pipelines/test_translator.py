import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.inference.beam import BeamSearch
from gptwright.models.formats.huggingface import write_model
from gptwright.models.transformer import Transformer, TransformerConfig
from gptwright.pipelines.export import export
from gptwright.pipelines.load import load, load_decoder
from gptwright.pipelines.translator import Translator
from gptwright.tokenizers.tokenizer import Tokenizer

TEXTS = ["the cat sat on the mat", "we like the sea", "", "the dog ran"]


@pytest.fixture
def translator(tokenizer: Tokenizer) -> Translator:
    config = TransformerConfig(vocab=tokenizer.vocab, context=40, width=24, heads=2, layers=2, hidden=32)
    network = Transformer(config)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.normal_(1.0 if "norm" in name and name.endswith("weight") else 0.0, 0.3)
    return Translator(network.requires_grad_(False), tokenizer, "test", search=BeamSearch(beams=3, max_extra_tokens=4))


def test_logits_are_the_networks(translator: Translator) -> None:
    source, target = torch.randint(290, (2, 9)), torch.randint(290, (2, 7))
    whole = translator.logits(source, target)
    assert whole.shape == (2, 7, 290) and whole.dtype == torch.float32
    torch.testing.assert_close(whole, translator.network(source, torch.tensor([9, 9]), target))
    short = translator.logits(source, target, torch.tensor([9, 4]))
    torch.testing.assert_close(short[0], whole[0])
    torch.testing.assert_close(short[1:], translator.logits(source[1:, :4], target[1:]), atol=1e-5, rtol=1e-5)


def test_a_source_is_its_text_and_an_end(translator: Translator) -> None:
    assert translator.sources(["the cat", ""]) == [[*translator.tokenizer.encode("the cat"), 0], [0]]
    assert translator.bos == translator.eos == 0


def test_translations_come_in_order_and_one_is_the_same_alone(translator: Translator) -> None:
    together = translator.translate(TEXTS)
    assert together == [translator.generate(text) for text in TEXTS]
    assert together == translator.translate(TEXTS)
    assert translator.translate([]) == []


def test_the_search_may_be_asked_for(translator: Translator) -> None:
    greedy = translator.translate(TEXTS, beams=1)
    ids = translator.translated(translator.sources(TEXTS), BeamSearch(beams=1, max_extra_tokens=4))
    assert greedy == [translator.tokenizer.decode(each) for each in ids]
    assert greedy != translator.translate(TEXTS, beams=8, alpha=0.0)


def test_too_long_a_text(translator: Translator) -> None:
    with pytest.raises(InputError, match="1 to 40 tokens"):
        translator.generate("the cat sat on the mat " * 20)
    with pytest.raises(InputError, match="at most 40 tokens"):
        translator.logits(torch.zeros(1, 3, dtype=torch.long), torch.zeros(1, 41, dtype=torch.long))


def test_a_network_that_was_training_translates_without_dropout(translator: Translator) -> None:
    expected = translator.translate(TEXTS)
    translator.network.train()
    assert translator.translate(TEXTS) == expected


@pytest.fixture
def folder(translator: Translator, tmp_path: Path) -> Path:
    export(translator.network, translator.tokenizer, tmp_path / "model")
    return tmp_path / "model"


def test_what_was_exported_translates_the_same(translator: Translator, folder: Path) -> None:
    again = load(folder)
    assert isinstance(again, Translator)
    assert (again.bos, again.eos) == (translator.bos, translator.eos)
    whole = Translator(translator.network, translator.tokenizer, "test")
    assert again.translate(TEXTS) == whole.translate(TEXTS)
    assert again.sources(TEXTS) == translator.sources(TEXTS)
    assert again.search.beams == 4 and again.search.divisor(7) == pytest.approx(2**0.6)


@pytest.mark.parametrize("beams", [1, 4])
def test_transformers_reads_and_writes_what_we_do(folder: Path, beams: int) -> None:
    reader: Any = transformers.AutoTokenizer.from_pretrained(folder)
    theirs: Any = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    ours = load(folder)
    assert isinstance(ours, Translator)
    batch = reader(TEXTS, return_tensors="pt", padding=True)
    read = zip(batch.input_ids.tolist(), batch.attention_mask.tolist(), strict=True)
    assert [row[: sum(real)] for row, real in read] == ours.sources(TEXTS)
    search = BeamSearch(beams=beams, penalty=lambda length, alpha: length**alpha, max_extra_tokens=100)
    found = ours.translated(ours.sources(TEXTS), search)
    written = theirs.generate(**batch, num_beams=beams)
    for ids, row in zip(found, written.tolist(), strict=True):
        ended = [ours.eos] if len(ids) < ours.context else []
        assert row[: 1 + len(ids) + len(ended)] == [ours.bos, *ids, *ended]
    assert reader.batch_decode(written, skip_special_tokens=True) == [ours.tokenizer.decode(ids) for ids in found]
    config = theirs.generation_config
    assert (config.num_beams, config.length_penalty, config.early_stopping, config.do_sample) == (4, 0.6, True, False)
    assert config.decoder_start_token_id == config.eos_token_id == ours.bos


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"decoder_start_token_id": None}, "decoder_start_token_id"),
        ({"decoder_start_token_id": 290}, "decoder_start_token_id from 0 to 289"),
        ({"eos_token_id": [True]}, "eos_token_id"),
        ({"num_beams": 0}, "num_beams"),
        ({"length_penalty": "long"}, "length_penalty"),
    ],
)
def test_a_folder_that_says_nonsense(translator: Translator, tmp_path: Path, change: dict[str, Any], said: str) -> None:
    write_model(translator.network, tmp_path, {})
    translator.tokenizer.save(tmp_path)
    told = {"decoder_start_token_id": 0, "eos_token_id": [0, 2], "num_beams": 2, "length_penalty": 1}
    (tmp_path / "generation_config.json").write_text(json.dumps(told))
    load(tmp_path)
    (tmp_path / "generation_config.json").write_text(json.dumps(told | change))
    with pytest.raises(ArtifactError, match=said):
        load(tmp_path)
    (tmp_path / "generation_config.json").write_text("[]")
    with pytest.raises(ArtifactError, match="a JSON object"):
        load(tmp_path)


def test_it_does_not_chat(translator: Translator, folder: Path) -> None:
    with pytest.raises(InputError, match="a translator"):
        translator.chat([])
    with pytest.raises(ArtifactError, match="an encoder-decoder"):
        load_decoder(folder)


def test_what_begins_and_ends_a_target_and_the_search_survive_saving(translator: Translator, tmp_path: Path) -> None:
    other = Translator(
        translator.network, translator.tokenizer, "other", bos=5, eos=0, search=BeamSearch(beams=2, alpha=1.0)
    )
    other.save(tmp_path / "saved", dtype=torch.bfloat16)
    again = load(tmp_path / "saved")
    assert isinstance(again, Translator)
    assert (again.bos, again.eos, again.search) == (5, 0, other.search)
