from gptwright.text.accounting import Accounting
from gptwright.text.documents import Document


def test_what_came_in_is_what_was_kept_cut_and_dropped() -> None:
    accounting = Accounting()
    accounting.keep(Document("twelve chars", "a"), "train", {"layout": 2, "front matter": 1})
    accounting.keep(Document("汉字", "b"), "train", {})
    accounting.move(Document("汉字", "b"), "train", "heldout")
    accounting.drop("a", "duplicate", 7)
    accounting.drop("a", "conversation", 0)
    assert accounting.source("b").as_dict()["heldout"] == {"documents": 1, "characters": 2, "bytes": 6}
    total = accounting.total()
    assert total.documents_in == total.documents.total() + total.dropped.total() == 4
    cut_or_dropped = total.cut_characters.total() + total.dropped_characters.total()
    assert total.characters_in == total.characters.total() + cut_or_dropped == 24
    assert total.as_dict()["cut"] == {"characters": 3, "reasons": {"front matter": 1, "layout": 2}, "lines": {}}


def test_files_that_are_not_utf8_are_noted() -> None:
    accounting = Accounting()
    accounting.record_encoding(Document("a", "a", file="a.txt"))
    accounting.record_encoding(Document("b", "b", file="b.txt", encoding="euc-kr"))
    assert accounting.encodings == {"b.txt": "euc-kr"}
