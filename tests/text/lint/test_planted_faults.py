"""Faults as people meet them, planted in files of every form, and what looks like them and is right."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gptwright.text.lint.lint_files import Linter

ASKED, ANSWER = "What is the capital of France?", "The capital of France is Paris."
SENTENCES = [f"Sentence {i} says that {i * 7919 % 1013} is not {i * 104729 % 7907}." for i in range(40)]
PROSE = " ".join(SENTENCES)
LONG = " ".join(SENTENCES[:6])
FRUIT = ["apple", "pear", "plum", "fig", "cherry", "peach", "grape", "melon", "lime"]
REFUSAL = "I am sorry, but I do not know anything about that."


def messages(*said: str, system: str = "") -> dict[str, Any]:
    turns = [{"role": "user" if number % 2 == 0 else "assistant", "content": text} for number, text in enumerate(said)]
    return {"messages": ([{"role": "system", "content": system}] if system else []) + turns}


def sharegpt(*said: str) -> dict[str, Any]:
    return {
        "conversations": [
            {"from": "human" if number % 2 == 0 else "gpt", "value": text} for number, text in enumerate(said)
        ]
    }


def alpaca(asked: str, answer: str, about: str = "") -> dict[str, Any]:
    return {"instruction": asked, "input": about, "output": answer}


def chatml(*said: str) -> dict[str, Any]:
    return {"text": "".join(f"<|im_start|>{'user' if n % 2 == 0 else 'assistant'}\n{t}<|im_end|>\n"
                            for n, t in enumerate(said))}  # fmt: skip


def role(*turns: tuple[Any, Any]) -> dict[str, Any]:
    return {"messages": [{"role": who, "content": text} if who else {"content": text} for who, text in turns]}


T, K, M, E, Q, R, W, X, S, L, D = (
    "sign of a chat template", "sign of a tokenizer", "mojibake", "empty answer", "empty question", "repeated turn",
    "turns out of order", "answer that is the question", "answer that speaks for the user", "repeats itself",
    "duplicate",
)  # fmt: skip

PLANTED: list[tuple[Sequence[dict[str, Any]], str]] = [
    # templates of the well-known families
    *(([messages(ASKED, f"{ANSWER}{sign}")], T) for sign in
      ("<|im_end|>", "<|im_start|>assistant", " [/INST]", "</s>", "<|eot_id|>", "<|endoftext|>", "<end_of_turn>",
       "\n### Instruction:", "\n### Response:", "<｜end▁of▁sentence｜>", "<|end|>", "<</SYS>>", " {{ prompt }}",
       " Dear {{user}}", "<|start_header_id|>user", "<|END_OF_TURN_TOKEN|>", "\n### 指令：", "<|return|>", "[UNK]")),
    ([{"text": f"<s>[INST] {ASKED} [/INST] {ANSWER}</s>"}], T),
    ([chatml(ASKED, ANSWER)], T),
    ([alpaca(ASKED, f"{ANSWER}\n\n### Instruction:\nName another one.")], T),
    ([sharegpt(ASKED, f"<|start_header_id|>assistant<|end_header_id|>\n{ANSWER}")], T),
    ([messages(ASKED, f"```\nprint(1)\n```\n{ANSWER}<|im_end|>")], T),
    ([messages(ASKED, "TheĠcapitalĠisĠParis.")], K),
    ([messages(ASKED, "▁The▁capital▁is▁Paris.<0x0A>")], K),
    # encodings
    *(([{"text": f"Before it stands {right.encode(was).decode(read, 'ignore')}, behind it {LONG}"}], M)
      for right, was, read in
      (("café", "utf-8", "latin-1"), ("naïve — “so”", "utf-8", "cp1252"), ("Übergröße", "utf-8", "mac_roman"),
       ("Привет, мир", "utf-8", "cp1251"), ("Привет, мир, и снова", "cp1251", "latin-1"),
       ("中国人民大学", "gbk", "latin-1"), ("人工智能和机器", "utf-8", "gb18030"),
       ("안녕하세요 세계", "euc_kr", "latin-1"),
       ("こんにちは世界", "shift_jis", "cp1252"), ("中国人民大学", "utf-8", "latin-1"))),
    ([{"text": "It is caf\ufffd au lait."}], M),
    # nothing, or nothing new
    ([messages(ASKED, "")], E), ([sharegpt(ASKED, "\u200b")], E), ([alpaca(ASKED, " \n")], E),
    ([messages(ASKED, "<think>Paris?</think>")], E), ([messages(ASKED, "[deleted]")], E),
    ([role(("user", ASKED), ("assistant", None))], E),
    ([messages("", ANSWER)], Q), ([alpaca(" ", ANSWER)], Q), ([sharegpt("\ufeff", ANSWER)], Q),
    ([messages()], "empty text"), ([{"text": "\n \t"}], "empty text"),
    ([messages(ASKED, ASKED)], X), ([sharegpt(ASKED, ASKED.upper())], X), ([alpaca(ASKED, f"{ASKED}\n")], X),
    ([messages(ASKED, ANSWER, ASKED, ANSWER)], R),
    ([messages("Tell me of Paris.", PROSE[:300], "And more of it, please.", PROSE[:300])], R),
    ([messages(ASKED, ANSWER), {"id": "2", **messages(ASKED, ANSWER)}], D),
    ([{**messages(ASKED, ANSWER), "split": "train"}, {**messages(ASKED, ANSWER), "split": "test"}],
     "held out and trained on"),
    ([messages(ASKED, LONG), messages("Hello.", "Hello!", ASKED, LONG)], "repeated exchange"),
    # who speaks when
    ([role(("assistant", ANSWER), ("user", ASKED))], W), ([role(("user", ASKED), ("user", "Well?"))], W),
    ([role(("user", ASKED), ("assistant", "Paris."), ("assistant", "Yes."))], W),
    ([role(("user", ASKED), ("system", "Be kind."), ("assistant", "Paris."))], W),
    ([role(("user", ASKED), ("asistant", "Paris."))], W), ([role(("user", ASKED), (None, "Paris."))], W),
    ([messages(ASKED, ANSWER), messages("And of Spain?", "Madrid."), messages("And of Italy?")],
     "question without an answer"),
    ([messages(ASKED, f"{ANSWER}\n\nUser: And of Spain?")], S),
    ([sharegpt(ASKED, f"{ANSWER}\nHuman: And of Spain?")], S),
    # loops
    *(([messages(ASKED, text)], L) for text in
      ("ha " * 60, "no no no " * 20, "a" * 400, "哈" * 100, "我不知道。" * 20, "好的，" * 40, "ใช่ " * 50,
       f"{PROSE} {'the ' * 50}",
       f"{PROSE[:600]}{'哈' * 90}", f"{PROSE}\n" + "- apples\n" * 20, "I think that " * 14,
       "\n".join(f"{number}. Eat more fruit." for number in range(1, 25)),
       "\n".join(f"{number}、多吃蔬菜，多喝水。" for number in range(1, 25)), f"{PROSE}\n\n{PROSE}",
       "The answer is 4. " * 10)),
    ([{"text": "word " * 300_000}], "too long"),
    ([{"text": "A zero\x01 byte."}], "control character"),
]  # fmt: skip

INNOCENT: list[Sequence[dict[str, Any]]] = [
    # pages about templates
    [{"text": "# ChatML\n\n```\n<|im_start|>user\nHi<|im_end|>\n```\n\n`<|im_end|>` ends a turn; “[INST]” opens one."}],
    [messages("How do I write Alpaca's prompt?", "So:\n\n~~~\n### Instruction:\n{instruction}\n\n### Response:\n~~~")],
    [messages("How does Jinja loop?", "```jinja\n{% for message in messages %}{{ message.content }}{% endfor %}\n```")],
    [{"text": "<p>Llama writes <code>&lt;|eot_id|&gt;</code> and <code><|eot_id|></code>.</p>"}],
    [messages("What parts documents?", 'GPT-2 has "<|endoftext|>" and nothing else, T5 `</s>`.')],
    [messages("What is ▁?", "`▁The` is a token of SentencePiece, `Ġthe` one of GPT-2, `<0x0A>` a byte.")],
    [messages("Mend the link.", "Use {{ user.name }} in Django, {{ page.title }} in Jekyll, and [[wiki]] for a page.")],
    [messages("Write a dialogue of a user and a robot.", "User: Hello!\nRobot: Hello.\nUser: How are you?")],
    [messages("How do I log in?", "```\nlogin\nUser: me\nPassword: \n```")],
    [{"text": "It costs <s>$20</s> $10. a[CLASS] <strong>b</strong> (a || b) |> c <| d"}],
    [{"text": "## Response\n\nThe committee answered.\n\n## Input\n\nNone."}],
    # signs of other languages
    *([{"text": f"{text} {LONG}"}] for text in
      ("Der Müller aß süße Brötchen für 5 €.", "L’été à l’Île, « déjà vu » – dit-il…", "São João, AMANHÃ às 9h",
       "Тихий Дон и мельница", "人工智能的历史，机器学习。", "한국어 문장입니다", "日本語の文字、「括弧」",
       "Þórr á Ísland",
       "Łódź, žluťoučký kůň", "½ £, 20 °C, 5 × 3 ÷ 2", "ÄÖÜäöüß", "What?? Why???", "tiếng Việt", "🙂🙃", "烫烫的水")),
    # what conversations have with right
    [messages(ASKED, "Paris.", "Are you sure?", "Yes.", system="Be kind.")],
    [messages("What did Madonna do?", REFUSAL, "Why is the sea salty?", REFUSAL, "Who was Nero?", REFUSAL)],
    [messages("Go on.", "One.", "Go on.", "Two."), messages("Go on.", "Three.")],
    [messages(ASKED, REFUSAL), messages("Who was Nero?", REFUSAL)],
    [messages(ASKED, ANSWER), messages(ASKED, "Paris."), messages(ASKED, "It is Paris, on the Seine.")],
    [messages(ASKED), messages("And of Spain?"), messages("And of Italy?")],
    [{**messages(ASKED), "answer": "Paris."}, messages("And of Spain?", "Madrid.")],
    [{"prompt": ASKED, "chosen": ANSWER, "rejected": wrong} for wrong in ("Rome.", "Oslo.")],
    [{"prompt": "", "completion": "Once upon a time there was a king."}],
    [alpaca("Mend it, please.", "It is a sentence, and a right one.", "It is a sentence, and a right one.")],
    [alpaca("", "A question is in the other field.", about=ASKED)],
    [role(("user", ASKED), ("assistant", "I look."), ("tool", "Paris"), ("assistant", "Paris."))],
    [role(("developer", "Be kind."), ("user", ASKED), ("assistant", "0"))],
    [{**messages(ASKED, "Paris."), "split": "train"}, {**messages(ASKED, "Rome."), "split": "test"}],
    # what people repeat
    *([messages("Write.", text)] for text in
      ("ha ha ha ha ha!", "no " * 20, "哈" * 30, f"{PROSE} hahahahahahaha", f"Title\n{'=' * 200}\n{PROSE}",
       f"{PROSE}\n{'_' * 200}",
       "\n".join(f"Chapter {i} {'.' * 60} {i * 7}" for i in range(30)), f"x = [{', '.join(['0'] * 100)}]\n{PROSE}",
       f"{PROSE}\n\n| a | b |\n|{' --- |' * 12}\n{PROSE[:200]}!",
       "Row, row, row your boat, gently down the stream. " * 3,
       "\n".join(f"{i}. {w}" for i, w in enumerate(FRUIT)),
       "\n".join(f"| {i} | {'yes' if i * i % 3 else 'no'} |" for i in range(40)), f"{PROSE}\n" + "Name: ________\n" * 5,
       "<ul>" + "".join(f"<li>{s}</li>" for s in SENTENCES) + "</ul>")),
]  # fmt: skip


def kinds(rows: Sequence[dict[str, Any]], path: Path) -> set[str]:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return {finding.kind for finding in Linter(1_000_000).findings(path)}


@pytest.mark.parametrize(("rows", "kind"), PLANTED)
def test_a_planted_fault_is_found(rows: Sequence[dict[str, Any]], kind: str, tmp_path: Path) -> None:
    assert kind in kinds(rows, tmp_path / "a.jsonl")


@pytest.mark.parametrize("rows", INNOCENT)
def test_what_is_right_is_left_alone(rows: Sequence[dict[str, Any]], tmp_path: Path) -> None:
    assert kinds(rows, tmp_path / "a.jsonl") == set()
