"""How soon one can write on the chat page, and what a question costs the page in a conversation of 300 messages.

    python benchmarks/chat_page.py [--rounds 5]

The server is a process of its own with a tiny model. Interactive is when the box to write in is there and has the
focus, by the page's own clock from the beginning of the navigation, with nothing cached. The work of a question is the
time of the page's main thread from Enter to the end of a short answer, in processor time, so that it holds on a busy
machine too; Chromium's own clock tells it (`Performance.getMetrics`).
"""

import argparse
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from gptwright.inference.sampling import Sampling
from gptwright.serving.api import create_app
from gptwright.serving.server import serve_until_stopped, take_port
from gptwright.store.database import open_store
from gptwright.store.messages import add_conversation, add_message

CHROMIUM, MESSAGES = "/usr/bin/chromium", 300
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
ANSWERS = "document.querySelectorAll('li.assistant .tools').length"
WATCH = """() => { new MutationObserver((_, seen) => {
  if (!document.querySelector("textarea:focus")) return;
  window.interactive ??= performance.now();
  seen.disconnect();
}).observe(document, { childList: true, subtree: true, attributes: true }); }"""


def tiny() -> Any:
    """A GPT-2 that reads 300 messages."""
    import torch

    from gptwright.models.gpt2 import GPT2, GPT2Config
    from gptwright.pipelines.generation_config import GenerationConfig
    from gptwright.pipelines.model import Model
    from gptwright.tokenizers import bytelevel

    torch.manual_seed(0)
    tokenizer = bytelevel.train(["the cat sat on the mat and the dog ran to the sea " * 3], 280)
    network = GPT2(GPT2Config(vocab=tokenizer.vocab, context=512, width=32, heads=2, layers=2)).requires_grad_(False)
    return Model(network, tokenizer, "tiny", GenerationConfig.of(Sampling(max_tokens=24, temperature=1.0)))


def serve(told: Connection) -> None:
    held = take_port("127.0.0.1", 0)
    with TemporaryDirectory() as folder, open_store(folder) as store:
        with store.write() as session:
            talk, last = add_conversation(session, title="long"), None
            for turn in range(MESSAGES):
                text = f"the cat sat on mat {turn}, and **the dog** ran"
                last = add_message(session, talk.id, last, ("user", "assistant")[turn % 2], text).id
            talk.leaf = last or ""
            id = talk.id
        serve_until_stopped(create_app({"tiny": tiny()}, store), held, lambda: told.send((held.getsockname()[1], id)))


def _awaited(page: Page, expression: str) -> Any:
    """What it comes to, once that is something."""
    while not (found := page.evaluate(expression)):
        page.wait_for_timeout(100)
    return found


def interactive(browser: Browser, address: str) -> float:
    """Milliseconds from the beginning of the navigation."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.add_init_script(f"({WATCH})()")
    page.goto(address)
    found = _awaited(page, "window.interactive")
    context.close()
    return found


def worked(clock: CDPSession) -> float:
    """Milliseconds of processor time that the page's main thread has worked."""
    told = {one["name"]: one["value"] for one in clock.send("Performance.getMetrics")["metrics"]}
    return told["TaskDuration"] * 1000


def question(browser: Browser, address: str) -> tuple[float, int]:
    """What one question costs the page, and how many requests it makes."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(address)
    _awaited(page, f"{ANSWERS} >= {MESSAGES // 2}")
    asked = list[str]()
    page.locator("textarea").fill("the cat")
    page.wait_for_timeout(1000)  # drafts are kept, what was read is drawn
    page.on("request", lambda request: asked.append(request.url))
    clock = context.new_cdp_session(page)
    clock.send("Performance.enable", {"timeDomain": "threadTicks"})
    began = worked(clock)
    page.keyboard.press("Enter")
    _awaited(page, f"{ANSWERS} > {MESSAGES // 2}")
    spent = worked(clock) - began
    context.close()
    return spent, len(asked)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds: int = parser.parse_args().rounds
    here, there = get_context("spawn").Pipe()
    server = get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    port, id = here.recv()
    address = f"http://127.0.0.1:{port}/"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = sorted(interactive(browser, address) for _ in range(rounds))
        asked = sorted(question(browser, f"{address}#/chat/{id}") for _ in range(rounds))
        browser.close()
    server.kill()
    print(f"interactive after {median(opened):.0f} ms ({opened[0]:.0f} to {opened[-1]:.0f}), {rounds} times")
    costs = [cost for cost, _ in asked]
    work = f"{median(costs):.0f} ms of page work ({costs[0]:.0f} to {costs[-1]:.0f})"
    print(f"a question behind {MESSAGES} messages: {work}, {max(count for _, count in asked)} request")


if __name__ == "__main__":
    main()
