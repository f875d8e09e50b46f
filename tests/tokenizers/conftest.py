"""One tokenizer of each kind, what they are learned from, and chat templates of well-known models."""

import pytest

from gptwright.tokenizers.registry import TRAINERS
from gptwright.tokenizers.tokenizer import Tokenizer

TEXT = (
    "The cat sat on the mat, and the cats don't sit on mats; 12 dogs ran 345 miles to the sea!\n"
    "Éva naïvely thought: “Çà et là — l'été, the café's déjà vu.” (She's said: 'Who knows?') \n"
    "猫がいる。 Das Wetter wäre schön, die Straße aber naß. Привет, мир.\n"
    "1 + 1 = 2; {a: [b, c]} <d> #e_f \\ `g` ~ ^ | @ $ % &\n"
) * 4
VOCAB = {"byte-level": 400, "byte-fallback": 400, "gpt1": 260, "wordpiece": 260}


@pytest.fixture(scope="session")
def text() -> str:
    return TEXT


@pytest.fixture(scope="session")
def learned() -> dict[str, Tokenizer]:
    """A tokenizer by the name of its kind."""
    return {kind: train([TEXT], VOCAB[kind]) for kind, train in TRAINERS.items()}


@pytest.fixture(params=list(TRAINERS))
def any_kind(request: pytest.FixtureRequest, learned: dict[str, Tokenizer]) -> Tokenizer:
    """Each kind in turn."""
    return learned[request.param]


# As these models' folders have them, but for default system messages.
TEMPLATES = {
    "chatml": (
        "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
        "{{ '<|im_start|>system\nYou are a helpful AI assistant<|im_end|>\n' }}{% endif %}"
        "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    ),
    "llama2": (
        "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
        "{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}"
        "{% set system_message = false %}{% endif %}{% for message in loop_messages %}"
        "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
        "{% if loop.index0 == 0 and system_message != false %}"
        "{% set content = '<<SYS>>\n' + system_message + '\n<</SYS>>\n\n' + message['content'] %}"
        "{% else %}{% set content = message['content'] %}{% endif %}"
        "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
        "{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
    ),
    "zephyr": """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|im_start|>user\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|im_start|>system\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|im_start|>assistant\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|im_start|>assistant' }}
{% endif %}
{% endfor %}""",
    "gemma": (
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
        "{% endif %}{% for message in messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}"
        "{% else %}{% set role = message['role'] %}{% endif %}"
        "{{ '<|im_start|>' + role + '\n' + message['content'] | trim + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{'<|im_start|>model\n'}}{% endif %}"
    ),
}


@pytest.fixture(scope="session")
def templates() -> dict[str, str]:
    return TEMPLATES
