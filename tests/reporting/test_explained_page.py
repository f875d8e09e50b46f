import re
from collections import Counter
from pathlib import Path

from gptwright.reporting import explained_page as explained_page_module
from gptwright.reporting import explained_words
from gptwright.reporting.explained_page import Step, explained_page, steps
from gptwright.reporting.explained_words import CHINESE, ENGLISH, REASONS
from gptwright.text.accounting import Accounting
from gptwright.text.cuts import Cuts
from gptwright.text.documents import Document
from gptwright.text.examples import Cluster, Examples


def spoken(language: str, page: str) -> str:
    """The page as it is shown in a language."""
    other = "zh-Hans" if language == "en" else "en"
    return re.sub(rf'<span lang="{other}">.*?</span>', "", page, flags=re.DOTALL)


def test_every_reason_is_told_with_its_examples_and_texts_are_escaped() -> None:
    accounting, examples = Accounting(), Examples()
    kept, cuts = Document("x" * 1_000, "web"), Cuts()
    cuts.count("layout", "y" * 1_034, "x" * 1_000)
    accounting.keep(kept, "train", cuts)
    examples.keep(kept)
    for reason, text, earlier in (("gopher: words below 50", "<script>alert(1)</script>", ""),
                                  ("near-duplicate", "one & two", "one & too")):  # fmt: skip
        accounting.drop("web", reason, len(text), 2 * len(text))
        examples.drop(Document(text, "web", "A <title>"), reason, earlier)
    page = explained_page("pages/<b>", accounting, examples)
    assert "1 of 3 documents stay, 33.3%" in page and "3 篇文档留下 1 篇，33.3%" in page
    assert (
        "gopher: words below 50: 1" in page
        and "近似重复（near-duplicate）" in page
        and "one &amp; two" in page
        and "one &amp; too" in page
    )
    assert "&lt;script&gt;alert(1)" in page and page.count("<script") == 1 and "pages/<b>" not in page
    assert "512 to 1,023" in page and "512 到 1,023" in page


def test_a_corpus_of_which_all_stays_has_no_examples() -> None:
    page = explained_page("bundled", Accounting(), Examples())
    assert 'id="examples"' not in page and "0 of 0 documents stay" in page and page.count("<tr>") == 6


def test_clusters_of_near_duplicates_and_lengths_without_gaps() -> None:
    accounting, examples = Accounting(), Examples()
    for length in (100, 1_000):
        examples.keep(Document("x" * length, "web"))
    examples.cluster_sizes = Counter({12: 1, 1: 2})
    examples.clusters = [Cluster("the <first>", 12), Cluster("another", 1), Cluster("a third", 1)]
    page = explained_page("pages", accounting, examples)
    assert "14 texts that are almost the same as 3 that stay" in page
    assert "12 near-duplicates of" in page and "the &lt;first&gt;" in page
    assert page.index("10 to 99") > page.index('<th scope="row">1</th>')
    for row in ("64 to 127", "128 to 255", "256 to 511", "512 to 1,023"):
        assert row in page
    assert 'width="100.0"' in page and 'width="0.0"' in page


def test_what_stays_by_language_or_by_script_where_it_is_not_known() -> None:
    examples = Examples()
    for length in (100, 100, 1_000):
        examples.keep(Document("x" * length, "web", language="en"))
    examples.keep(Document("春眠不觉晓，" * 10, "web"))
    page = spoken("en", explained_page("pages", Accounting(), examples))
    (section,) = re.findall('<section id="languages">(.*?)</section>', page, re.DOTALL)
    rows = [re.sub(r"<[^>]*>|\s+", " ", row).split() for row in re.findall("<tr>(.*?)</tr>", section, re.DOTALL)][1:]
    assert rows == [["en", "3", "1,200", "95.2%", "1,200", "128"], ["cjk", "1", "60", "4.8%", "180", "64"]]
    assert '<rect x="10" y="0.0" width="8" height="100.0"/><rect x="40" y="50.0"' in section
    assert "from 32 to 1,023 characters" in section


def test_both_languages_have_the_same_keys_and_fill_in_the_same() -> None:
    def filled(text: str) -> list[str]:
        return sorted(re.findall(r"\{\w+\}", text))

    assert ENGLISH.keys() == CHINESE.keys()
    assert {key: filled(text) for key, text in ENGLISH.items()} == {key: filled(text) for key, text in CHINESE.items()}
    template = (Path(explained_words.__file__).parent / "explained.html.j2").read_text(encoding="utf-8")
    page = template + Path(explained_page_module.__file__).read_text(encoding="utf-8")
    assert [key for key in ENGLISH if f'"{key}"' not in page and f".{key}" not in page] == []


def test_nothing_is_english_in_the_chinese_page_but_names() -> None:
    accounting, examples = Accounting(), Examples(count_tokens=lambda text: len(text) // 4)
    examples.keep(Document("x" * 1_000, "web"))
    accounting.drop("web", "duplicate", 5, 5)
    examples.drop(Document("123", "web", "456"), "duplicate")
    page = spoken("zh-Hans", explained_page("pages", accounting, examples, tokenizer="02-tokenize"))
    text = re.sub(r"&nbsp;|<head>.*?</head>|<script>.*?</script>|<[^>]*>", " ", page, flags=re.DOTALL)
    known = {"prepare", "gptwright", "pages", "web", "duplicate", "latin", "dropped", "jsonl", "token", "UTF",
             "English", "tokenize"}  # fmt: skip
    assert set(re.findall(r"[A-Za-z]{3,}", text)) <= known
    assert "4.00" in text and re.search(r"1,000\s+250", text)


def test_steps_go_on_from_one_another_in_documents_and_bytes() -> None:
    accounting, cuts = Accounting(), Cuts()
    text = cuts.count("layout", "你好  ", "你好")
    accounting.keep(Document(text, "web"), "train", cuts)
    for reason, size in (("duplicate", 30), ("gopher: words below 50", 20), ("near-duplicate", 7), ("language: fr", 9)):
        accounting.drop("web", reason, size, size)
    total = accounting.total()
    assert total.bytes_in == 74
    assert [(step.reason, step.documents_in, step.documents_out, step.bytes_in, step.bytes_out)
            for step in steps(total)] == [
        ("language: fr", 5, 4, 74, 65), ("gopher: words below 50", 4, 3, 65, 45), ("duplicate", 3, 2, 45, 15),
        ("near-duplicate", 2, 1, 15, 8), ("layout", 1, 1, 8, 6)]  # fmt: skip
    last = list(steps(total))[-1]
    assert isinstance(last, Step) and last.share is None and last.bytes_out == total.bytes.total()
    assert {"duplicate", "near-duplicate", "layout"} <= REASONS.keys()
