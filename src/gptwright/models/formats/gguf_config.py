"""What a GGUF file says of a LLaMA's sizes, as the table that Hugging Face's config.json would hold.

LLaMA 3.1 scales its rotary frequencies in three bands. llama.cpp keeps no table of that: it writes the divisors
themselves as the tensor `rope_freqs.weight`. `llama3_factors` computes them from a table, so the table is found again:
a divisor between none and the factor tells for which context it was made.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gptwright.foundations.errors import ArtifactError

ARCHITECTURE = "llama"
# What another kind of model would say here; a LLaMA says nothing, or this.
NEUTRAL: dict[str, Any] = {
    "expert_count": 0,
    "attention.sliding_window": 0,
    "attention.causal": True,
    "attention.scale": 0.0,
    "attention.clamp_kqv": 0.0,
    "attention.max_alibi_bias": 0.0,
    "use_parallel_residual": False,
    "logit_scale": 1.0,
    "residual_scale": 1.0,
    "embedding_scale": 1.0,
    "rope.scaling.attn_factor": 1.0,
    "rope.scaling.yarn_attn_factor": 1.0,
    "rope.scaling.yarn_ext_factor": 1.0,
    "rope.scaling.yarn_beta_fast": 32.0,
    "rope.scaling.yarn_beta_slow": 1.0,
    "rope.scaling.yarn_log_multiplier": 0.0,
}
LONGEST = 1 << 24  # positions of a context
ORIGINALS = (8192, 4096, 2048, 16384, 32768, 65536, 131072)  # contexts that somebody may have scaled from


class Values:
    """The values of a file, each checked for its kind and range when it is asked for."""

    remedy = "Make the file anew from its source, or fetch it again."

    def __init__(self, metadata: Mapping[str, Any], path: Path) -> None:
        self.metadata, self.path = metadata, path

    def find(self, name: str) -> Any:
        """The value of `llama.NAME`, or None."""
        return self.metadata.get(f"{ARCHITECTURE}.{name}")

    def whole(self, name: str, most: int, default: int | None = None) -> int:
        """A whole number from 1 to `most`."""
        found = self.find(name)
        value = default if found is None else found
        if type(value) is not int or not 1 <= value <= most:
            raise self.wrong(name, f"a whole number from 1 to {most:,}", found)
        return value

    def real(self, name: str, least: float, most: float, default: float | None = None) -> float:
        """A finite number from `least` to `most`, in its shortest decimal form: 1e-05, not 9.999999747378752e-06."""
        found = self.find(name)
        value = default if found is None else found
        if type(value) is int:
            value = float(value)
        if type(value) is not float or not least <= value <= most:
            raise self.wrong(name, f"a number from {least:g} to {most:g}", found)
        return float(str(np.float32(value)))

    def wrong(self, name: str, needed: str, found: Any) -> ArtifactError:
        """The error for a value that no LLaMA has."""
        got = "no such value" if found is None else ascii(found)[:60]
        return ArtifactError(f"{needed} as {ARCHITECTURE}.{name} in {self.path}", got, self.remedy)


def llama_config(
    metadata: Mapping[str, Any], vocab: int, tied: bool, factors: Sequence[float] | None, path: Path
) -> dict[str, Any]:
    """The table. `vocab` is the number of rows of the embedding, `factors` what `rope_freqs.weight` holds.

    Raises `ArtifactError` for another architecture, a variant that is not plain LLaMA, and values that are missing, out
    of range or contradict each other.
    """
    check_kind(metadata, path)
    values = Values(metadata, path)
    width = values.whole("embedding_length", 1 << 20)
    heads = values.whole("attention.head_count", 1 << 16)
    groups = values.whole("attention.head_count_kv", heads, heads)
    if heads % groups:
        raise values.wrong("attention.head_count_kv", f"a divisor of the {heads} heads", groups)
    head = _head_width(values, width, heads)
    theta = values.real("rope.freq_base", 1.0, 1e12, 10000.0)
    config: dict[str, Any] = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": _vocab(values, vocab),
        "hidden_size": width,
        "intermediate_size": values.whole("feed_forward_length", 1 << 22),
        "num_hidden_layers": values.whole("block_count", 1 << 12),
        "num_attention_heads": heads,
        "num_key_value_heads": groups,
        "head_dim": head,
        "max_position_embeddings": values.whole("context_length", LONGEST),
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "rms_norm_eps": values.real("attention.layer_norm_rms_epsilon", 1e-12, 0.1),
        "rope_theta": theta,
        "rope_scaling": _rope_scaling(values, head, theta, factors),
        "tie_word_embeddings": tied,
    }
    return config


def check_kind(metadata: Mapping[str, Any], path: Path) -> None:
    """Raises `ArtifactError` unless this is one whole language model of the LLaMA architecture."""
    name = metadata.get("general.architecture")
    if name != ARCHITECTURE:
        raise ArtifactError(f"the architecture llama in {path}", ascii(name)[:60] if name else "no name of one",
                            "Of GGUF only LLaMA can be read: fetch the model as a Hugging Face folder.")  # fmt: skip
    if metadata.get("general.type", "model") != "model":
        raise ArtifactError(f"a model in {path}", f"general.type {ascii(metadata['general.type'])[:60]}",
                            "Give the file of the whole model.")  # fmt: skip
    if metadata.get("split.count", 1) not in (0, 1):
        raise ArtifactError(f"a model in one file, {path}", f"one of {ascii(metadata['split.count'])[:60]} parts",
                            "Join them: llama-gguf-split --merge FIRST-PART OUT.")  # fmt: skip
    for key, neutral in NEUTRAL.items():
        found = metadata.get(f"{ARCHITECTURE}.{key}", neutral)
        if found != neutral:
            raise ArtifactError(f"a plain LLaMA in {path}", f"{ARCHITECTURE}.{key} = {ascii(found)[:60]}",
                                f"Only {neutral} can be computed here.")  # fmt: skip


def _head_width(values: Values, width: int, heads: int) -> int:
    given = values.find("attention.key_length")
    if given is None and width % heads:
        raise values.wrong("attention.head_count", f"a divisor of the width {width}", heads)
    head = values.whole("attention.key_length", 1 << 16, width // heads)
    if head % 2:
        raise values.wrong("attention.key_length", "an even number", head)
    for name in ("attention.value_length", "rope.dimension_count"):
        if values.whole(name, 1 << 16, head) != head:
            raise values.wrong(name, f"the width of a head, {head},", values.find(name))
    return head


def _vocab(values: Values, vocab: int) -> int:
    if values.whole("vocab_size", 1 << 22, vocab) != vocab:
        raise values.wrong("vocab_size", f"{vocab}, the rows of token_embd.weight,", values.find("vocab_size"))
    tokens = values.metadata.get("tokenizer.ggml.tokens")
    if isinstance(tokens, tuple) and len(tokens) != vocab:
        raise ArtifactError(f"{vocab} tokens, the rows of token_embd.weight, in {values.path}",
                            f"{len(tokens)} in tokenizer.ggml.tokens", values.remedy)  # fmt: skip
    return vocab


def _rope_scaling(values: Values, head: int, theta: float, factors: Sequence[float] | None) -> dict[str, Any] | None:
    """What config.json says of the rotary positions: nothing, or LLaMA 3.1's table. Linear and YaRN are refused."""
    kind = values.find("rope.scaling.type") or "none"
    old = values.real("rope.scale_linear", 1e-6, 1e6, 1.0)
    factor = values.real("rope.scaling.factor", 1e-6, 1e6, old)
    if kind == "none" and factor != 1.0 and values.find("rope.scaling.factor") is None:
        kind = "linear"
    if kind != "none" and (kind, factor) != ("linear", 1.0):
        raise ArtifactError(f"rotary positions that are not scaled, or as LLaMA 3.1's, in {values.path}",
                            f"{ascii(kind)[:60]} by {factor:g}", "No other is computed here.")  # fmt: skip
    if factors is not None and any(factor != 1.0 for factor in factors):
        return _llama3_scaling(values, head, theta, factors)
    return None


def _llama3_scaling(values: Values, head: int, theta: float, factors: Sequence[float]) -> dict[str, Any]:
    factor = float(str(np.float32(max(factors))))
    for original in _originals(head, theta, factor, factors) if len(factors) == head // 2 else ():
        expected = llama3_factors(head, theta, factor, original)
        if np.allclose(factors, expected, rtol=1e-4, atol=0.0):
            return {
                "rope_type": "llama3",
                "factor": factor,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": original,
            }
    raise ArtifactError(f"the {head // 2} divisors of LLaMA 3.1 as rope_freqs.weight in {values.path}",
                        f"{len(factors)} others, from {min(factors):g} to {max(factors):g}",
                        "Fetch the model as a Hugging Face folder.")  # fmt: skip


def _originals(head: int, theta: float, factor: float, factors: Sequence[float]) -> Iterator[int]:
    """Contexts that such divisors may have been made for: the published ones, what a divisor between the two ends
    says, and where none lies between, those that put every wave on its side."""
    yield from ORIGINALS
    waves = [2 * math.pi * theta ** (i / head) for i in range(0, head, 2)]
    for wave, divisor in zip(waves, factors, strict=True):
        if 1.0 + 1e-6 < divisor < factor * (1 - 1e-6):
            smooth = (1 / divisor - 1 / factor) / (1 - 1 / factor)
            found = round(wave * (1.0 + 3.0 * smooth))
            yield from (found, found - 1, found + 1)
    kept = [wave for wave, divisor in zip(waves, factors, strict=True) if divisor <= 1.0 + 1e-6]
    slow = [wave for wave, divisor in zip(waves, factors, strict=True) if divisor > 1.0 + 1e-6]
    yield from (math.ceil(4 * max(kept, default=0.25)), math.floor(min(slow, default=1.0)))


def llama3_factors(head: int, theta: float, factor: float, original: int) -> list[float]:
    """By what LLaMA 3.1 divides each of a head's `head / 2` frequencies: 1 for waves that the original context holds
    four times, `factor` for those longer than it, and between the two a smooth way from one to the other."""
    divisors: list[float] = []
    for i in range(0, head, 2):
        waves = original / (2 * math.pi * theta ** (i / head))
        smooth = min(max((waves - 1.0) / (4.0 - 1.0), 0.0), 1.0)
        divisors.append(1.0 / ((1.0 - smooth) / factor + smooth))
    return divisors
