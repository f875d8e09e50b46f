"""A look inside a loaded model: a text, a conversation, a text that is too long; what cannot be looked into."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
import torch

import gptwright
from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.inference.sampling import Sampling
from gptwright.interpretability.page import Page
from gptwright.models.bert import BERT
from gptwright.models.gpt2 import GPT2
from gptwright.models.heads import with_head
from gptwright.pipelines.encoder import Encoder
from gptwright.pipelines.model import Model
from gptwright.pipelines.sequence_scorer import SequenceScorer
from gptwright.tokenizers import bytelevel
from gptwright.tokenizers.tokenizer import Tokenizer

OTHER = "she sells sea shells by the sea shore and the shells that she sells are real shells for sure, friend " * 3


@pytest.fixture
def model(network: GPT2, tokenizer: Tokenizer) -> Model:
    return Model(network, tokenizer, "tiny")


def view(page: Page) -> Any:
    found = re.search(r'id="data">(.*?)</script>', page.html, re.DOTALL)
    assert found
    return json.loads(found[1])


def said(seen: Any) -> str:
    return "".join(seen["texts"][str(id)] for id in seen["tokens"])


def test_a_text(model: Model) -> None:
    seen = view(gptwright.see(model, "the cat sat"))
    assert said(seen).endswith("the cat sat") and seen["model"] == "tiny" and seen["note"] == ""
    assert seen["about"].startswith("gpt2, 2 layers × 32, ") and "parameters" in seen["about"]


def test_letters_of_several_tokens_and_special_tokens_have_a_text(model: Model) -> None:
    seen = view(gptwright.see(model, "é 猫"))
    assert len(seen["tokens"]) >= 5 and "�" in said(seen)
    assert "<|user|>" in said(view(gptwright.see(model, "the cat", chat=True, max_tokens=1)))


def test_a_conversation_is_answered_first_by_the_likeliest(model: Model) -> None:
    seen = view(gptwright.see(model, "the cat", chat=True, max_tokens=5))
    asked = model.chat_ids([{"role": "user", "content": "the cat"}])
    answer = model.generate_ids(asked, replace(Sampling(), max_tokens=5, temperature=0.0))
    assert seen["tokens"] == [*asked, *answer] and 1 <= len(answer) <= 5


def test_of_a_long_text_the_beginning_is_shown_and_said(model: Model) -> None:
    seen = view(gptwright.see(model, "the cat sat on the mat " * 30))
    assert len(seen["tokens"]) == 64 and "the cat sat on" in said(seen)
    assert re.fullmatch(r"64 of \d+ tokens are shown\.", seen["note"])


def test_other_stages_need_the_same_tokenizer(model: Model, network: GPT2) -> None:
    seen = view(gptwright.see(model, "the cat", stages=[Model(network, model.tokenizer, "sft")]))
    assert [stage["name"] for stage in seen["stages"]] == ["sft"]
    other = bytelevel.train([OTHER], 290)
    with pytest.raises(InputError, match="sft, which has another"):
        gptwright.see(model, "the cat", stages=[Model(network, other, "sft")])


def test_an_encoder(encoder_network: BERT, wordpiece: Tokenizer) -> None:
    encoder = Encoder(encoder_network, wordpiece, "bert")
    seen = view(gptwright.see(encoder, "the cat sat"))
    assert said(seen) == "[CLS] the cat sat[SEP]" and seen["reads"] == "both sides"
    with pytest.raises(InputError, match="Leave out --chat"):
        gptwright.see(encoder, "the cat", chat=True)


def test_nothing_to_read_and_another_kind(model: Model, network: GPT2, tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match=r"(?s)1 to 64 tokens.*Give a text"):
        gptwright.see(model, "")
    with pytest.raises(ArtifactError, match="needed a decoder, an encoder or a translator"):
        gptwright.see(SequenceScorer(with_head(network, "reward"), tokenizer, "judge"), "the cat")


def test_a_translation_and_where_it_looks(tokenizer: Tokenizer) -> None:
    translator = _translator(tokenizer)
    seen = view(gptwright.see(translator, "the cat sat"))
    (source,), network = translator.sources(["the cat sat"]), translator.network
    (written,) = translator.translated([source], translator.search)
    target = [translator.bos, *written, translator.eos]
    assert seen["tokens"] == [*source, *target] and seen["parts"] == ["encoder", "decoder", "source"]
    assert seen["said"]["ids"][: len(source)] == [[]] * len(source)
    expected = (
        network(torch.tensor([source]), torch.tensor([len(source)]), torch.tensor([target]))[0].softmax(-1).detach()
    )
    actual = [float(expected[at, id]) for at, id in enumerate(target[1:])]
    assert seen["said"]["actual"][len(source) : -1] == pytest.approx(actual, abs=1e-4)


def test_what_a_translator_is_not_asked(tokenizer: Tokenizer, model: Model) -> None:
    for asked, word in (({"chat": True}, "a conversation"), ({"stages": [model]}, "other stages")):
        with pytest.raises(InputError, match=word):
            gptwright.see(_translator(tokenizer), "the cat", **asked)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="an empty one"):
        gptwright.see(_translator(tokenizer), "")
    with pytest.raises(InputError, match="32"):
        gptwright.see(_translator(tokenizer), "the cat sat on the mat " * 30)


def _translator(tokenizer: Tokenizer) -> Any:
    from gptwright.models.catalogue import build, preset
    from gptwright.pipelines.translator import Translator

    nano = preset("transformer-nano")
    network = build(replace(nano, vocab=tokenizer.vocab, context=32, width=16, heads=2, layers=1))
    return Translator(network, tokenizer, "to-german")
