from itertools import pairwise
from math import log
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from gptwright.evaluation.perplexity import text_loss
from gptwright.foundations.errors import InputError
from gptwright.models.gpt2 import GPT2
from gptwright.text.pack import TokenFile, pack


def token_file(folder: Path, count: int) -> TokenFile:
    ids = torch.randint(290, (count - 1,)).tolist()
    pack(["x" * 3000], lambda texts: [ids], 0, folder / "v1", 290, "ab")
    return TokenFile.open(folder / "v1")


@pytest.mark.parametrize(("windows", "count"), [(1, 500), (3, 500), (40, 500), (5, 11), (5, 12), (2, 21)])
def test_it_is_the_mean_over_evenly_spaced_windows(network: GPT2, tmp_path: Path, windows: int, count: int) -> None:
    tokens = token_file(tmp_path, count)
    found = text_loss(network, tokens, length=10, windows=windows)
    used = min(windows, (count - 1) // 10)
    step = (count - 11) // (used - 1) if used > 1 else 0
    rows = torch.stack([torch.from_numpy(tokens.window(i * step, 11)) for i in range(used)])
    expected = F.cross_entropy(network(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
    assert found.nats == pytest.approx(float(expected), rel=1e-5)
    assert found.bits_per_byte == pytest.approx(found.nats / log(2) * count / 3000)


def test_each_document_by_itself(network: GPT2, tmp_path: Path) -> None:
    tokens = token_file(tmp_path, 60)
    opening = int(tokens.window(7, 1)[0])
    found = text_loss(network, tokens, length=20, windows=1, opening=opening)
    row = torch.from_numpy(tokens.window(0, 21))
    cuts = [0, *[i for i in range(1, 20) if row[i] == opening], 20]
    logits = torch.cat([network(row[None, a:b])[0] for a, b in pairwise(cuts)])
    assert found.nats == pytest.approx(float(F.cross_entropy(logits, row[1:])), rel=1e-4)


def test_windows_reach_from_the_beginning_to_the_end(
    network: GPT2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens, starts = token_file(tmp_path, 500), list[int]()
    window = tokens.window
    monkeypatch.setattr(tokens, "window", lambda i, length: (starts.append(i), window(i, length))[1])
    text_loss(network, tokens, length=10, windows=5)
    assert starts == [0, 122, 244, 366, 488]


def test_a_uniform_model_needs_ln_v_nats(network: GPT2, tmp_path: Path) -> None:
    with torch.no_grad():
        network.embed.weight.zero_()
    assert text_loss(network, token_file(tmp_path, 100), length=10, windows=5).nats == pytest.approx(log(290), rel=1e-6)


def test_too_little_text_is_said(network: GPT2, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"at least 11 tokens.* got 10"):
        text_loss(network, token_file(tmp_path, 10), length=10, windows=5)
