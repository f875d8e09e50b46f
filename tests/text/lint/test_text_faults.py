"""Faults of one text: each kind is found at its place, and prose has none."""

import pytest

from gptwright.text.bundled import bundled_texts
from gptwright.text.lint.text_faults import CONTROL, LONG, LOOP, SPOILED, TEMPLATE, Fault, text_faults
from gptwright.text.read import read_file


@pytest.mark.parametrize(
    "sign",
    ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "[INST]", "[/INST]", "<<SYS>>", "<|eot_id|>", "<start_of_turn>",
     "<｜User｜>", "</s>", "<|assistant|>"],
)  # fmt: skip
def test_signs_of_templates_anywhere(sign: str) -> None:
    assert list(text_faults(f"Well, {sign} yes.", 100)) == [Fault(TEMPLATE, 6, sign)]


def test_signs_of_templates_that_begin_a_line() -> None:
    found = [(fault.place, fault.shown) for fault in text_faults("### Human: hi\n### Assistant: ho", 100)]
    assert found == [(0, "### Human:"), (14, "### Assistant:")]
    assert [fault.shown for fault in text_faults("Human: hi\nAssistant: ho", 100)] == ["Human:"]
    for honest in ("Human: a being.", "## Response\nText", "See ### Human: here", "a [INSTANCE] of <s> </strong>"):
        assert list(text_faults(honest, 100)) == []


def test_other_kinds() -> None:
    again = "one and the same sentence that nobody would write down so often. " * 20
    kinds = {fault.kind: fault.shown for fault in text_faults(f"cafÃ©\x07 {again}", 900)}
    assert kinds == {SPOILED: "Ã© for é", CONTROL: "U+0007", LONG: "1,307 characters", LOOP: kinds[LOOP]}
    assert kinds[LOOP].endswith("% of it was there before")


def test_books_have_none() -> None:
    for name in ("novels", "verse"):
        (path,) = bundled_texts(f"bundled:{name}")
        found = [fault for document in read_file(path) for fault in text_faults(document.text, 10**7)]
        assert [fault for fault in found if fault.kind != LOOP] == []
