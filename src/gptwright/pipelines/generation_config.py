"""generation_config.json: how the makers of a model want its texts drawn, into our settings and back.

Every field is followed, or asks for nothing, or is refused by name (`models.generation_fields`). What was read is kept
in the words of `transformers` and written again as it was: nothing is added that nobody said.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from gptwright.foundations.atomic_io import read_json
from gptwright.foundations.errors import ArtifactError
from gptwright.inference.sampling import Sampling
from gptwright.models.generation_fields import FOLLOWED, asked, check_generation

FILE = "generation_config.json"
BANNED = -100.0
_RENAMED = {"max_new_tokens": "max_tokens"} | {
    name: name for name in ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
}


@dataclass(frozen=True)
class GenerationConfig:
    """Our settings, and what was said of them: `fields`, in the words of generation_config.json."""

    sampling: Sampling
    fields: Mapping[str, Any]

    @classmethod
    def of(cls, sampling: Sampling) -> "GenerationConfig":
        """Settings of our own."""
        return cls(sampling, to_fields(sampling))


UNSAID = GenerationConfig(Sampling(), {})


def read_generation_config(folder: Path, context: int) -> GenerationConfig:
    """What a model folder says. Raises `ArtifactError` for a field that cannot be followed, `InputError` for a value
    that makes no sense."""
    path = folder / FILE
    fields = _table(path) if path.is_file() else asked(_table(folder / "config.json"))
    return parse_generation_config(fields, path, context)


def parse_generation_config(fields: Mapping[str, object], path: Path, context: int = 0) -> GenerationConfig:
    """The same of a table; `path` names its source in messages."""
    longest = fields.get("max_length")
    if "max_new_tokens" in fields or (isinstance(longest, int) and longest >= context):
        longest = None
    check_generation({**fields, "max_length": longest}, FOLLOWED, path)
    _check_types(fields, path)
    settings = {ours: fields[theirs] for theirs, ours in _RENAMED.items() if fields.get(theirs) is not None}
    if fields.get("do_sample") is True:
        settings = {"temperature": 1.0} | settings
    elif fields.get("do_sample") is False:
        settings["temperature"] = 0.0
    return GenerationConfig(Sampling(**settings, **_stops_and_bans(fields)), fields)


def to_fields(sampling: Sampling) -> dict[str, object]:
    """Our settings in the words of `transformers`; a top_k of 0 must be written, or it takes 50."""
    settings: dict[str, Any] = {"do_sample": sampling.temperature > 0, "max_new_tokens": sampling.max_tokens,
                                "repetition_penalty": sampling.repetition_penalty}  # fmt: skip
    drawn = {name: getattr(sampling, name) for name in ("temperature", "top_k", "top_p", "min_p")}
    return settings | (drawn if sampling.temperature > 0 else {})


def _check_types(fields: Mapping[str, Any], path: Path) -> None:
    """Raises `ArtifactError` for a value of another kind than its field has."""
    for name in FOLLOWED & fields.keys():
        value = fields[name]
        if name in ("stop_strings", "suppress_tokens", "bad_words_ids"):
            listed: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [value]
            kinds = {"stop_strings": str, "suppress_tokens": int, "bad_words_ids": list}
            fits = all(isinstance(one, kinds[name]) for one in listed)
        else:
            fits = isinstance(value, (int, float)) and isinstance(value, bool) == (name == "do_sample")
        if value is not None and not fits:
            raise ArtifactError(f"a sound '{name}' in {path}", repr(value)[:60], "Restore the file from its source.")
    if any(len(word) != 1 for word in fields.get("bad_words_ids") or ()):
        raise ArtifactError(f"'bad_words_ids' of one token each in {path}", repr(fields["bad_words_ids"])[:60],
                            "Take the field away to go without it.")  # fmt: skip


def _stops_and_bans(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Texts that end a reply, and tokens that never stand in one."""
    stop = fields.get("stop_strings") or ()
    bad = fields.get("bad_words_ids") or ()
    banned = [*(fields.get("suppress_tokens") or ()), *(word[0] for word in bad)]
    return {"stop": (stop,) if isinstance(stop, str) else tuple(stop), "logit_bias": dict.fromkeys(banned, BANNED)}


def _table(path: Path) -> dict[str, Any]:
    found = read_json(path)
    if not isinstance(found, dict):
        raise ArtifactError(f"a JSON object in {path}", repr(found)[:60], "Restore it from its source.")
    return cast("dict[str, Any]", found)
