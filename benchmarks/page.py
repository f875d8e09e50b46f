"""A run's model in a page, in headless Chromium: tokens a second, the file's size, and whether it says what the Python
engine says with the same int8 weights and with the weights as they were trained.

python benchmarks/page.py runs/start [--answers 50] [--tokens 48]
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from playwright.sync_api import sync_playwright

from gptwright.inference.sampling import Sampling
from gptwright.models.formats.int8 import rounded
from gptwright.pipelines.load import load_decoder
from gptwright.pipelines.model import Model
from gptwright.tokenizers.chat_templates.chat import Message

ANSWER = """async ([prompt, most]) => {
  const sampling = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, bias: {} };
  const ids = [...prompt];
  await run.engine.call("next", ids, sampling);
  const since = performance.now();
  while (ids.length < prompt.length + most) {
    const { id } = await run.engine.call("next", ids, sampling);
    ids.push(id);
    if (run.tokenizer.stops.has(id)) break;
  }
  return [ids.slice(prompt.length), performance.now() - since];
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--answers", type=int, default=50)
    parser.add_argument("--tokens", type=int, default=48)
    given = parser.parse_args()
    model = load_decoder(given.run)
    prompts = [model.chat_ids([Message(role="user", content=text)]) for text in questions(given.run)[: given.answers]]
    greedy = Sampling(temperature=0.0, max_tokens=given.tokens)
    exact = Model(rounded(model.network), model.tokenizer, model.name, dtype="float32")
    trained = Model(model.network, model.tokenizer, model.name, dtype="float32")
    wanted, before = ([one.generate_ids(ids, greedy) for ids in prompts] for one in (exact, trained))
    with TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        command = [sys.executable, "-m", "gptwright", "export", str(given.run), "--to", "html", "--out", str(page)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        size = page.stat().st_size
        opened, answers, milliseconds = answer(page, prompts, given.tokens)
    tokens = sum(map(len, answers))
    speed = 1000 * tokens / milliseconds
    print(f"| {size / 1e6:.2f} MB | opened in {opened:.1f} s | {speed:,.0f} tokens/s over {tokens:,} |")
    same = sum(a == b for a, b in zip(answers, wanted, strict=True))
    kept = sum(a == b for a, b in zip(wanted, before, strict=True))
    print(f"| equal to Python with int8: {same} of {len(prompts)} | int8 equal to float32: {kept} of {len(prompts)} |")


def questions(run: Path) -> list[str]:
    """The prompts that the run's preferences were made of."""
    lines = (run / "05-rank/prompts.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return [record.get("prompt") or record["messages"][-1]["content"] for record in records]


def answer(page: Path, prompts: list[list[int]], most: int) -> tuple[float, list[list[int]], float]:
    """Seconds until the model is unpacked, the ids of the answers, milliseconds that these took together."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page()
        since = perf_counter()
        tab.goto(page.as_uri())
        tab.evaluate("run.engine.opened")
        opened = perf_counter() - since
        found = [tab.evaluate(ANSWER, [ids, most]) for ids in prompts]
        browser.close()
    return opened, [ids for ids, _ in found], sum(milliseconds for _, milliseconds in found)


if __name__ == "__main__":
    main()
