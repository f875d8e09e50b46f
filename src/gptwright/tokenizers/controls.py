"""The control tokens of a tokenizer and its chat template: what a model folder says beside the vocabulary."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Controls:
    """`begin` stands before every text, if anything does; `end` closes a text or a turn; `pad` fills up; at one of
    `stops` a reply is over. `template` is the chat template in Jinja."""

    begin: str | None
    end: str
    pad: str
    stops: tuple[str, ...]
    template: str | None
