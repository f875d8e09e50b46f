"""A GPT-1's folders."""

from gptwright.models.formats.mapping import HuggingFaceMapping

MAPPING = HuggingFaceMapping(
    model_type="openai-gpt",
    language_model="OpenAIGPTLMHeadModel",
    scorer="OpenAIGPTForSequenceClassification",
    prefix="transformer.",
    sizes={
        "vocab": "vocab_size",
        "context": "n_positions",
        "width": "n_embd",
        "heads": "n_head",
        "layers": "n_layer",
    },
    constants={"afn": "gelu", "layer_norm_epsilon": 1e-5, "tie_word_embeddings": True},
    dropouts=("attn_pdrop", "embd_pdrop", "resid_pdrop"),
    harmless=("n_ctx", "n_special", "predict_special_tokens"),
    tensors={
        "embed.": "transformer.tokens_embed.",
        "positions.": "transformer.positions_embed.",
        "blocks.": "transformer.h.",
        ".norm1.": ".ln_1.",
        ".norm2.": ".ln_2.",
        ".attention.qkv.": ".attn.c_attn.",
        ".attention.out.": ".attn.c_proj.",
        ".mlp.up.": ".mlp.c_fc.",
        ".mlp.down.": ".mlp.c_proj.",
    },
    transposed=(".attn.c_attn.weight", ".attn.c_proj.weight", ".mlp.c_fc.weight", ".mlp.c_proj.weight"),
    tied={"lm_head.weight": "embed.weight"},
    buffers=(".attn.bias", ".position_ids"),
)
