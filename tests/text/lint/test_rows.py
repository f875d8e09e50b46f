"""Faults of lines: texts, conversations under any name, prompts with answers, and rankings."""

from typing import Any

import pytest

from gptwright.text.lint.answers import SAME
from gptwright.text.lint.rows import EMPTY, row_faults, whole_conversations
from gptwright.text.lint.turns import ECHO, EMPTY_ANSWER, FOR_USER, REPEATED, ROLES

ASKED = "What is the capital of France?"


def turns(*said: tuple[str, str]) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for role, text in said]


ANSWER, NOTHING, QUESTION = turns(("assistant", "Paris.")), turns(("assistant", " ")), turns(("user", ASKED))
REPEATS = turns(("user", ASKED), ("assistant", "Paris."), ("user", ASKED), ("assistant", "Paris."))


@pytest.mark.parametrize(
    ("row", "kinds"),
    [
        ({"messages": QUESTION + ANSWER}, []),
        ({"messages": REPEATS}, [REPEATED]),
        ({"conversation": REPEATS}, [REPEATED]),
        ({"dialogue": QUESTION + NOTHING}, [EMPTY_ANSWER]),
        ({"conversations": [{"from": "human", "value": ASKED}, {"from": "gpt", "value": ""}]}, [EMPTY_ANSWER]),
        ({"conversations": [{"from": "human", "value": ASKED}, {"from": "gpt", "value": "Paris."}]}, []),
        ({"messages": []}, [EMPTY]),
        ({"prompt": QUESTION}, []),
        ({"prompt": QUESTION, "chosen": ANSWER, "rejected": turns(("assistant", "Rome."))}, []),
        ({"prompt": QUESTION, "chosen": ANSWER, "rejected": NOTHING}, [EMPTY_ANSWER]),
        ({"prompt": QUESTION, "completion": turns(("assistant", ASKED))}, [ECHO]),
        ({"prompt": ASKED, "completion": turns(("assistant", f"{ASKED} "))}, [ECHO]),
        ({"prompt": REPEATS[:3], "chosen": ANSWER, "rejected": turns(("assistant", "Rome."))}, [REPEATED]),
        ({"chosen": QUESTION + ANSWER, "rejected": QUESTION + NOTHING}, [EMPTY_ANSWER]),
        ({"completion": ANSWER}, [ROLES]),
        ({"prompt": ASKED, "answers": [ANSWER, NOTHING]}, [EMPTY_ANSWER]),
        ({"prompt": ASKED, "answers": ["Paris.", ""]}, [EMPTY_ANSWER]),
        ({"prompt": ASKED, "answers": ["Paris.", None]}, [EMPTY_ANSWER]),
        ({"prompt": ASKED, "answers": []}, [EMPTY_ANSWER]),
        ({"prompt": ASKED, "answers": ["Paris.", ASKED]}, [ECHO]),
        ({"prompt": ASKED, "answers": ["Paris.", "Paris."], "ranks": [1, 1]}, []),
        ({"prompt": ASKED, "answers": ["Paris.", "Rome.", "Paris. "], "ranks": [1, 2, 3]}, [SAME]),
        ({"prompt": ASKED, "chosen": "Paris.", "rejected": " "}, [EMPTY_ANSWER]),
        ({"prompt": ASKED, "chosen": "Paris.", "rejected": None}, [EMPTY_ANSWER]),
        ({"prompt": ASKED, "chosen": "Paris.", "rejected": "Paris.\n"}, [SAME]),
        ({"chosen": QUESTION + ANSWER, "rejected": QUESTION + ANSWER}, [SAME]),
        ({"prompt": ASKED, "chosen": "Paris.", "rejected": "Rome."}, []),
        ({"prompt": ASKED, "completion": ""}, [EMPTY_ANSWER]),
        ({"prompt": ASKED, "completion": None}, [EMPTY_ANSWER]),
        ({"prompt": ASKED, "completion": "Paris.", "response": None}, []),
        ({"prompt": ASKED, "completion": "what is the capital of france"}, [ECHO]),
        ({"prompt": ASKED, "completion": "Paris.\nUser: And of Spain?"}, [FOR_USER]),
        ({"instruction": ASKED, "output": "\u200b"}, [EMPTY_ANSWER]),
        ({"instruction": "Mend it, please, it is bad.", "input": ASKED, "output": ASKED}, []),
        ({"instruction": ASKED, "input": "", "output": ASKED}, [ECHO]),
        ({"question": ASKED, "answer": ASKED}, [ECHO]),
        ({"question": ASKED, "answer": 3}, []),
        ({"messages": QUESTION + ANSWER, "answer": None}, []),
        ({"question": "Who?", "answers": {"text": [], "answer_start": []}}, []),
        ({"text": " "}, [EMPTY]),
        ({"text": None}, [EMPTY]),
        ({"text": "\ufeff\u200b"}, [EMPTY]),
        ({"text": 0}, []),
        ({"text": "A text."}, []),
        ({"label": 1}, []),
    ],
)  # fmt: skip
def test_kinds(row: dict[str, Any], kinds: list[str]) -> None:
    assert [kind for kind, _ in row_faults(row, whole_conversations(row))] == kinds
