from collections import Counter

from gptwright.reporting.explained_page import explained_page
from gptwright.text.accounting import Accounting
from gptwright.text.documents import Document
from gptwright.text.examples import Examples


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
    assert "512 to 1,023" in page and "− 34" in page


def test_a_corpus_of_which_all_stays_has_no_examples() -> None:
    page = explained_page("bundled", Accounting(), Examples())
    assert 'id="examples"' not in page and "0 of 0 documents stay" in page
