from gptwright.text.accounting import Accounting
from gptwright.text.cuts import Cuts
from gptwright.text.documents import Document


def test_what_came_in_is_what_was_kept_cut_and_dropped() -> None:
    accounting, cuts = Accounting(), Cuts.by_reader({"front matter": 1})
    assert cuts.count("layout", "é ", "") == ""
    accounting.keep(Document("twelve chars", "a"), "train", cuts)
    accounting.keep(Document("汉字", "b"), "train", Cuts())
    accounting.move(Document("汉字", "b"), "train", "heldout")
    accounting.drop("a", "duplicate", 7, 9)
    accounting.drop("a", "conversation", 0, 0)
    assert accounting.source("b").as_dict()["heldout"] == {"documents": 1, "characters": 2, "bytes": 6}
    total = accounting.total()
    assert total.documents_in == total.documents.total() + total.dropped.total() == 4
    cut_or_dropped = total.cut_characters.total() + total.dropped_characters.total()
    assert total.characters_in == total.characters.total() + cut_or_dropped == 24
    assert total.bytes_in == total.bytes.total() + total.cut_bytes.total() + total.dropped_bytes.total() == 30
    assert total.as_dict()["cut"] == {"characters": 3, "bytes": 3, "lines": {},
                                      "reasons": {"front matter": 1, "layout": 2}}  # fmt: skip


def test_files_that_are_not_utf8_are_noted() -> None:
    accounting = Accounting()
    accounting.record_encoding(Document("a", "a", file="a.txt"))
    accounting.record_encoding(Document("b", "b", file="b.txt", encoding="euc-kr"))
    assert accounting.encodings == {"b.txt": "euc-kr"}
