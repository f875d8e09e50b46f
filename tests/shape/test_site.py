"""The site: where its pages' links lead, what it refuses, and that it asks no other host for anything."""

from pathlib import Path
from types import ModuleType

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]


@pytest.fixture
def docs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")


@pytest.fixture
def assemble(docs: None) -> ModuleType:
    import assemble

    return assemble


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("docs/04-sft.md", "04-sft.md"),
        ("docs/images/pages-2-chat.png", "images/pages-2-chat.png"),
        ("README.zh.md", "index.zh.md"),
        ("CONTRIBUTING.md", "repository/CONTRIBUTING.md"),
        (".ci/package_data.py", "repository/ci/package_data-py.md"),
        ("recipes/gpt1.toml", "repository/recipes/gpt1-toml.md"),
        ("src/gptwright/models", "reference/models.md"),
        ("src/gptwright/cli.py", "reference/cli.md"),
        ("src/gptwright/models/gpt2.py", "reference/models.md#gptwright.models.gpt2"),
        ("src/gptwright/text/filters", "reference/text.md#gptwright.text.filters"),
        ("src/gptwright/store/migrations", "repository/src/gptwright/store/migrations.md"),  # no package
        ("src/gptwright/sandbox/attacks.toml", "repository/src/gptwright/sandbox/attacks-toml.md"),
    ],
)
def test_what_is_linked_has_a_place(assemble: ModuleType, path: str, place: str) -> None:
    assert assemble.place(path) == place


@pytest.mark.parametrize(
    ("page", "text", "in_site"),
    [
        ("docs/04-sft.md", "[a](05-rank.md#do-it)", "[a](05-rank.md#do-it)"),
        ("docs/04-sft.md", "[a](../src/gptwright/stages/sft.py)", "[a](reference/stages.md#gptwright.stages.sft)"),
        ("README.md", "[a](docs/why.md)", "[a](why.md)"),
        ("CONTRIBUTING.md", "[a](docs/names.md)", "[a](../names.md)"),
        ("data/SOURCES.md", "[a](../README.md)", "[a](../../index.md)"),
        ("docs/04-sft.md", "[a](#do-it) [b](https://a.b/c)", "[a](#do-it) [b](https://a.b/c)"),
        ("docs/04-sft.md", "[a](nothere.md)", "[a](nothere.md)"),
        ("docs/04-sft.md", "```\n[a](../Makefile)\n```\n", "```\n[a](../Makefile)\n```\n"),
        ("README.md", "# g\n\n[中文](README.zh.md)\n\nText", "# g\n\nText"),
    ],
)
def test_links_lead_to_the_same_in_the_site(assemble: ModuleType, page: str, text: str, in_site: str) -> None:
    assert assemble.in_site(page, text)[0] == in_site


def test_headings_have_one_anchor_in_both_languages(
    assemble: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assemble, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text("# A\n\n## Do it\n", encoding="utf-8")
    text = "# 甲\n\n[English](a.md)\n\n```\n# 乙\n```\n\n## 做一遍\n\n[c](#做一遍)\n"
    (tmp_path / "docs/a.zh.md").write_text(text, encoding="utf-8")
    in_site = "# 甲 {#a}\n\n```\n# 乙\n```\n\n## 做一遍 {#do-it}\n\n[c](#do-it)\n"
    assert assemble.in_site("docs/a.zh.md", text)[0] == in_site
    assert (
        assemble.in_site("docs/b.zh.md", "[a](a.zh.md#做一遍) [b](a.md#do-it)")[0] == "[a](a.md#do-it) [b](a.md#do-it)"
    )
    assert assemble.in_site("docs/b.md", "# 做一遍\n[a](a.md#do-it)")[0] == "# 做一遍\n[a](a.md#do-it)"


def test_every_page_of_the_site_is_put_together(assemble: ModuleType) -> None:
    site = assemble.site()
    assert {page.name for page in (ROOT / "docs").glob("*.md")} <= site.keys()
    assert "::: gptwright.models.gpt2" in site["reference/models.md"]
    assert "[pretrain]" in site["repository/recipes/gpt1-toml.md"]


def test_anchors_are_those_of_the_headings_outside_code(docs: None, tmp_path: Path) -> None:
    import anchors

    page = tmp_path / "a.md"
    page.write_text("# A `b` [c](d.md)!\n\n```\n# no\n```\n## Zwei – 二\n## A b c\n## A b c\n", encoding="utf-8")
    assert anchors.anchors(page) == ["a-b-c", "zwei--二", "a-b-c-1", "a-b-c-2"]


def test_a_link_to_a_heading_that_is_not_there_is_a_fault(
    docs: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import architecture

    page = tmp_path / "a.md"
    page.write_text("# A\n[a](#a) [b](#b) [c](c.md) [d](a.md#a) [e](a.md#e)\n```\n[f](f.md)\n```\n", encoding="utf-8")
    monkeypatch.setattr(architecture, "ROOT", tmp_path)
    assert architecture.dead_links() == ["a.md: #b", "a.md: c.md", "a.md: a.md#e"]


@pytest.mark.parametrize(
    ("page", "loads"),
    [
        ('<script src="a.js"></script><img src="data:x"><a href="https://a.b">c</a>', []),
        ('<link rel="canonical" href="https://a.b/c">', []),
        ('<script src="https://a.b/c.js"></script>', ["https://a.b/c.js"]),
        ('<link rel="stylesheet" href="//a.b/c.css">', ["//a.b/c.css"]),
        ('<link rel="preconnect" href="https://a.b">', ["https://a.b"]),
        ("<style>@import 'https://a.b/c.css'; p { background: url(https://a.b/d.png) }</style>",
         ["https://a.b/c.css", "https://a.b/d.png"]),
        ('<p style="background: url(//a.b/d.png)">', ["//a.b/d.png"]),
        ('<pre class="mermaid">a</pre>', ['<pre class="mermaid">a</pre>']),
    ],
)  # fmt: skip
def test_what_a_page_would_load_from_elsewhere(docs: None, page: str, loads: list[str]) -> None:
    import outside

    assert outside.loaded(page) == loads


@pytest.mark.browser
def test_a_page_from_a_disk_has_a_worker(chromium: str, tmp_path: Path) -> None:
    """It loads more scripts one after another, is asked before it is there, and answers what it was asked."""
    (tmp_path / "one.js").write_text("var first = 'one'", encoding="utf-8")
    (tmp_path / "two.js").write_text("var both = `${first} two`", encoding="utf-8")
    (tmp_path / "worker.js").write_text(
        "addEventListener('message', async ({ data }) => {"
        " await importScripts('one.js', 'two.js'); postMessage({ ...data, both }); });",
        encoding="utf-8",
    )
    script = (ROOT / "docs/iframe-worker.js").read_text(encoding="utf-8")
    page = f"<!doctype html><title>x</title><body><script>{script}</script>"
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page()
        tab.goto((tmp_path / "page.html").as_uri())
        answer = tab.evaluate("""() => new Promise((done) => {
          const worker = new Worker("worker.js");
          worker.addEventListener("message", ({ data }) => done(data));
          worker.postMessage({ asked: [1, 2] });
        })""")
        browser.close()
    assert answer == {"asked": [1, 2], "both": "one two"}
