"""Loops of words, letters and endings are found, and what people repeat is left alone."""

import pytest

from gptwright.text.lint.loops import loop_in

SENTENCE = "one and the same sentence that nobody would write down so often. "
PROSE = " ".join(f"Sentence {i} says that {i * 7919 % 1013} is not {i * 104729 % 7907}." for i in range(60))
CHORUS = "Row, row, row your boat, gently down the stream. Merrily, merrily, merrily, merrily, life is but a dream. "


@pytest.mark.parametrize(
    "text",
    [
        SENTENCE * 20, "no " * 100, "ha ha " * 60, "哈" * 300, "我不知道。" * 60, "a" * 400, "!" * 400, "abc" * 150,
        "ничего " * 60, "lalala" * 60, "ไม่รู้" * 60, "=" * 500 + " end", "The end.\n" * 50,
        "春眠不觉晓，处处闻啼鸟。" * 20, PROSE + SENTENCE * 18, PROSE + " the same thing" * 60, PROSE + PROSE,
        f"{PROSE}\n\n{PROSE}", f"{PROSE}\n{PROSE}\n{PROSE}", "<td></td>" * 60, "\\n\\n" * 100, "🙂" * 300,
        "one\ntwo\n" * 60,
        "0000 " * 80, "I'm sorry. " * 40, "はい、" * 100, "oh " * 70 + "no",
    ],
)  # fmt: skip
def test_loops(text: str) -> None:
    assert loop_in(text)


@pytest.mark.parametrize(
    "text",
    [
        PROSE, CHORUS, CHORUS + PROSE[:300] + CHORUS, "no " * 20, "a" * 100, PROSE + CHORUS * 2,
        "\n".join(f"{i} | {i * i} | {i * 37 % 101}" for i in range(60)), "x " * 60,
        "".join(f"{i:x}" for i in range(500)),
        "\n".join(f"def f{i}(x):\n    return x + {i * 31 % 97}" for i in range(40)), "=" * 80 + "\n" + PROSE,
        "https://example.org/" + "".join(chr(97 + i * i % 26) + str(i * 7 % 13) for i in range(150)),
    ],
)  # fmt: skip
def test_what_people_write(text: str) -> None:
    assert loop_in(text) is None
