"""Log-probabilities of ranked answers: what all of them share falls out; of the best answer, what not all say."""

import pytest
import torch

from gptwright.alignment.answer_logprobs import answer_logprobs, best_nats, token_logprobs
from gptwright.alignment.rankings import RankedIds
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.llama import LlamaConfig

SIZES: dict[str, int] = {"vocab": 16, "context": 16, "width": 16, "heads": 2, "layers": 1}


@pytest.mark.parametrize(
    "config", [GPT2Config(**SIZES), LlamaConfig(**SIZES, kv_heads=1, hidden=32)], ids=["gpt2", "llama"]
)
def test_margins_are_those_of_whole_answers(config: GPT2Config | LlamaConfig) -> None:
    policy = build(config, seed=3)
    items = [
        RankedIds([[3, 3, 5, 6, 1], [3, 3, 5, 12, 2, 1]], [2, 1]),
        RankedIds([[3, 4, 5, 1], [3, 4, 5, 6, 7, 1], [3, 4, 8, 1]], [1, 2, 3]),
    ]
    found = answer_logprobs(policy, items, pad=0)
    assert found.shape == (2, 3) and found[0, 2] == 0
    for item, row in zip(items, found.tolist(), strict=True):
        whole: list[float] = []
        for ids in item.rows:
            scores = policy(torch.tensor([ids]))[0, :-1].log_softmax(-1)
            whole.append(float(scores.gather(1, torch.tensor(ids)[1:, None]).sum().detach()))
        margins = [mine - theirs for mine, theirs in zip(row, whole, strict=False)]
        assert margins == pytest.approx([margins[0]] * len(whole), abs=1e-5)


def test_of_the_best_answer_counts_what_not_all_say() -> None:
    policy = build(GPT2Config(**SIZES), seed=2)
    edited = RankedIds([[3, 4, 5, 1], [3, 4, 5, 6, 7, 1], [3, 4, 8, 1]], [2, 1, 3])
    anew = RankedIds([[3, 9, 1], [3, 8, 8, 1]], [1, 2])
    tokens = token_logprobs(policy, [edited, anew], pad=0)
    for item, told, found in zip((edited, anew), (4, 2), best_nats(tokens, [edited, anew]), strict=True):
        ids = torch.tensor(item.rows[item.ranks.index(1)])
        nats = -policy(ids[None])[0, :-1].log_softmax(-1).gather(1, ids[1:, None])[-told:, 0]
        assert found.item() == pytest.approx(nats.mean().item(), abs=1e-5)
