"""How soon the largest page of `see` opens in headless Chromium, and how smoothly it scrolls: GPT-2 124M with random
weights, 1,024 tokens, all of its heads, and three other stages beside it.

    python benchmarks/see.py --make see.html          a minute
    python benchmarks/see.py --open see.html …        opens each five times, in turn: to the first frame with all drawn,
                                                      then scrolls from its top to its end, 100 pixels a frame

Queries and keys are drawn `--wide` times as wide, so that heads look at different places, as those of trained networks
do: the wider, the fewer. At 4 all rows take nearly as much room as a page gives them (`packed_rows.LARGEST`). Heads are
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
SCROLLED = """() => new Promise((done) => {
  const times = [];
  const frame = (now) => {
    times.push(now);
    const before = scrollY;
    scrollBy({top: 100, behavior: "instant"});
    if (scrollY > before) requestAnimationFrame(frame);
    else done(times.slice(1).map((time, index) => time - times[index]));
  };
  scrollTo({top: 0, behavior: "instant"});
  requestAnimationFrame(frame);
})"""


def make(out: Path, wide: float) -> None:
    """The page."""
    network = build(preset("gpt2-124m"), seed=1)
    with torch.no_grad():
        for attention in attentions(network):
            attention.get_parameter("qkv.weight")[: 2 * network.config.width] *= wide
    inside.ABLATED = 8
    ids = torch.randint(network.config.vocab, (inside.MOST,), generator=torch.Generator().manual_seed(1)).tolist()
    began = perf_counter()
    stages = [inside.Stage(name, network) for name in ("pretrain", "sft", "dpo")]
    view = finished(inside.inside(network, ids, lambda id: f" {id}", stages))
    print(f"made in {perf_counter() - began:.0f} s; {100 * view['attention']['shown']:.0f} % of all attention is kept")
    out.write_text(page(view | {"model": "random", "about": "", "note": ""}, "random").html, encoding="utf-8")


def opened(browser: Browser, file: Path) -> tuple[float, float, list[float]]:
    """Seconds until all is drawn, the page's own count of them, which begins when the file is asked for, and the
    milliseconds between frames while it scrolls."""
    tab = browser.new_page(viewport={"width": 1280, "height": 800})
    began = perf_counter()
    tab.goto(file.resolve().as_uri(), wait_until="commit")
    own = tab.evaluate(DRAWN)
    seconds = perf_counter() - began
    frames = tab.evaluate(SCROLLED)
    tab.close()
    return seconds, own / 1000, frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--make", type=Path)
    parser.add_argument("--wide", type=float, default=4.0)
    parser.add_argument("--open", type=Path, nargs="*", default=[])
    given = parser.parse_args()
    if given.make:
        make(given.make, given.wide)
    if given.open:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            rounds = [[opened(browser, file) for file in given.open] for _ in range(ROUNDS)]
            browser.close()
        for file, found in zip(given.open, zip(*rounds, strict=True), strict=True):
            all_, own = ([round(times[kind], 2) for times in found] for kind in (0, 1))
            print(f"{file}: {file.stat().st_size / 1e6:.2f} MB, opened in {median(all_):.2f} s {all_}; "
                  f"by the page's clock {median(own):.2f} s {own}")  # fmt: skip
            frames = sorted(time for times in found for time in times[2])
            print(f"{file}: {len(frames)} frames scrolled, {median(frames):.1f} ms each, 95 % within "
                  f"{frames[len(frames) * 95 // 100]:.1f}, 99 % within {frames[len(frames) * 99 // 100]:.1f}, "
                  f"worst {frames[-1]:.1f}")  # fmt: skip


if __name__ == "__main__":
    main()
