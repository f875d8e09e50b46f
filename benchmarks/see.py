"""How soon a page of `see` opens in headless Chromium: GPT-2 124M with random weights, 1,024 tokens, all of its heads.

    python benchmarks/see.py --make see.html          half a minute
    python benchmarks/see.py --open see.html          opens it five times: to the first frame with everything drawn

Queries and keys are drawn wide enough that heads look at different places, as those of trained networks do. Heads are
switched off on 8 tokens instead of 128: what comes of it takes as much room.
"""

import argparse
import shutil
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from playwright.sync_api import Browser, sync_playwright

from gptwright.interpretability import inside
from gptwright.interpretability.heads import attentions
from gptwright.interpretability.page import page
from gptwright.interpretability.steps import finished
from gptwright.models.catalogue import build, preset

ROUNDS = 5
DRAWN = """() => new Promise((done) => {
  const frame = () => document.querySelectorAll("canvas").length > 144
    ? requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))) : requestAnimationFrame(frame);
  frame();
})"""


def make(out: Path) -> None:
    """The page."""
    network = build(preset("gpt2-124m"), seed=1)
    with torch.no_grad():
        for attention in attentions(network):
            attention.get_parameter("qkv.weight")[: 2 * network.config.width] *= 8
    inside.ABLATED = 8
    ids = torch.randint(network.config.vocab, (inside.MOST,), generator=torch.Generator().manual_seed(1)).tolist()
    began = perf_counter()
    view = finished(inside.inside(network, ids, lambda id: f" {id}"))
    print(f"made in {perf_counter() - began:.0f} s; {100 * view['attention']['shown']:.0f} % of all attention is kept")
    out.write_text(page(view | {"model": "random", "about": "", "note": ""}, "random").html, encoding="utf-8")


def opened(browser: Browser, file: Path) -> tuple[float, float]:
    """Seconds until all is drawn, and the page's own count of them, which begins when the file is asked for."""
    tab = browser.new_page(viewport={"width": 1280, "height": 800})
    began = perf_counter()
    tab.goto(file.resolve().as_uri(), wait_until="commit")
    own = tab.evaluate(DRAWN)
    seconds = perf_counter() - began
    tab.close()
    return seconds, own / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--make", type=Path)
    parser.add_argument("--open", type=Path)
    given = parser.parse_args()
    if given.make:
        make(given.make)
    if given.open:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            found = [opened(browser, given.open) for _ in range(ROUNDS)]
            browser.close()
        all_, own = ([round(times[kind], 2) for times in found] for kind in (0, 1))
        print(f"{given.open.stat().st_size / 1e6:.2f} MB, opened in {median(all_):.2f} s {all_}; "
              f"by the page's clock {median(own):.2f} s {own}")  # fmt: skip


if __name__ == "__main__":
    main()
