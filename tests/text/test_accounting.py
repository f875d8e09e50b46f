from gptwright.text.accounting import Ledger
from gptwright.text.documents import Document


def test_what_came_in_is_what_was_kept_cut_and_dropped() -> None:
    ledger = Ledger()
    ledger.keep(Document("twelve chars", "a"), "train", {"layout": 2, "front matter": 1})
    ledger.keep(Document("汉字", "b"), "train", {})
    ledger.move(Document("汉字", "b"), "train", "heldout")
    ledger.drop("a", "duplicate", 7)
    ledger.skip("a", "conversation")
    assert ledger.of("b").record()["heldout"] == {"documents": 1, "characters": 2, "bytes": 6}
    total = ledger.total()
    assert total.documents_in == total.documents.total() + total.dropped.total() == 4
    cut_or_dropped = total.cut_characters.total() + total.dropped_characters.total()
    assert total.characters_in == total.characters.total() + cut_or_dropped == 24
    assert total.record()["cut"] == {"characters": 3, "reasons": {"front matter": 1, "layout": 2}, "lines": {}}


def test_files_that_are_not_utf8_are_noted() -> None:
    ledger = Ledger()
    ledger.read_as(Document("a", "a", file="a.txt"))
    ledger.read_as(Document("b", "b", file="b.txt", encoding="euc-kr"))
    assert ledger.encodings == {"b.txt": "euc-kr"}
