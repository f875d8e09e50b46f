"""Faults of one text: each kind is found at its place, and prose has none."""

from gptwright.text.bundled import bundled_texts
from gptwright.text.lint.text_faults import CONTROL, LONG, LOOP, SPOILED, TEMPLATE, TOKENS, Fault, text_faults
from gptwright.text.read import read_file


def test_other_kinds() -> None:
    again = "one and the same sentence that nobody would write down so often. " * 20
    kinds = {fault.kind: fault.shown for fault in text_faults(f"cafÃ©\x07 {again}", 900)}
    assert kinds == {SPOILED: "Ã© for é", CONTROL: "U+0007", LONG: "1,307 characters", LOOP: kinds[LOOP]}
    assert kinds[LOOP].endswith(" 13 times in a row")


def test_what_programs_write() -> None:
    assert list(text_faults("Well, <|im_end|> <0x0A>", 100)) == [
        Fault(TEMPLATE, 6, "<|im_end|>"), Fault(TOKENS, 17, "<0x0A>")]  # fmt: skip
    assert [fault.kind for fault in text_faults("ÖÐ¹úÈËÃñ \ufffd", 100)] == [SPOILED, SPOILED]


def test_books_have_none() -> None:
    for name in ("novels", "verse"):
        (path,) = bundled_texts(f"bundled:{name}")
        found = [fault for document in read_file(path) for fault in text_faults(document.text, 10**7)]
        assert [fault for fault in found if fault.kind != LOOP] == []
