"""Fails when the search of the site finds nothing on a disk, or asks another host for anything.

python docs/search.py site

Opens the first page of either language in Chromium, as a file, and searches as a person does.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ASKED = {"index.html": ("reward model", "08-reward.html"), "zh/index.html": ("奖励模型", "08-reward.html")}
"""by first page: words, and a page that is among what they find"""


def found(browser: Browser, page: Path, words: str) -> tuple[list[str], list[str]]:
    """Where the results lead, and what of other hosts was asked for."""
    elsewhere: list[str] = []
    tab = browser.new_page(viewport={"width": 390, "height": 844})
    tab.on("request", lambda request: None if request.url.startswith(("file:", "data:", "about:", "blob:"))
           else elsewhere.append(request.url))  # fmt: skip
    tab.goto(page.resolve().as_uri())
    tab.locator("label[for=__search]").first.click()
    tab.locator("input.md-search__input").fill(words)
    tab.keyboard.press("End")  # the theme waits for a key, which ends what is written in Chinese too
    tab.locator(".md-search-result__link").first.wait_for()
    links = tab.locator(".md-search-result__link").evaluate_all("links => links.map(link => link.href)")
    tab.close()
    return links, elsewhere


def main() -> None:
    folder = Path(sys.argv[1])
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, (words, wanted) in ASKED.items():
            links, elsewhere = found(browser, folder / name, words)
            own = [link for link in links if ("/zh/" in link) == name.startswith("zh/")]
            if elsewhere or not any(wanted in link for link in own):
                sys.exit(f"needed {wanted} among what '{words}' finds in {name}, and no other host;\n"
                         f"got {links[:20]} and {elsewhere}")  # fmt: skip
            print(
                f"{name}: '{words}' leads to {len(links)} places, among them {wanted}, and nothing comes from elsewhere"
            )
        browser.close()


if __name__ == "__main__":
    main()
