"""The image encoder against transformers' CLIPVisionModel: same weights, same images, same thread, in turns.

    pip install transformers
    python benchmarks/vision.py [--model vit-b-32] [--batch 8] [--rounds 5] [--threads 1]

Weights are random (seed 0), taken from our encoder. Printed are images a second of each, the best round counting, one
thread judged by processor time, more by the clock; the ratio to theirs in float32; and the least cosine to their
vectors in float32: what is fast must also be right. The exit status is 1 when that is below 0.999.
"""

import argparse
import copy
import os
import sys
import time
from collections.abc import Callable

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=PRESETS, default="vit-b-32")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    config = PRESETS[args.model]
    encoders = contestants(config)
    shape = (args.batch, 3, config.image_size, config.image_size)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        vectors = {name: encode(images).float() for name, encode in encoders.items()}  # warms up too
        rounds = [{name: seconds(encode, images) for name, encode in encoders.items()} for _ in range(args.rounds)]
    best = {name: min(each[name] for each in rounds) for name in encoders}
    first = next(iter(encoders))
    print(f"{args.model}, batches of {args.batch}, {args.threads} thread(s), best of {args.rounds}")
    print(f"{'':22} {'images/s':>9} {'ratio':>6} {'cosine':>8}")
    cosines = {name: F.cosine_similarity(vectors[first], found, dim=-1).min().item() for name, found in vectors.items()}
    for name, took in best.items():
        print(f"{name:22} {args.batch / took:9.1f} {best[first] / took:6.2f} {cosines[name]:8.5f}")
    sys.exit(min(cosines.values()) < 0.999)


if __name__ == "__main__":
    main()
