from pathlib import Path

import torch
import torch.distributed as dist

from gptwright.layers.vocabulary import WHOLE, VocabShard


def test_the_whole_vocabulary_is_as_it_is() -> None:
    logits = torch.randn(2, 5)
    assert WHOLE.joined(logits) is logits


def test_a_slice_that_is_all_of_it(tmp_path: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1)
    vocabulary, x = VocabShard(0, 5, dist.group.WORLD), torch.randn(2, 5)
    assert torch.equal(vocabulary.joined(x), x)
    assert torch.equal(vocabulary.total(x.clone()), x) and torch.equal(vocabulary.largest(x.clone()), x)
    dist.destroy_process_group()
