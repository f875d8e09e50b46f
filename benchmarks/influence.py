"""Does what `why` says of demonstrations hold? Leave each of them out, train again, and see what the answer loses.

python benchmarks/influence.py --seeds 0 1 2

A nano model learns single-turn facts of data/teaching about a few people, from nothing. Then it is trained as often as
there are demonstrations, from the same weights in the same order, each time without one, whose loss weighs nothing.
What other answers lose by that is set beside what the gradients foretold: Spearman's rank correlation, the mean over
answers with its standard error, and the 95 % interval of the seeds' means by Student's t. 0 is chance. Two ways that
know nothing of gradients stand beside it. On two cores a seed takes some minutes.
"""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch
from torch import Tensor

from gptwright.alignment.demonstrations import Conversation, Demonstration, demonstrations, read_conversations
from gptwright.alignment.influence import demonstration_nats, influence_of_demonstrations, taught
from gptwright.evaluation.intervals import student
from gptwright.foundations.intake import Intake
from gptwright.interpretability.influence import Gradient, gradient, slopes
from gptwright.models.catalogue import build
from gptwright.models.decoder import Decoder
from gptwright.models.gpt2 import GPT2Config
from gptwright.objectives.language import IGNORED
from gptwright.tokenizers import bytelevel
from gptwright.tokenizers.padding import padded
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.batches import epoch_order

DATA = Path(__file__).parents[1] / "data/teaching/conversations.jsonl"
PEOPLE = ("Otto", "Nora", "Ada", "Jack", "Ida", "Leo")
SHOWN, ASKED, VOCAB = 40, 12, 512
STEPS, ROWS, RATE, CONTEXT = 150, 10, 3e-3, 96
KEPT = (50, 100, STEPS)  # steps at which the weights are kept

Network = Decoder


def facts(seed: int) -> tuple[Tokenizer, list[Demonstration], list[Demonstration]]:
    """The tokenizer, what is shown, and other words for facts about the same people."""
    found = [each for each in read_conversations(DATA, Intake("influence")) if len(each.messages) == 2]
    about = [each for each in found if any(name in each.messages[1]["content"] for name in PEOPLE)]
    random.Random(seed).shuffle(about)
    tokenizer = bytelevel.train([_text(each) for each in found], VOCAB)
    every = demonstrations(about[: SHOWN + ASKED], tokenizer, CONTEXT, Intake("influence"))
    return tokenizer, every[:SHOWN], every[SHOWN:]


def _text(conversation: Conversation) -> str:
    return "\n".join(message["content"] for message in conversation.messages)


def trained(shown: Sequence[Demonstration], pad: int, vocab: int, seed: int, without: int = -1) -> list[Network]:
    """The network at each of `KEPT`; the demonstration numbered `without` weighs nothing."""
    network = build(GPT2Config(vocab=vocab, width=32, heads=2, layers=2, context=CONTEXT), seed)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, betas=(0.9, 0.95), weight_decay=0.1)
    kept = list[Network]()
    for step in range(STEPS):
        numbers = epoch_order(len(shown), ROWS, step, seed)
        loss = _nats(network, shown, numbers, pad)[[number != without for number in numbers]].sum()
        optimizer.zero_grad()
        (loss / sum(target != IGNORED for number in numbers for target in shown[number].targets)).backward()
        for group in optimizer.param_groups:
            group["lr"] = RATE * min((step + 1) / 20, 1 - 0.9 * step / STEPS)
        optimizer.step()
        if step + 1 in KEPT:
            copy = build(network.config, seed)
            copy.load_state_dict(network.state_dict())
            kept.append(copy)
    return kept


def _nats(network: Network, shown: Sequence[Demonstration], numbers: Sequence[int], pad: int) -> Tensor:
    ids = padded([shown[number].ids for number in numbers], pad)
    targets = padded([shown[number].targets for number in numbers], IGNORED)
    logits = network(ids)
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED,
                                             reduction="none").view(targets.shape).sum(1)  # fmt: skip


def spearman(left: Tensor, right: Tensor) -> float:
    """Of numbers without ties."""
    ranks = [np.argsort(np.argsort(side.numpy())) for side in (left, right)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def fisher(network: Network, shown: Sequence[Demonstration], pad: int) -> Gradient:
    """The mean square of the gradients of single demonstrations, for each weight."""
    found = {name: torch.zeros_like(each) for name, each in network.named_parameters()}
    for number in range(len(shown)):
        for name, each in gradient(network, _nats(network, shown, [number], pad).sum()).items():
            found[name] += each.square() / len(shown)
    return found


def foretold(
    kept: Sequence[Network], answer: Demonstration, shown: Sequence[Demonstration], pad: int
) -> dict[str, Tensor]:
    """What each way to reckon says of every demonstration."""
    last, counts = kept[-1], taught(shown)
    means = [influence_of_demonstrations(network, answer, shown, pad) for network in kept]
    own = gradient(last, _nats(last, [answer], [0], pad).sum())
    squares = fisher(last, shown, pad)
    shift = 0.01 * sum(float(each.sum()) for each in squares.values()) / sum(each.numel() for each in squares.values())
    rooted = {name: each / (squares[name] + shift).sqrt() for name, each in own.items()}
    return {
        "why: mean over tokens": means[-1],
        "sum over tokens": means[-1] * counts,
        "three checkpoints": torch.stack(means).sum(0) * counts,
        "scaled as Adam does": slopes(last, rooted, lambda: demonstration_nats(last, shown, pad)),
        "tokens in common": -_distances(answer, shown),
        "its own loss": demonstration_nats(last, shown, pad),
    }


def _distances(answer: Demonstration, shown: Sequence[Demonstration]) -> Tensor:
    """How different the counts of tokens are."""
    counts = [np.bincount(each.ids, minlength=VOCAB) for each in (answer, *shown)]
    return torch.tensor([float(np.linalg.norm(each - counts[0])) for each in counts[1:]])


def correlations(seed: int) -> dict[str, list[float]]:
    """Of every way, one number for each answer."""
    tokenizer, shown, answers = facts(seed)
    pad = tokenizer.pad_id
    kept = trained(shown, pad, tokenizer.vocab, seed)
    before = demonstration_nats(kept[-1], answers, pad)
    lost = torch.stack([
        demonstration_nats(trained(shown, pad, tokenizer.vocab, seed, without)[-1], answers, pad) - before
        for without in range(len(shown))
    ])  # fmt: skip
    ways = [foretold(kept, answer, shown, pad) for answer in answers]
    return {way: [spearman(each[way], lost[:, at]) for at, each in enumerate(ways)] for way in ways[0]}


def told(seeds: Sequence[Sequence[float]]) -> str:
    """The mean of all answers with its standard error; of several seeds, which are fewer and more independent, with
    their interval."""
    every, means = [value for values in seeds for value in values], [mean(values) for values in seeds]
    figure = f"{mean(every):+.2f} ± {stdev(every) / len(every) ** 0.5:.2f}"
    if len(means) == 1:
        return figure
    reach = student(len(means) - 1) * stdev(means) / len(means) ** 0.5
    return f"{figure}   95 % over seeds ± {reach:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of data and weights")
    found: dict[str, list[list[float]]] = {}
    for seed in parser.parse_args().seeds:
        for way, values in correlations(seed).items():
            found.setdefault(way, []).append(values)
            print(f"to seed {seed}  {way:22} {told(found[way])}", flush=True)


if __name__ == "__main__":
    main()
