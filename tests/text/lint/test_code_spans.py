"""What stands in code or in quotes of its own is shown, and all else is not."""

import pytest

from gptwright.text.lint.code_spans import CodeSpans


@pytest.mark.parametrize(
    "text",
    ["`X`", "a ``b ` X`` c", "```\nX\n```", "a\n\n~~~py\nX\n~~~\nb", "> ```\n> X\n> ```", "1. a\n   ```\n   X\n   ```",
     "<code>X</code>", '<pre class="a">\nX\n</pre>', '"X"', "“X”", "「X」", "````\n```\nX\n```\n````"],
)  # fmt: skip
def test_shown(text: str) -> None:
    place = text.index("X")
    assert CodeSpans(text).shows(place, place + 1)


@pytest.mark.parametrize(
    "text", ["X", "```\nX", "`a` X `b`", "```\na\n```\nX\n```\nb\n```", "`a\nX`", "<code>a</code>X", '"X', "'X\""]
)
def test_not_shown(text: str) -> None:
    place = text.index("X")
    assert not CodeSpans(text).shows(place, place + 1)
