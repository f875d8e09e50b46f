"""What llama.cpp calls our tensors, and in which order it has the rows of queries and keys: both for both ways.

llama.cpp turns neighbouring numbers of a head together (0 with 1, 2 with 3), ours and Hugging Face's half a head apart.
"""

from torch import Tensor

NAMES = {
    "embed.": "token_embd.",
    "positions.": "position_embd.",
    "unembed.": "output.",
    "norm.": "output_norm.",
    "blocks.": "blk.",
    ".norm1.": ".attn_norm.",
    ".norm2.": ".ffn_norm.",
    ".attention.qkv.": ".attn_qkv.",
    ".attention.query.": ".attn_q.",
    ".attention.key.": ".attn_k.",
    ".attention.value.": ".attn_v.",
    ".attention.out.": ".attn_output.",
    ".mlp.gate.": ".ffn_gate.",
    ".mlp.up.": ".ffn_up.",
    ".mlp.down.": ".ffn_down.",
}
ROTATION = "rope_freqs.weight"


def reordered(name: str, tensor: Tensor, head_width: int, *, to_pairs: bool) -> Tensor:
    """Their tensor `name` with the rows of queries and keys as llama.cpp has them, or back; any other as it is."""
    if not name.endswith((".attn_q.weight", ".attn_k.weight")):
        return tensor
    shape = (2, head_width // 2) if to_pairs else (head_width // 2, 2)
    return tensor.view(-1, *shape, tensor.shape[-1]).transpose(1, 2).reshape(tensor.shape)
