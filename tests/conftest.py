"""What all tests share: shapes and types checked at run time, one thread, a tiny model with a tiny tokenizer."""

import sys
from types import ModuleType

from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

# Before anything of gptwright is imported: from here on every signature of these rooms is checked at every call.
# The hook takes its checker by name; ours lets an int stand where a float is asked for, as Python's typing does.
ROOMS = (
    "foundations",
    "kernels",
    "layers",
    "tokenizers",
    "models",
    "interpretability",
    "inference.kv_cache",
    "inference.packed_model",
    "inference.sampler",
    "objectives",
    "training",
    "pipelines",
    "alignment",
    "tasks",
    "evaluation",
)
checker = ModuleType("checker")
checker.check = beartype(conf=BeartypeConf(is_pep484_tower=True))  # type: ignore[attr-defined]
sys.modules["checker"] = checker
install_import_hook([f"gptwright.{room}" for room in ROOMS], "checker.check")

import os  # noqa: E402
from collections.abc import Callable, Iterable, Iterator  # noqa: E402

import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import settings  # noqa: E402

from gptwright.models.bert import BERT, BERTConfig  # noqa: E402
from gptwright.models.catalogue import build as build_network  # noqa: E402
from gptwright.models.catalogue import preset  # noqa: E402
from gptwright.models.decoder import Decoder  # noqa: E402
from gptwright.models.gpt2 import GPT2, GPT2Config  # noqa: E402
from gptwright.tokenizers import bytelevel  # noqa: E402
from gptwright.tokenizers.tokenizer import Tokenizer  # noqa: E402
from gptwright.tokenizers.wordpiece import SPECIAL_TOKENS, build  # noqa: E402
from gptwright.training.batch_shard import BatchShard  # noqa: E402

pytest_plugins = ["choice"]  # tests/choice.py

# The oracles must not ask the network for anything.
os.environ["HF_HUB_OFFLINE"] = "1"

# The same examples every time, and no example fails because the machine is busy.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

WORDS = "the cat sat on the mat and the dog ran to the sea where we like to be when it is warm and we are free "


@pytest.fixture(autouse=True)
def steady() -> None:
    """The same numbers on every machine and in every order of the tests."""
    torch.default_generator.manual_seed(0)  # torch.manual_seed seeds devices too, which takes a millisecond
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return bytelevel.train([WORDS * 3], 290)


@pytest.fixture
def network(tokenizer: Tokenizer) -> Iterator[GPT2]:
    """A GPT-2 with large random weights, biases and gains, so that every part of it shows in the logits."""
    torch.randn(tokenizer.vocab + 64, 32)  # chooses weights with which answers end at different times
    model = GPT2(GPT2Config(vocab=tokenizer.vocab, context=64, width=32, heads=2, layers=2))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.25)
    yield model.requires_grad_(False)


@pytest.fixture
def small() -> Callable[[str], Decoder]:
    """Of a family of decoders, a network with weights of which every one shows."""

    def made(family: str) -> Decoder:
        sizes: dict[str, int] = {"vocab": 60, "context": 32, "width": 24, "heads": 4, "layers": 3}
        start = preset(f"{family}-nano")
        more = {"kv_heads": 2} if hasattr(start, "kv_heads") else {}
        network = build_network(type(start)(**sizes, **more))
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.normal_(0.0, 0.3)
        return network.requires_grad_(False)

    return made


@pytest.fixture(scope="session")
def wordpiece() -> Tokenizer:
    """BERT's kind: every word of the tests, and every letter."""
    words = [*SPECIAL_TOKENS, *".,!?", *sorted(set(WORDS.split()))]
    letters = [mark + chr(ord("a") + i) for mark in ("", "##") for i in range(26)]
    return build({word: i for i, word in enumerate(dict.fromkeys(words + letters))})


@pytest.fixture
def encoder_network(wordpiece: Tokenizer) -> BERT:
    """A BERT with large random weights, so that every part of it shows."""
    model = BERT(BERTConfig(vocab=wordpiece.vocab, context=32, width=24, heads=4, layers=2))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.25)
    return model.requires_grad_(False)


Losses = Callable[[BatchShard], Iterable[torch.Tensor]]


@pytest.fixture
def split_as_whole() -> Callable[[torch.nn.Module, Losses], None]:
    """Asserts that a step's loss and gradients are the same however the step is shared out."""

    def found(
        model: torch.nn.Module, losses: Losses, shares: list[BatchShard]
    ) -> tuple[float, dict[str, torch.Tensor]]:
        model.requires_grad_(True).zero_grad()
        total = 0.0
        for part in (part for shard in shares for part in losses(shard)):
            part.backward()
            total += part.item()
        return total, {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    def check(model: torch.nn.Module, losses: Losses) -> None:
        loss, gradients = found(model, losses, [BatchShard()])
        assert loss != 0 and any(gradient.abs().max() > 1e-3 for gradient in gradients.values())
        for ranks, pieces in ((1, 2), (1, 3), (1, 4), (2, 1), (2, 3)):
            same, parts = found(model, losses, [BatchShard(rank, ranks, pieces) for rank in range(ranks)])
            assert same == pytest.approx(loss, rel=1e-6, abs=1e-6)
            assert parts.keys() == gradients.keys()
            for name, gradient in gradients.items():
                size = float(gradient.abs().max())
                torch.testing.assert_close(parts[name], gradient, rtol=1e-6, atol=1e-6 * max(size, 1.0), msg=name)

    return check
