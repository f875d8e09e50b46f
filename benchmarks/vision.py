"""The image encoder against transformers' CLIPVisionModel: same weights, same images, same thread, in turns.

    pip install transformers
    python benchmarks/vision.py [--model vit-b-32] [--batch 8] [--rounds 9] [--threads 1]

Weights are random (seed 0), taken from our encoder. All encode the same images once a round, every round in another
order. Printed are of the rounds' medians images a second, one thread judged by processor time, more by the clock; of
the rounds' ratios to theirs in float32 the median, the least and the most; and the least cosine to their vectors in
float32: what is fast must also be right. The exit status is 1 when that is below 0.999.
"""

import argparse
import copy
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from statistics import median

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import torch.nn.functional as F
import transformers
from torch import Tensor

from gptwright.models.formats.huggingface import config_table, their_tensors
from gptwright.models.formats.mappings.clip import IMAGE
from gptwright.models.vision import PRESETS, ViT, ViTConfig
from gptwright.training.optimizer import cast_linears

Encode = Callable[[Tensor], Tensor]


def contestants(config: ViTConfig) -> dict[str, Encode]:
    """Images to one vector each, by name; the first is what the others are compared with."""
    ours = ViT(config).eval()
    ours.initialise(0)
    table = {name: value for name, value in config_table(config, IMAGE).items() if name != "model_type"}
    theirs = transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**table)).eval()
    names = {name.removeprefix(IMAGE.prefix): tensor for name, tensor in their_tensors(ours, IMAGE, torch.float32)}
    theirs.load_state_dict(names)
    ours_bf16, theirs_bf16 = copy.deepcopy(ours), copy.deepcopy(theirs).to(torch.bfloat16)
    cast_linears(ours_bf16, torch.bfloat16)
    return {
        "transformers float32": lambda images: theirs(images).pooler_output,
        "transformers bfloat16": lambda images: theirs_bf16(images.bfloat16()).pooler_output,
        "gptwright float32": ours,
        "gptwright bfloat16": ours_bf16,
    }


def seconds(encode: Encode, images: Tensor) -> float:
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    encode(images)
    return clock() - start


def one_round(encoders: Mapping[str, Encode], images: Tensor, number: int) -> dict[str, float]:
    """Seconds of each, who begins going round."""
    names = deque(encoders)
    names.rotate(number)
    return {name: seconds(encoders[name], images) for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=PRESETS, default="vit-b-32")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    config = PRESETS[args.model]
    encoders = contestants(config)
    shape = (args.batch, 3, config.image_size, config.image_size)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        vectors = {name: encode(images).float() for name, encode in encoders.items()}  # warms up too
        rounds = [one_round(encoders, images, number) for number in range(args.rounds)]
    first = next(iter(encoders))
    print(f"{args.model}, batches of {args.batch}, {args.threads} thread(s), medians of {args.rounds} rounds")
    print(f"{'':22} {'images/s':>9} {'ratio':>6} {'from':>6} {'to':>6} {'cosine':>8}")
    cosines = {name: F.cosine_similarity(vectors[first], found, dim=-1).min().item() for name, found in vectors.items()}
    for name in encoders:
        speed = args.batch / median(each[name] for each in rounds)
        ratios = [each[first] / each[name] for each in rounds]
        print(
            f"{name:22} {speed:9.1f} {median(ratios):6.2f} {min(ratios):6.2f} {max(ratios):6.2f} {cosines[name]:8.5f}"
        )
    sys.exit(min(cosines.values()) < 0.999)


if __name__ == "__main__":
    main()
