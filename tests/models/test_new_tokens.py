from dataclasses import replace

import pytest
import torch

from gptwright.models.catalogue import build, preset
from gptwright.models.new_tokens import with_new_tokens

SIZES = {"width": 96, "heads": 6, "layers": 1, "context": 16}


@pytest.mark.parametrize("name", ["gpt1-nano", "gpt2-nano", "llama-nano", "modern-nano"])
@pytest.mark.parametrize("spare", [0, 2, 9])
def test_only_the_new_rows_are_new(name: str, spare: int) -> None:
    config = replace(preset(name), vocab=40, **SIZES)
    base = build(config, seed=3)
    ids = [40 - spare, 41 - spare, 42 - spare]
    old = [row for row in range(40) if row not in ids]
    grown = with_new_tokens(base, ids, seed=5)
    assert grown.config == replace(config, vocab=max(40, 43 - spare))
    ours = grown.state_dict()
    for matrix, known in ((grown.embed.weight.detach(), base.embed.weight), (grown.output.detach(), base.output)):
        assert len(matrix) == grown.config.vocab and torch.equal(matrix[old], known[old])
        assert float(matrix[ids].std()) == pytest.approx(0.02, rel=0.2) and float(matrix[ids].mean().abs()) < 0.005
    others = {n: t for n, t in base.state_dict().items() if t.shape == ours[n].shape and len(t) != 40}
    assert others and all(torch.equal(ours[n], tensor) for n, tensor in others.items())
    again = with_new_tokens(build(config, seed=3), ids, seed=5)
    assert all(torch.equal(ours[n], tensor) for n, tensor in again.state_dict().items())
    assert not torch.equal(with_new_tokens(base, ids, seed=6).embed.weight[ids], grown.embed.weight[ids])


def test_what_was_computed_without_the_new_tokens_is_still_computed() -> None:
    config = replace(preset("llama-nano"), vocab=40, **SIZES, tied=False)
    base = build(config, seed=3)
    ids = torch.arange(12)[None]
    with torch.no_grad():
        assert torch.equal(with_new_tokens(base, [40], 1).hidden(ids), base.hidden(ids))
        torch.testing.assert_close(with_new_tokens(base, [40], 1)(ids)[..., :40], base(ids))
