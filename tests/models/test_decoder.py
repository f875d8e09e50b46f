import pytest
import torch

from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.models.llama import Llama, LlamaConfig


def test_the_output_matrix_is_the_embedding_or_one_of_its_own() -> None:
    sizes = {"vocab": 20, "context": 8, "width": 8, "heads": 2, "layers": 1}
    tied = Llama(LlamaConfig(**sizes, kv_heads=1, hidden=12, tied=True))
    apart = Llama(LlamaConfig(**sizes, kv_heads=1, hidden=12))
    assert tied.output is tied.embed.weight
    assert apart.output is not apart.embed.weight
    assert GPT2(GPT2Config(**sizes)).output.shape == (20, 8)


def test_a_cache_has_the_shape_of_the_attention() -> None:
    model = Llama(LlamaConfig(vocab=20, context=8, width=24, heads=6, kv_heads=2, layers=3, hidden=12))
    assert model.new_cache(5, 7).keys.shape == (3, 5, 2, 7, 4)


def test_positions_begin_where_the_cache_ends() -> None:
    model = GPT2(GPT2Config(vocab=20, context=8, width=8, heads=2, layers=1))
    ids = torch.zeros(2, 3, dtype=torch.long)
    assert model.positions_of(ids, None).tolist() == [[0, 1, 2]]
    cache = model.new_cache(2, 8)
    cache.advance(torch.tensor([1, 4]))
    assert model.positions_of(ids, cache).tolist() == [[1, 2, 3], [4, 5, 6]]
    with pytest.raises(IndexError):
        model.positions_of(torch.zeros(1, 9, dtype=torch.long), None)
