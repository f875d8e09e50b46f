"""A tokenizer's special tokens by their use, and those of every decoder's tokenizer that is learned here.

A special token is one that text never becomes: only the packer and the chat template insert its id.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gptwright.foundations.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class SpecialTokens:
    """Special tokens by their use, and the chat template."""

    bos: str | None
    """put before a text; None where nothing is"""
    eos: str
    """closes a document, ends a text"""
    pad: str
    """fills the rows of a batch"""
    stop: tuple[str, ...]
    """any of them ends a reply"""
    chat_template: str | None
    """in Jinja; None: the model cannot chat"""
    additional: tuple[str, ...] = ()
    """further ones, such as for fill-in-the-middle or images: their ids come after all others"""
    names: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)
    """as other tools know them, by bos_token, eos_token and so on; empty: as the fields above say"""

    @property
    def named(self) -> Mapping[str, str]:
        """The tokens that a chat template may ask for by name."""
        by_use = {"bos_token": self.bos, "eos_token": (*self.stop, self.eos)[0], "pad_token": self.pad}
        return self.names or {name: token for name, token in by_use.items() if token}

    @property
    def tokens(self) -> tuple[str, ...]:
        """All but the additional ones, each once, in the order in which a learned vocabulary numbers them."""
        return tuple(dict.fromkeys(token for token in (self.bos, self.eos, self.pad, *self.stop) if token))

    @property
    def continued(self) -> "SpecialTokens":
        """The same of a model that goes on with what it is asked, such as a function's head with its body."""
        ends = f"{{% if message['role'] == 'assistant' %}}{self.eos}{{% endif %}}"
        messages = f"{{% for message in messages %}}{{{{ message['content'] }}}}{ends}{{% endfor %}}"
        return replace(self, chat_template=f"{self.bos or ''}{messages}")


def check_additional(tokens: Sequence[str], known: Container[str] = ()) -> None:
    """Raises `ConfigError` for what cannot be a further special token: no name, a name given twice, a known token."""
    for place, token in enumerate(tokens):
        if not token or not token.isprintable() or " " in token:
            got = f"{token!r}"
        elif token in tokens[:place]:
            got = f"'{token}' twice"
        elif token in known:
            got = f"'{token}', which the vocabulary has already"
        else:
            continue
        raise ConfigError("new special tokens of printable characters without spaces, each once", got,
                          "Name them as no text would, such as <|image|>.")  # fmt: skip


END_OF_TEXT = "<|endoftext|>"
PAD = "<|pad|>"
END_OF_TURN = "<|end|>"
ROLES = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>"}
# What `chat.render` does, in Jinja for other tools; it goes into tokenizer_config.json.
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
CHAT_TOKENS = SpecialTokens(
    bos=END_OF_TEXT,
    eos=END_OF_TEXT,
    pad=PAD,
    stop=(END_OF_TURN, END_OF_TEXT, *ROLES.values()),  # a reply ends where another role would begin to speak
    chat_template=CHAT_TEMPLATE,
)
"""Of every decoder's tokenizer that is learned here, so that each family can be taught to chat."""
