import re
from collections import Counter

from gptwright.reporting.explained_page import explained_page
from gptwright.text.accounting import Accounting
from gptwright.text.documents import Document
from gptwright.text.examples import Cluster, Examples


def test_every_reason_is_told_with_its_examples_and_texts_are_escaped() -> None:
    accounting, examples = Accounting(), Examples()
    kept = Document("x" * 1_000, "web")
    accounting.keep(kept, "train", Counter({"layout": 34}))
    examples.keep(kept)
    for reason, text, earlier in (("gopher: words below 50", "<script>alert(1)</script>", ""),
                                  ("near-duplicate", "one & two", "one & too")):  # fmt: skip
        accounting.drop("web", reason, len(text))
        examples.drop(Document(text, "web", "A <title>"), reason, earlier)
    page = explained_page("pages/<b>", accounting, examples)
    assert "1 of 3 documents stay, 33.3%" in page
    assert "gopher: words below 50: 1" in page and "one &amp; two" in page and "one &amp; too" in page
    assert "&lt;script&gt;alert(1)" in page and "<script" not in page and "pages/<b>" not in page
    assert "512 to 1,023" in page and "−&nbsp;34" in page


def test_a_corpus_of_which_all_stays_has_no_examples() -> None:
    page = explained_page("bundled", Accounting(), Examples())
    assert 'id="examples"' not in page and "0 of 0 documents stay" in page


def test_clusters_of_near_duplicates_and_lengths_without_gaps() -> None:
    accounting, examples = Accounting(), Examples()
    for length in (100, 1_000):
        examples.keep(Document("x" * length, "web"))
    examples.cluster_sizes = Counter({12: 1, 1: 2})
    examples.clusters = [Cluster("the <first>", 12), Cluster("another", 1), Cluster("a third", 1)]
    page = explained_page("pages", accounting, examples)
    assert "14 texts that are almost the same as 3 that stay" in page
    assert "12 near-duplicates of" in page and "the &lt;first&gt;" in page
    assert page.index("10 to 99") > page.index(">1</th>")
    for row in ("64 to 127", "128 to 255", "256 to 511", "512 to 1,023"):
        assert row in page
    assert 'width="100.0"' in page and 'width="0.0"' in page


def test_what_stays_by_language_or_by_script_where_it_is_not_known() -> None:
    examples = Examples()
    for length in (100, 100, 1_000):
        examples.keep(Document("x" * length, "web", language="en"))
    examples.keep(Document("春眠不觉晓，" * 10, "web"))
    page = explained_page("pages", Accounting(), examples)
    (section,) = re.findall('<section id="languages">(.*?)</section>', page, re.DOTALL)
    rows = [re.sub(r"<[^>]*>|\s+", " ", row).split() for row in re.findall("<tr>(.*?)</tr>", section, re.DOTALL)][1:]
    assert rows == [["en", "3", "1,200", "95.2%", "1,200", "128"], ["cjk", "1", "60", "4.8%", "180", "64"]]
    assert '<rect x="10" y="0.0" width="8" height="100.0"/><rect x="40" y="50.0"' in section
    assert "from 32 to 1,023 characters" in section
