"""What a model writes, as the page shows it: Markdown, code, formulas, reasoning."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.serving.pages.answers import ask, long
from tests.serving.pages.conftest import Visit

pytestmark = pytest.mark.browser

MARKDOWN = """# Cats

Some **bold**, *emphasis*, ~~gone~~, `code`, a [link](https://example.org/a) and <mailto:a@example.org>.
Not [this](javascript:alert(1)), not [that](/relative), and ![a picture](http://203.0.113.1/?secret).

- one
  - inside
    1. deep
- two

> A quotation

| Left | Right |
|------|------:|
| a | 1 |

---

مرحبا بالعالم
"""

CODE = """1. Run

   ```bash
   echo hi
   ```

```python
def greet() -> str:
    return "<b>hi</b>"  # a line
```
"""


def test_markdown_is_elements_with_safe_links_and_directions(visit: Visit, model: Any) -> None:
    long(model, MARKDOWN)
    text = ask(visit.page).locator(".markdown")
    expect(text.locator("h3")).to_have_text("Cats")
    expect(text.locator("strong, em, s, p > code")).to_have_text(["bold", "emphasis", "gone", "code"])
    links = text.locator("a")
    assert links.evaluate_all("all => all.map(a => a.href)") == ["https://example.org/a", "mailto:a@example.org"]
    assert set(links.evaluate_all("all => all.map(a => a.rel)")) == {"noopener noreferrer nofollow"}
    expect(text).to_contain_text("![a picture](http://203.0.113.1/?secret)")
    expect(text.locator("ul > li > ul > li > ol > li")).to_have_text("deep")
    expect(text.locator("blockquote")).to_have_text(re.compile("A quotation"))
    expect(text.locator("th, td")).to_have_text(["Left", "Right", "a", "1"])
    assert text.locator("td").last.evaluate("cell => getComputedStyle(cell).textAlign") == "right"
    expect(text.locator("hr")).to_have_count(1)
    directions = text.locator("p").evaluate_all("all => all.map(p => [p.dir, getComputedStyle(p).direction])")
    assert {name for name, _ in directions} == {"auto"} and directions[-1] == ["auto", "rtl"]


def test_code_has_its_language_colours_a_copy_and_wraps(visit: Visit, model: Any) -> None:
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    long(model, CODE)
    blocks = ask(visit.page).locator("figure")
    expect(blocks.locator("figcaption span")).to_have_text(["bash", "python"])
    python = blocks.last
    expect(python.locator(".hljs-keyword")).to_have_text(["def", "return"])
    expect(python.locator(".hljs-string")).to_have_text('"<b>hi</b>"')
    python.get_by_role("button", name="Copy code").click()
    copied = visit.page.evaluate("navigator.clipboard.readText()")
    assert copied == 'def greet() -> str:\n    return "<b>hi</b>"  # a line'
    pre = python.locator("pre")
    assert pre.evaluate("pre => getComputedStyle(pre).whiteSpace") == "pre"
    python.get_by_role("button", name="Break long lines").click()
    assert pre.evaluate("pre => getComputedStyle(pre).whiteSpace") == "pre-wrap"
    expect(blocks.first.locator("code")).to_have_text("echo hi")


def test_formulas_are_mathml_and_prices_are_not(visit: Visit, model: Any) -> None:
    prices = "It costs $5 and $6, but $e^{x}$ and \\(y_1\\) hold."
    long(model, prices + "\n\n$$\n\\frac{1}{2}\n\n$$\n\nNo TeX: $\\frac{$ `$x$`")
    text = ask(visit.page).locator(".markdown")
    expect(text.locator("math")).to_have_count(3)
    expect(text.locator("math[display=block] mfrac")).to_have_count(1)
    expect(text.locator("msup mi").first).to_have_text("e")
    expect(text).to_contain_text("It costs $5 and $6")
    expect(text).to_contain_text("$x$")
    assert text.locator("[style]").count() == 0


@pytest.mark.parametrize("opening", ["<think>\n", ""])
def test_reasoning_is_folded(visit: Visit, model: Any, opening: str) -> None:
    long(model, f"{opening}First I *wonder*.\n\nThen I know.</think>\n\nIt is so.")
    text = ask(visit.page).locator(".markdown")
    expect(text.locator("summary")).to_have_text("Reasoning")
    expect(text.locator("details em")).to_be_hidden()
    text.locator("summary").click()
    expect(text.locator("details em")).to_have_text("wonder")
    expect(text.locator(":scope > .block")).to_have_text(re.compile(r"^\s*It is so\.\s*$"))


def test_what_has_ended_is_not_drawn_again_while_more_comes(visit: Visit, model: Any) -> None:
    page, model.paced = visit.page, True
    long(model, "First paragraph.\n\n```python\nx = 1\n```\n\nLast words come here.")
    page.get_by_role("textbox", name="Write").fill("Go")
    page.get_by_role("textbox", name="Write").press("Enter")
    first = page.locator(".markdown p").first
    while page.locator(".markdown figure").count() == 0:
        model.gate.set()
        page.wait_for_timeout(5)
    first.evaluate("p => (window.kept = p)")
    model.paced = False
    model.gate.set()
    expect(page.locator(".markdown p").last).to_have_text("Last words come here.")
    assert first.evaluate("p => p === window.kept")


ENDLESS = ["\u00a0" * 99_999 + "x", "`a" * 50_000, "*a\u00a0" * 33_000, "$a\u00a0" * 33_000, "[" * 100_000]


@pytest.mark.parametrize("reply", ENDLESS, ids=["blanks", "ticks", "stars", "dollars", "brackets"])
def test_an_endless_answer_does_not_hold_up_the_page(visit: Visit, model: Any, reply: str) -> None:
    model.reply, model.context = reply, 200_000
    model.sampling = type(model.sampling)(max_tokens=150_000)
    answer = ask(visit.page)
    assert answer.locator(".markdown *").count() < 100
    expect(answer.get_by_role("button", name="Copy").last).to_be_visible()
