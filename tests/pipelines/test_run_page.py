"""What cannot be a page is refused, and said with what to do instead."""

from dataclasses import replace

import pytest
import torch

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.models.bert import BERT
from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.pipelines.encoder import Encoder
from gptwright.pipelines.model import Model
from gptwright.pipelines.run_page import Extras, run_page
from gptwright.tokenizers import bytelevel
from gptwright.tokenizers.special_tokens import CHAT_TOKENS
from gptwright.tokenizers.tokenizer import Tokenizer


def test_what_no_page_can_be_is_refused(
    network: GPT2, tokenizer: Tokenizer, wordpiece: Tokenizer, encoder_network: BERT
) -> None:
    extras = Extras(name="mine")
    with pytest.raises(ArtifactError, match="needed a decoder of text"):
        run_page(Encoder(encoder_network, wordpiece, "bert"), extras)
    with pytest.raises(ArtifactError, match="needed a tokenizer"):
        run_page(Model(network, None, "bare"), extras)
    plain = bytelevel.train(["a b c"], 264, replace(CHAT_TOKENS, chat_template=None))
    with pytest.raises(ArtifactError, match="chat template of those trained here"):
        run_page(Model(network, plain, "foreign"), extras)
    with torch.device("meta"):
        large = GPT2(GPT2Config(vocab=tokenizer.vocab, width=768, layers=2))
    with pytest.raises(InputError, match=r"at most 12,000,000 parameters.*got 15,") as refused:
        run_page(Model(large, tokenizer, "large"), extras)
    assert "gptwright serve" in str(refused.value)
