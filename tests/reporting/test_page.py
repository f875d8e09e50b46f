import json
from collections.abc import Callable
from pathlib import Path

import pytest
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from gptwright.reporting.checks.registry import check
from gptwright.reporting.collect import collect
from gptwright.reporting.page import commands, facts, page


def render(path: Path) -> str:
    run = collect(path)
    return page(run, check(run))


def test_the_sections_stand_in_order(whole_run: Path) -> None:
    tree = HTMLParser(render(whole_run))
    sections = [section.attributes["id"] for section in tree.css("section")]
    assert sections == ["health", "story", "before-and-after", "curves", "samples", "text", "next"]
    assert tree.css_first("h1").text() == "A chat model tuned by preferences"
    assert len(tree.css("#health li")) == 21 and len(tree.css("svg.chart")) == 6


def test_nothing_is_requested_and_nothing_runs(whole_run: Path) -> None:
    tree = HTMLParser(render(whole_run))
    assert not tree.css("script, img, iframe, object, embed, base, form, a[href], [onclick], [onload], [onerror]")
    linked = {
        value
        for node in tree.css("[src], [href]")
        for name, value in node.attributes.items()
        if name in ("src", "href")
    }
    assert linked == {"data:,"}
    style = "".join(node.text() for node in tree.css("style"))
    assert "url(" not in style and "@import" not in style and "://" not in style
    policy = tree.css_first("meta[http-equiv=Content-Security-Policy]").attributes["content"] or ""
    assert policy.startswith("default-src 'none'")


def test_what_a_model_wrote_is_text(whole_run: Path) -> None:
    html = render(whole_run)
    assert "<script" not in html and "<img" not in html
    assert html.count("&lt;script&gt;alert(&#39;x&#39;)") == 4  # three samples and one answer
    openings = {node.text() for node in HTMLParser(html).css("blockquote b")}
    assert openings == {"It was a"}


@pytest.mark.parametrize("where", ["name", "verb", "reason", "rule", "kind", "machine"])
def test_names_from_files_are_text_too(whole_run: Path, stage_writer: Callable[..., Path], where: str) -> None:
    bad = "<script>1</script>"
    if where == "name":
        stage_writer(whole_run / "09-<script>1<", "ppo-like")
    elif where == "verb":
        stage_writer(whole_run / "09-other", bad, metrics={bad: 1.0})
    else:
        name, old = {
            "reason": ("01-prepare/sources.json", "duplicate"), "rule": ("08-ppo/evaluation.json", "plain-words"),
            "kind": ("04-sft/evaluation.json", "held-out fact"), "machine": ("08-ppo/stage.json", "Linux x86_64"),
        }[where]  # fmt: skip
        path = whole_run / name
        path.write_text(path.read_text().replace(old, bad))
    html = render(whole_run)
    assert "<script" not in html and "&lt;script&gt;1" in html


def test_the_manifest_gives_reasons_and_hashes(whole_run: Path) -> None:
    section = HTMLParser(render(whole_run)).css_first("#text")
    words = " ".join(section.text().split())
    assert (
        "4 documents duplicate; 7 characters cut (3 lines menu)" in words and "1 file of other kinds ignored" in words
    )
    assert "ab" * 32 in section.css_first("details").text()


def test_prompts_are_shown_where_they_were_kept(whole_run: Path) -> None:
    path = whole_run / "08-ppo/evaluation.json"
    models = json.loads(path.read_text())
    models["comparison"]["samples"] = ["Who is <Mira>?", "Hello"]
    path.write_text(json.dumps(models))
    heads = [node.text() for node in HTMLParser(render(whole_run)).css(".answers th[scope]")]
    assert heads == ["Who is <Mira>?", "Hello"]


def test_the_commands_fit_the_run(whole_run: Path) -> None:
    given = dict(commands(collect(whole_run)))
    assert given["talk to it"] == f"gptwright chat '{whole_run / '08-ppo'}'"
    assert given["teach it what you like"] == f"gptwright improve '{whole_run}' --rankings my-rankings.jsonl"
    assert given["make a better one"] == "gptwright start --minutes 8"
    assert (
        given["compare another family"] == "gptwright start --minutes 2 --model llama-nano"
        and "finish this run" not in given
    )


def test_the_facts_of_the_whole_run(whole_run: Path) -> None:
    assert {name: value.replace("\u00a0", " ") for name, value in facts(collect(whole_run))} == {
        "time": "1 min 48 s", "parameters": "1.5 million", "text": "120.0 kB", "held out, bits/byte": "1.60",
        "right answers": "90 %", "wins over sft": "90 %", "peak memory": "1.5 GiB",
    }  # fmt: skip


def test_a_run_that_stopped_shows_what_there_is(whole_run: Path) -> None:
    for name in ("05-rank", "06-reward", "07-reward-control", "08-ppo"):
        (whole_run / name / "stage.json").unlink()
    record = whole_run / "04-sft/stage.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"state": "unfinished", "config": {"steps": 20}}))
    (whole_run / "04-sft/evaluation.json").unlink()
    tree = HTMLParser(render(whole_run))
    assert tree.css_first("h1").text() == "A language model"
    assert [node.text() for node in tree.css(".state")] == ["stopped after 10 of 20", *["not begun"] * 4]
    assert not tree.css("#before-and-after") and len(tree.css("svg.chart")) == 2
    assert "gptwright run" in tree.css_first("#next").text() and "chat" not in tree.css_first("#next").text()


def test_a_run_that_just_began_is_a_page_too(tmp_path: Path, stage_writer: Callable[..., Path]) -> None:
    stage_writer(tmp_path / "01-prepare", "prepare", complete=False)
    tree = HTMLParser(render(tmp_path))
    assert tree.css_first("h1").text() == "A run that has made no model yet"
    assert [section.attributes["id"] for section in tree.css("section")] == ["health", "story", "next"]
