"""Multi-head attention: softmax(Q Kᵀ / √D) V (Vaswani et al. 2017, §3.2)."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from gptwright.layers.attend import attend
from gptwright.layers.cache import LayerCacheView
from gptwright.layers.linear import marked_linear
from gptwright.layers.masks import Mask
from gptwright.layers.positions import Angles, apply_rotary
from gptwright.layers.trace import Trace


class Attention(nn.Module):
    """Self-attention with one fused projection to queries, keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.kv_heads, self.head_width = heads, width // heads
        self.qkv = marked_linear(width, 3 * width, parts=3)
        self.out = marked_linear(width, width, residual=True)

    def forward(
        self, x: Float[Tensor, "B T C"], mask: Mask, cache: LayerCacheView | None = None
    ) -> Float[Tensor, "B T C"]:
        """With a `cache`, x follows the tokens stored there, whose keys and values are seen too."""
        q, k, v = (split_heads(part, self.head_width) for part in self.qkv(x).chunk(3, dim=-1))
        return self.out(attend_all(q, k, v, mask, cache))


class RotaryAttention(nn.Module):
    """Self-attention whose queries and keys are turned by their positions and share keys in groups; no biases.

    `kv_heads` divides `heads`: grouped keys (Ainslie et al. 2023). `norm` makes the norm of queries and keys.
    """

    def __init__(
        self, width: int, heads: int, kv_heads: int, head_width: int, norm: Callable[[int], nn.Module] = nn.Identity
    ) -> None:
        super().__init__()
        self.kv_heads, self.head_width = kv_heads, head_width
        self.query = nn.Linear(width, heads * head_width, bias=False)
        self.key = nn.Linear(width, kv_heads * head_width, bias=False)
        self.value = nn.Linear(width, kv_heads * head_width, bias=False)
        self.out = marked_linear(heads * head_width, width, bias=False, residual=True)
        self.query_norm, self.key_norm = norm(head_width), norm(head_width)

    def forward(
        self, x: Float[Tensor, "B T C"], mask: Mask, angles: Angles, cache: LayerCacheView | None = None
    ) -> Float[Tensor, "B T C"]:
        """With a `cache`, x follows the tokens stored there, whose keys and values are seen too."""
        q, k, v = (split_heads(part(x), self.head_width) for part in (self.query, self.key, self.value))
        q, k = apply_rotary(self.query_norm(q), angles), apply_rotary(self.key_norm(k), angles)
        return self.out(attend_all(q, k, v, mask, cache))


class CrossAttention(nn.Module):
    """Queries from one sequence, keys and values from another: a decoder looks at what the encoder made (§3.2.3)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.head_width = width // heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = marked_linear(width, width, residual=True)

    def keys_and_values(self, memory: Float[Tensor, "B S C"]) -> tuple[Tensor, Tensor]:
        """Of the memory: the same at every step of decoding, (B, H, S, D) each."""
        return split_heads(self.key(memory), self.head_width), split_heads(self.value(memory), self.head_width)

    def attend_to(
        self,
        x: Float[Tensor, "R T C"],
        k: Float[Tensor, "B H S D"],
        v: Float[Tensor, "B H S D"],
        mask: Mask,
        trace: Trace | None = None,
    ) -> Float[Tensor, "R T C"]:
        """One row of x for each of the memory's, or as many for each, side by side: they look together."""
        q = self.query(x)
        q = q.reshape(len(k), -1, q.shape[-1])
        look = trace.attend_across if trace else attend
        y = look(split_heads(q, self.head_width), k, v, mask)
        return self.out(y.transpose(1, 2).flatten(2)).view(x.shape)


def split_heads(x: Float[Tensor, "B T W"], head_width: int) -> Float[Tensor, "B H T D"]:
    return x.unflatten(-1, (-1, head_width)).transpose(1, 2)


def attend_all(
    q: Float[Tensor, "B H T D"],
    k: Float[Tensor, "B G T D"],
    v: Float[Tensor, "B G T D"],
    mask: Mask,
    cache: LayerCacheView | None,
) -> Float[Tensor, "B T W"]:
    """The heads side by side again. With a `cache`, what it holds is seen too."""
    y = attend(q, k, v, mask) if cache is None else cache.attend(q, k, v, mask)
    return y.transpose(1, 2).flatten(2)
