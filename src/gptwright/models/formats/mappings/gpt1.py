"""A GPT-1's folders: a GPT-2's, under other names."""

from dataclasses import replace

from gptwright.models.formats.mapping import nothing
from gptwright.models.formats.mappings import gpt2

MAPPING = replace(
    gpt2.MAPPING,
    model_type="openai-gpt",
    language_model="OpenAIGPTLMHeadModel",
    scorer="OpenAIGPTForSequenceClassification",
    constants={"afn": "gelu", "layer_norm_epsilon": 1e-5, "tie_word_embeddings": True},
    harmless=("n_ctx", "n_special", "predict_special_tokens"),
    tensors={
        **gpt2.MAPPING.tensors,
        "embed.": "transformer.tokens_embed.",
        "positions.": "transformer.positions_embed.",
    },
    buffers=(".attn.bias", ".position_ids"),
    read=nothing,
    write=nothing,
)
