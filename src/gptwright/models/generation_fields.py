"""The fields of generation_config.json: which are followed, and at which values the others change no reply.

Everything else is refused by name: a text drawn otherwise than its makers wrote down is another model's text.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gptwright.foundations.errors import ArtifactError

# Followed by `generation.defaults` for decoders; a translator follows its own (`generation.translator`).
FOLLOWED = frozenset(
    """
    do_sample max_new_tokens temperature top_k top_p min_p repetition_penalty stop_strings suppress_tokens
    bad_words_ids
    """.split()  # noqa: SIM905 (a table to read)
)
SEARCHED = frozenset({"num_beams", "length_penalty", "max_length", "bad_words_ids", "forced_eos_token_id", "do_sample",
                      "early_stopping", "max_new_tokens", "temperature", "top_k", "top_p", "min_p"})  # fmt: skip
# Speed, records and what is returned: no token depends on them.
IGNORED = frozenset(
    """
    transformers_version _from_model_config _commit_hash _original_object_hash use_cache use_mtp
    cache_implementation cache_config max_cache_len low_memory output_attentions output_hidden_states output_scores
    output_logits return_dict_in_generate remove_invalid_values renormalize_logits is_assistant num_assistant_tokens
    num_assistant_tokens_schedule assistant_confidence_threshold assistant_early_exit assistant_lookbehind
    target_lookbehind assistant_ensemble_weight speculation_type prompt_lookup_num_tokens max_matching_ngram_size
    compile_config disable_compile continuous_batching_config prefill_chunk_size decoder_start_token_id bos_token_id
    pad_token_id eos_token_id max_window_size chat_format encoder_repetition_penalty encoder_no_repeat_ngram_size
    """.split()  # noqa: SIM905
)
# Values that ask for nothing; None and what is empty always do.
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "min_length": (0,), "min_new_tokens": (0,), "num_beams": (1,), "num_beam_groups": (1,), "diversity_penalty": (0.0,),
    "top_h": (1.0,), "typical_p": (1.0,), "epsilon_cutoff": (0.0,), "eta_cutoff": (0.0,), "no_repeat_ngram_size": (0,),
    "num_return_sequences": (1,), "guidance_scale": (1.0,), "penalty_alpha": (0.0,), "token_healing": (False,),
}  # fmt: skip
# Only beams look at these.
OF_BEAMS = ("length_penalty", "early_stopping")
# What transformers once wrote into every config.json, asked or not.
UNASKED: Mapping[str, Any] = {
    "max_length": 20, "do_sample": False, "early_stopping": False, "num_beams": 1, "temperature": 1.0, "top_k": 50,
    "top_p": 1.0, "repetition_penalty": 1.0, "length_penalty": 1.0,
}  # fmt: skip
EVERY = FOLLOWED | SEARCHED | IGNORED | NEUTRAL.keys() | {
    *OF_BEAMS, "max_time", "dola_layers", "constraints", "force_words_ids", "forced_bos_token_id", "sequence_bias",
    "begin_suppress_tokens", "exponential_decay_length_penalty", "watermarking_config", "custom_generate",
}  # fmt: skip


def asked(config: Mapping[str, object]) -> dict[str, object]:
    """The generation fields in a config.json that somebody must have meant: `transformers` follows them where there is
    no generation_config.json."""
    return {field: value for field, value in config.items()
            if field in EVERY - IGNORED and not asks_nothing(field, value) and value != UNASKED.get(field)}  # fmt: skip


def asks_nothing(field: str, value: object) -> bool:
    """Whether every reply is the same with this field as without it."""
    if value is None or value in ("", [], {}) or field in IGNORED or field in OF_BEAMS:
        return True
    return value in NEUTRAL.get(field, ())


def check_generation(table: Mapping[str, object], followed: frozenset[str], path: Path) -> None:
    """Raises `ArtifactError` for a field that would have to be followed and is not."""
    for field, value in table.items():
        if field not in followed and not asks_nothing(field, value):
            raise ArtifactError(f"settings that can be followed in {path}", f"'{field}' = {str(value)[:60]}",
                                "Take the field away to go without it.")  # fmt: skip
