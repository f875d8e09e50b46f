from pathlib import Path

import pytest
import torch
import transformers

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.models.bert import BERT
from gptwright.pipelines.encoder import Encoder
from gptwright.pipelines.load import load, load_decoder
from gptwright.tokenizers.tokenizer import Tokenizer

TEXTS = ["the cat sat on the mat.", "dog", "", "where we like to be when it is warm and we are free", "the sea"] * 9


@pytest.fixture
def model(encoder_network: BERT, wordpiece: Tokenizer) -> Encoder:
    return Encoder(encoder_network, wordpiece, "bert")


def test_logits_are_the_networks(model: Encoder) -> None:
    ids = torch.arange(40).reshape(2, 20)
    found = model.logits(ids)
    assert found.dtype == torch.float32 and found.shape == (2, 20, model.tokenizer.vocab)
    torch.testing.assert_close(found, model.network(ids))
    with pytest.raises(InputError, match="at most 32 tokens"):
        model.logits(torch.zeros(1, 33, dtype=torch.long))


def test_an_embedding_is_the_mean_of_its_own_tokens_whatever_stands_beside_it(model: Encoder) -> None:
    together = model.embeddings(TEXTS)
    assert together.shape == (45, 24)
    for text, found in zip(TEXTS[:5], together, strict=False):
        ids = torch.tensor([[model.cls, *model.tokenizer.encode(text), model.sep]])
        torch.testing.assert_close(found, model.network.encode(ids)[0].mean(0), atol=1e-5, rtol=1e-5)
    assert model.embeddings([]).shape == (0, 24)


def test_what_lies_beyond_the_context_is_not_read(model: Encoder) -> None:
    long = "the cat " * 15
    one, two = model.embeddings([long + "sat", long + "sat on the mat"])
    torch.testing.assert_close(one, model.embeddings([long])[0])
    torch.testing.assert_close(one, two)


def test_the_likeliest_token_stands_for_every_mask(model: Encoder) -> None:
    text = "The [MASK] sat on [MASK] mat."
    filled = model.fill(text)
    ids = [model.tokenizer.encode(part) for part in ("the", "sat on", "mat.")]
    row = [model.cls, *ids[0], model.mask, *ids[1], model.mask, *ids[2], model.sep]
    logits = model.logits(torch.tensor([row]))[0, :, 5:]
    words = [int(logits[row.index(model.mask)].argmax()) + 5, int(logits[6].argmax()) + 5]
    expected = [*ids[0], words[0], *ids[1], words[1], *ids[2]]
    assert filled == model.tokenizer.decode(expected)


def test_control_tokens_fill_nothing(model: Encoder) -> None:
    with torch.no_grad():
        model.network.output_bias[:5] = 1e6
    assert model.fill("the [MASK] sat") != "the sat"


def test_what_cannot_be_filled(model: Encoder) -> None:
    with pytest.raises(InputError, match=r"a text with \[MASK\]"):
        model.fill("the cat sat")
    with pytest.raises(InputError, match="at most 32 tokens"):
        model.fill("[MASK] " + "cat " * 40)
    model.network.masked = None
    with pytest.raises(ArtifactError, match="a masked-language head"):
        model.fill("the [MASK] sat")
    assert model.embeddings(["the cat"]).isfinite().all()


def test_it_writes_nothing(model: Encoder) -> None:
    for ask in (lambda: model.generate("The", max_tokens=3), lambda: model.chat([{"role": "user", "content": "Hi"}])):
        with pytest.raises(InputError, match=r"a model that writes.*bert, an encoder"):
            ask()


def test_a_tokenizer_without_masks_is_refused(encoder_network: BERT, tokenizer: Tokenizer) -> None:
    with pytest.raises(ArtifactError, match=r"with \[CLS\].*\n.*--kind wordpiece"):
        Encoder(encoder_network, tokenizer, "bert")


def test_saved_and_loaded_it_is_the_same_and_no_decoder(model: Encoder, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert isinstance(again, Encoder)
    ids = torch.arange(20)[None]
    assert torch.equal(again.logits(ids), model.logits(ids))
    assert torch.equal(again.embeddings(TEXTS), model.embeddings(TEXTS))
    assert again.fill("the [MASK] sat") == model.fill("the [MASK] sat")
    assert not (tmp_path / "model/generation_config.json").exists()
    with pytest.raises(ArtifactError, match=r"a decoder in .*; got an encoder"):
        load_decoder(tmp_path / "model")


def test_transformers_opens_what_was_saved(model: Encoder, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    theirs = transformers.AutoModelForPreTraining.from_pretrained(tmp_path / "model").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    batch = tokenizer("the cat sat on the [MASK].", return_tensors="pt")
    ids = model.tokenizer.encode("the cat sat on the"), model.tokenizer.encode(".")
    assert batch["input_ids"].tolist() == [[model.cls, *ids[0], model.mask, *ids[1], model.sep]]
    with torch.no_grad():
        expected = theirs(**batch).prediction_logits
    assert (model.logits(batch["input_ids"]) - expected).abs().max() <= 1e-4
