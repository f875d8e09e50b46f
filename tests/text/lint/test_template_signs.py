"""What templates and tokenizers write is found wherever it leaks, and prose, markup and programs are left alone."""

import pytest

from gptwright.text.lint.template_signs import template_signs, token_signs

TEMPLATES = [
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<|begin_of_text|>", "<|start_header_id|>",
    "<|eot_id|>", "<|python_tag|>", "<|channel|>", "<|message|>", "<|return|>", "<|endofprompt|>", "<|user|>",
    "<|assistant|>", "<|/user|>", "<|user_start|>", "<|end_of_role|>", "<|START_OF_TURN_TOKEN|>", "<|CHATBOT_TOKEN|>",
    "<|reserved_special_token_7|>", "<|vision_start|>", "<|tool_call|>", "<|observation|>", "<| im_end |>",
    "< |im_start| >", "&lt;|im_end|&gt;", "<|im_end", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>",
    "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<｜User｜>", "<｜end▁of▁sentence｜>", "</s>",
    "[SYSTEM_PROMPT]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[gMASK]", "[CLS]", "[SEP]",
    "[PAD]", "[UNK]", "<unk>", "<pad>", "<bos>", "<eos>", "<extra_id_0>", "<fim_prefix>", "{{ bos_token",
    "{{ messages[", "{{ message.", "{% for message in messages", "{%- if add_generation_prompt", "GPT4 Correct User:",
]  # fmt: skip
AT_BEGIN = [
    "### Human:", "### Assistant:", "### Instruction:", "### Response:", "## User:", "###Response:",
    "### Instruction：",    "### 指令：", "### 回答:", "USER:", "ASSISTANT:", "<human>:", "<bot>:",
]  # fmt: skip
CONVERSATIONS = [
    ("Human: hi\nAssistant: ho", ["Human:"]),
    ("User: hi\nAI: ho\nUser: what?\nAI: so", ["User:", "User:"]),
    ("**Human:** hi\n**Assistant:** ho", ["**Human:**"]),
    ("用户：你好\n助手：你好！", ["用户："]),
    ("Be kind. USER: hi ASSISTANT: ho", ["USER:"]),
]
RIGHT = [
    "Human: a being.", "Human: a being. User: a person.", "Assistant: ho\nHuman: hi", "## Response\nText",
    "See ### Human: here", "a [INSTANCE] of <s> </strong>", "It costs <s>$20</s> $10.", "<s>old</s> new",
    "<s>one</s> and <s>two</s>", "a <- b |> c <| d", "f <| g |> h", "print <| foo |> bar", "a<|b|>c", "[inst]",
    "x[PADDING]", "<users>", "std::vector<pad_t>", "{{ user.name }}", "{% for m in items %}", "[Sep]", "[UNKNOWN]",
    "### Humans: an essay", "#### Input:", "The USER: a study", "用户：张三", "if (a<b||c>d)", "<|", "|>", "<||>",
    "the user: me\nthe assistant: you", "<start>", "C:\\USER: x", "<bot>", "eos: the dawn",
]  # fmt: skip


@pytest.mark.parametrize("sign", TEMPLATES)
def test_signs_of_templates_anywhere(sign: str) -> None:
    assert list(template_signs(f"Well, {sign} yes.")) == [(6, sign)]
    assert sign in dict(template_signs(f"春\n{sign}")).values()


@pytest.mark.parametrize("sign", AT_BEGIN)
def test_signs_of_templates_that_begin_a_line(sign: str) -> None:
    assert list(template_signs(f"One.\n{sign} hi")) == [(5, sign)]


@pytest.mark.parametrize(("text", "signs"), CONVERSATIONS)
def test_names_of_both_who_speak(text: str, signs: list[str]) -> None:
    assert [sign for _, sign in template_signs(text)] == signs


def test_sentences_between_bounds() -> None:
    assert [sign for _, sign in template_signs("<s>A sentence.")] == ["<s>"]
    assert [sign for _, sign in template_signs("<s>A sentence.</s>")] == ["</s>"]


@pytest.mark.parametrize("text", RIGHT)
def test_what_only_looks_like_them(text: str) -> None:
    assert list(template_signs(text)) == [] == list(token_signs(text))


def test_many_names_of_one_who_speaks_are_gone_through_once() -> None:
    assert list(template_signs("User: a line of a log.\n" * 50_000)) == []


@pytest.mark.parametrize(
    ("text", "sign"),
    [("one<0x0A>two", "<0x0A>"), ("▁The▁cat sat", "▁The▁cat"), ("theĠcat", "Ġ"), ("end.ĊĊNext", "ĊĊ"),
     ("itâĢĻs", "âĢĻ"), ("a ▁b", "▁b")],
)  # fmt: skip
def test_tokens(text: str, sign: str) -> None:
    assert [found for _, found in token_signs(text)] == [sign]


@pytest.mark.parametrize("text", ["▁▂▃▅▇ ▁", "Ġermanja u Ċipru", "IL-ĠERMANJA", "ĠUSTIZZJA", "<0x1>", "addr <0xff>"])
def test_letters_and_pictures_that_are_no_tokens(text: str) -> None:
    assert list(token_signs(text)) == []
