import pytest
import torch

from gptwright.foundations.errors import InputError
from gptwright.generation.beam import Search
from gptwright.generation.translator import Translator
from gptwright.models.transformer import Transformer, TransformerConfig
from gptwright.tokenizers.tokenizer import Tokenizer

TEXTS = ["the cat sat on the mat", "we like the sea", "", "the dog ran"]


@pytest.fixture
def translator(tokenizer: Tokenizer) -> Translator:
    config = TransformerConfig(vocab=tokenizer.vocab, context=40, width=24, heads=2, layers=2, hidden=32)
    network = Transformer(config)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.normal_(1.0 if "norm" in name and name.endswith("weight") else 0.0, 0.3)
    return Translator(network.requires_grad_(False), tokenizer, "test", search=Search(beams=3, extra=4))


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
    assert translator.start == translator.end == 0


def test_translations_come_in_order_and_one_is_the_same_alone(translator: Translator) -> None:
    together = translator.translate(TEXTS)
    assert together == [translator.generate(text) for text in TEXTS]
    assert together == translator.translate(TEXTS)
    assert translator.translate([]) == []


def test_the_search_may_be_asked_for(translator: Translator) -> None:
    greedy = translator.translate(TEXTS, beams=1)
    ids = translator.translated(translator.sources(TEXTS), Search(beams=1, extra=4))
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
