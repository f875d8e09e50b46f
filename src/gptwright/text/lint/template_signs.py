"""Signs of chat templates and of tokenizers in a text: what programs write around and between what people say."""

import re
from collections.abc import Iterator

from gptwright.text.lint.code_spans import CodeSpans

_NAMES = "im_start|im_end|im_sep|endoftext|eot_id|start_header_id|end_header_id|system|user|assistant"
_FILLED = r"(?i:\.?prompt|instruction|completion|system_?prompt|user_?(?:input|message|prompt)|\.(?:system|response))"
"""what a template of programs or of a role play has for what was to be filled in"""
_INSIDE = re.compile(
    r"<(?:\|/?[A-Za-z][\w.-]{1,40}\|>"
    rf"| ?\| ?(?:{_NAMES}) ?\| ?>|\|im_(?:start|end|sep)(?![\w|])|｜[A-Za-z▁_]+｜>|</?SYS>>|/?s>"
    r"|/?(?:start|end)_of_(?:turn|image)>|(?:unk|pad|bos|eos|extra_id_\d+|fim_(?:prefix|suffix|middle))>)"
    r"|\[(?:/?INST|/?(?:SYSTEM_PROMPT|TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS|TOOL_CONTENT)|gMASK|CLS|SEP|PAD|UNK)\]"
    r"|\{(?:\{-? *(?:bos_token|eos_token|messages?[\[.])|%-? *(?:for message in messages|if add_generation_prompt)"
    rf"|\{{(?: *(?:{_FILLED}) *|char|user)\}}\}})"
    r"|&lt;\|[A-Za-z]\w{1,40}\|&gt;|GPT4 Correct (?:User|Assistant):"
)
"""every branch begins with a letter of its own, so that most of a text is passed over"""
_BOUNDS = ("<s>", "</s>")
_AT_BEGIN = re.compile(
    r"^(?:[ \t]*#{2,3} ?(?:Human|Assistant|User|System|Instruction|Response|Input)\b ?[:：]"
    r"|[ \t]*### ?(?:指令|回答|回复|用户|助手|系统)[:：]"
    r"|(?:HUMAN|USER|ASSISTANT|GPT): |<(?:human|bot)>:)",
    re.MULTILINE,
)
_PAIRS = tuple(
    (names, re.compile(asked, re.MULTILINE), re.compile(answered, re.MULTILINE))
    for names, asked, answered in (
        (("Human:", "User:"), r"^\**(?:Human|User):\** ", r"^\**(?:Assistant|AI|Bot|ChatGPT):\** "),
        (("用户", "人类"), r"^(?:用户|人类)[:：]", r"^(?:助手|助理|机器人|AI)[:：]"),
        (("HUMAN: ", "USER: "), r"\b(?<!^)(?:HUMAN|USER): ", r"\b(?:ASSISTANT|GPT):"),
    )
)
"""names that prose may begin a line with, but not both of them, in this order; what to look for first"""
_TOKENS = re.compile(r"<0x[0-9A-F]{2}>|(?:▁\w+)+|[ĠĊ]+(?=[A-Za-z])|âĢ[\u0100-\u017f¦]")
_BEGIN_TOKENS = ("<0x", "▁", "Ġ", "Ċ", "âĢ")
"""a byte, a blank of SentencePiece, a blank or line end of GPT-2's letters for bytes, a quote in them"""


def template_signs(text: str) -> Iterator[tuple[int, str]]:
    """Where signs of templates are, and which, in order of kind. What is shown as code or quoted is none."""
    code = CodeSpans(text)
    for match in _matches(text):
        if not code.shows(*match.span()):
            yield match.start(), match[0].strip()


def _matches(text: str) -> Iterator[re.Match[str]]:
    yield from (match for match in _INSIDE.finditer(text) if match[0] not in _BOUNDS or _is_bound(text, match))
    yield from _AT_BEGIN.finditer(text)
    for names, asked, answered in _PAIRS:
        if not any(name in text for name in names) or (first := asked.search(text)) is None:
            continue
        last = max((match.start() for match in answered.finditer(text, first.end())), default=0)
        yield from (match for match in asked.finditer(text) if match.start() < last)


def token_signs(text: str) -> Iterator[tuple[int, str]]:
    """Where tokens stand as a vocabulary writes them, and which."""
    if not any(sign in text for sign in _BEGIN_TOKENS):
        return
    code = CodeSpans(text)
    for match in _TOKENS.finditer(text):
        if code.shows(*match.span()):
            continue
        before = text[max(match.start() - 1, 0) : match.start()]
        if match[0][0] not in "ĠĊ" or before in tuple("abcdefghijklmnopqrstuvwxyz.,;:!?"):
            yield match.start(), match[0]


def _is_bound(text: str, match: re.Match[str]) -> bool:
    """Whether <s> or </s> is where a sentence ends for a model, and not around a word that was struck out."""
    begin, end = text.rfind("\n", 0, match.start()) + 1, text.find("\n", match.end())
    before, behind = text[begin : match.start()], text[match.end() : end if end >= 0 else len(text)]
    if match[0] == "<s>":
        return not text[: match.start()].strip() and bool(behind.strip()) and "</s>" not in behind
    opened = before.rfind("<s>")
    return opened <= before.rfind("</s>") or (not before[:opened].strip() and not behind.strip())
