from gptwright.text.documents import Document
from gptwright.text.ledger import Ledger


def test_what_came_in_is_what_was_kept_cut_and_dropped() -> None:
    ledger = Ledger()
    ledger.keep(Document("twelve chars", "a"), "train", 15)
    ledger.keep(Document("汉字", "b"), "train", 2)
    ledger.move(Document("汉字", "b"), "train", "heldout")
    ledger.drop("a", "duplicate", 7)
    ledger.skip("a", "conversation")
    assert ledger.of("b").record()["heldout"] == {"documents": 1, "characters": 2, "bytes": 6}
    total = ledger.total()
    assert total.documents_in == total.documents.total() + total.dropped.total() == 4
    cut_or_dropped = total.cut_characters + total.dropped_characters.total()
    assert total.characters_in == total.characters.total() + cut_or_dropped == 24
