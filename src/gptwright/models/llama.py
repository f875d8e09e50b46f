"""LLaMA 1, 2, 3 (Touvron et al. 2023; Grattafiori et al. 2024): RMSNorm, rotary positions, SwiGLU, grouped keys."""

from collections.abc import Mapping
from itertools import repeat
from math import sqrt
from typing import Any, ClassVar

from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.settings import Epsilon, Layers, Size, settings
from gptwright.layers.attention import RotaryAttention
from gptwright.layers.blocks import run_blocks
from gptwright.layers.cache import CacheView, LayerCacheView
from gptwright.layers.embedding import Embedding, Embeddings
from gptwright.layers.feedforward import SwiGLU
from gptwright.layers.init import normal_weights
from gptwright.layers.masks import CAUSAL, Documents, Mask, within
from gptwright.layers.norms import RMSNorm
from gptwright.layers.positions import Angles, Base, RopeScaling, rotary_angles
from gptwright.models.config import ModelConfig
from gptwright.models.decoder import Decoder
from gptwright.models.family import Family, HuggingFaceMapping


@settings
class LlamaConfig(ModelConfig):
    """Sizes of a LLaMA."""

    family: ClassVar = "llama"
    vocab: Size = 32_000
    """tokens known"""
    context: Size = 2048
    """tokens seen at once"""
    width: Size = 4096
    """numbers that stand for one token"""
    heads: Size = 32
    """attention heads; must divide the width"""
    kv_heads: Size = 32
    """heads of keys and values; must divide the heads"""
    layers: Layers = 32
    """blocks"""
    hidden: Size = 11_008
    """width of the feed-forward"""
    base: Base = 10_000.0
    """longest wavelength of the rotary positions, in turns of 2π tokens"""
    epsilon: Epsilon = 1e-5
    """of the norms"""
    tied: bool = False
    """the output matrix is the embedding"""
    scaling: RopeScaling | None = None
    """stretched wavelengths (LLaMA 3.1)"""


THREE: dict[str, Any] = {"vocab": 128_256, "context": 8192, "base": 500_000.0, "kv_heads": 8}
STRETCHED: dict[str, Any] = {
    "context": 131_072,
    "scaling": RopeScaling(factor=8.0, low=1.0, high=4.0, original_context=8192),
}

# LLaMA 1, table 2; LLaMA 2, table 1; LLaMA 3, table 3; feed-forward widths and grouped keys as in the released files.
PRESETS = {
    "llama-7b": LlamaConfig(epsilon=1e-6),
    "llama-13b": LlamaConfig(width=5120, heads=40, kv_heads=40, layers=40, hidden=13_824, epsilon=1e-6),
    "llama-33b": LlamaConfig(width=6656, heads=52, kv_heads=52, layers=60, hidden=17_920, epsilon=1e-6),
    "llama-65b": LlamaConfig(width=8192, heads=64, kv_heads=64, layers=80, hidden=22_016, epsilon=1e-6),
    "llama2-7b": LlamaConfig(context=4096),
    "llama2-13b": LlamaConfig(context=4096, width=5120, heads=40, kv_heads=40, layers=40, hidden=13_824),
    "llama2-70b": LlamaConfig(context=4096, width=8192, heads=64, kv_heads=8, layers=80, hidden=28_672),
    "llama3-8b": LlamaConfig(**THREE, hidden=14_336),
    "llama3-70b": LlamaConfig(**THREE, width=8192, heads=64, layers=80, hidden=28_672),
    "llama3.1-8b": LlamaConfig(**THREE | STRETCHED, hidden=14_336),
    "llama3.1-70b": LlamaConfig(**THREE | STRETCHED, width=8192, heads=64, layers=80, hidden=28_672),
    "llama3.1-405b": LlamaConfig(**THREE | STRETCHED, width=16_384, heads=128, layers=126, hidden=53_248),
    "llama-nano": LlamaConfig(
        vocab=2048, context=256, width=192, heads=6, kv_heads=2, layers=4, hidden=512, tied=True
    ),
}  # fmt: skip


class Block(nn.Module):
    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.norm1, self.norm2 = RMSNorm(config.width, config.epsilon), RMSNorm(config.width, config.epsilon)
        self.attention = RotaryAttention(config.width, config.heads, config.kv_heads, config.width // config.heads)
        self.mlp = SwiGLU(config.width, config.hidden)

    def forward(
        self, x: Float[Tensor, "B T C"], mask: Mask, angles: Angles, cache: LayerCacheView | None
    ) -> Float[Tensor, "B T C"]:
        x = x + self.attention(self.norm1(x), mask, angles, cache)
        return x + self.mlp(self.norm2(x))


class Llama(Decoder):
    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = Embedding(config.vocab, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.width, config.epsilon)
        self.unembed = None if config.tied else Embedding(config.vocab, config.width)

    @property
    def output(self) -> Float[Tensor, "V C"]:
        return (self.unembed or self.embed).weight

    def hidden(
        self,
        ids: Int[Tensor, "B T"],
        cache: CacheView | None = None,
        documents: Documents | None = None,
        embeddings: Embeddings | None = None,
    ) -> Float[Tensor, "B T C"]:
        c = self.config
        angles = rotary_angles(self.positions_of(ids, cache, documents), c.width // c.heads, c.base, c.scaling)
        x = self.embedded(ids, embeddings).to(self.matrix_dtype)
        return self.norm(run_blocks(self.blocks, x, repeat(within(CAUSAL, documents)), angles, cache=cache))

    def initialise(self, seed: int) -> None:
        """N(0, 0.02²), residual outputs scaled as GPT-2's; the papers do not say."""
        normal_weights(self, seed, 0.02, residual=0.02 / sqrt(2 * self.config.layers))


def read(table: Mapping[str, Any]) -> dict[str, Any]:
    """What their configuration says of grouped keys, the rotary base and its scaling, under either of its spellings."""
    rope = table.get("rope_parameters") or table.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in ("default", "llama3"):
        raise ArtifactError("rotary positions of type default or llama3", repr(kind), "No other is computed here.")
    head_width = table["hidden_size"] // table["num_attention_heads"]
    if table.get("head_dim") not in (None, head_width):
        raise ArtifactError(f"head_dim {head_width}, the width by the heads", repr(table["head_dim"]),
                            "Only such a model can be computed.")  # fmt: skip
    found = {
        "kv_heads": table.get("num_key_value_heads") or table["num_attention_heads"],
        "base": float(rope.get("rope_theta", table.get("rope_theta", 10_000.0))),
        "tied": bool(table.get("tie_word_embeddings", False)),
    }
    if kind == "llama3":
        found["scaling"] = {
            "factor": rope["factor"],
            "low": rope["low_freq_factor"],
            "high": rope["high_freq_factor"],
            "original_context": rope["original_max_position_embeddings"],
        }
    return found


def write(config: LlamaConfig) -> dict[str, Any]:
    """The same in both spellings: transformers 5 reads `rope_parameters`, others `rope_theta` and `rope_scaling`."""
    table: dict[str, Any] = {
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.width // config.heads,
        "tie_word_embeddings": config.tied,
        "rope_theta": config.base,
    }
    stretch: dict[str, Any] = {"rope_type": "default"}
    if config.scaling:
        stretch = {
            "rope_type": "llama3",
            "factor": config.scaling.factor,
            "low_freq_factor": config.scaling.low,
            "high_freq_factor": config.scaling.high,
            "original_max_position_embeddings": config.scaling.original_context,
        }
        table["rope_scaling"] = stretch
    return table | {"rope_parameters": {**stretch, "rope_theta": config.base}}


FAMILY = Family(
    name="llama",
    config=LlamaConfig,
    model=Llama,
    presets=PRESETS,
    folder=HuggingFaceMapping(
        model_type="llama",
        language_model="LlamaForCausalLM",
        scorer="LlamaForSequenceClassification",
        prefix="model.",
        sizes={
            "vocab": "vocab_size",
            "context": "max_position_embeddings",
            "width": "hidden_size",
            "heads": "num_attention_heads",
            "layers": "num_hidden_layers",
            "hidden": "intermediate_size",
            "epsilon": "rms_norm_eps",
        },
        constants={"hidden_act": "silu", "attention_bias": False, "mlp_bias": False},
        dropouts=("attention_dropout",),
        harmless=("rope_scaling",),
        tensors={
            "embed.": "model.embed_tokens.",
            "unembed.": "lm_head.",
            "blocks.": "model.layers.",
            "norm.": "model.norm.",
            ".norm1.": ".input_layernorm.",
            ".norm2.": ".post_attention_layernorm.",
            ".attention.query.": ".self_attn.q_proj.",
            ".attention.key.": ".self_attn.k_proj.",
            ".attention.value.": ".self_attn.v_proj.",
            ".attention.out.": ".self_attn.o_proj.",
            ".mlp.gate.": ".mlp.gate_proj.",
            ".mlp.up.": ".mlp.up_proj.",
            ".mlp.down.": ".mlp.down_proj.",
        },
        tied={"lm_head.weight": "embed.weight"},
        buffers=(".rotary_emb.inv_freq",),
        read=read,
        write=write,
    ),
)
