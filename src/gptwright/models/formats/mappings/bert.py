"""A BERT's folders."""

from collections.abc import Mapping
from typing import Any

from gptwright.foundations.errors import ArtifactError
from gptwright.models.bert import EPSILON, SEGMENTS, BERTConfig
from gptwright.models.formats.mapping import HuggingFaceMapping


def read(table: Mapping[str, Any]) -> dict[str, Any]:
    """Their feed-forward width is free; only the paper's is computed here."""
    wide = 4 * table["hidden_size"]
    if table.get("intermediate_size", wide) != wide:
        raise ArtifactError(f"intermediate_size {wide}, 4 × hidden_size", repr(table["intermediate_size"]),
                            "Only such a bert can be computed.")  # fmt: skip
    return {}


def write(config: BERTConfig) -> dict[str, object]:
    return {"intermediate_size": 4 * config.width}


MAPPING = HuggingFaceMapping(
    model_type="bert",
    language_model="BertForPreTraining",
    scorer="BertForSequenceClassification",
    chooser="BertForMultipleChoice",
    head="classifier.",
    prefix="bert.",
    trunk="BertModel",
    without={
        ("pooler", "next"): "BertForMaskedLM",
        ("masked",): "BertForNextSentencePrediction",
        ("masked", "next"): "BertModel",
        ("pooler", "masked", "next"): "BertModel",
    },
    sizes={
        "vocab": "vocab_size",
        "context": "max_position_embeddings",
        "width": "hidden_size",
        "heads": "num_attention_heads",
        "layers": "num_hidden_layers",
    },
    constants={
        "hidden_act": "gelu",
        "layer_norm_eps": EPSILON,
        "type_vocab_size": SEGMENTS,
        "position_embedding_type": "absolute",
        "tie_word_embeddings": True,
        "is_decoder": False,
        "add_cross_attention": False,
    },
    dropouts=("hidden_dropout_prob", "attention_probs_dropout_prob"),
    tensors={
        "embed.": "bert.embeddings.word_embeddings.",
        "positions.": "bert.embeddings.position_embeddings.",
        "segments.": "bert.embeddings.token_type_embeddings.",
        "norm.": "bert.embeddings.LayerNorm.",
        "blocks.": "bert.encoder.layer.",
        ".attention.qkv.": (".attention.self.query.", ".attention.self.key.", ".attention.self.value."),
        ".attention.out.": ".attention.output.dense.",
        ".norm1.": ".attention.output.LayerNorm.",
        ".mlp.up.": ".intermediate.dense.",
        ".mlp.down.": ".output.dense.",
        ".norm2.": ".output.LayerNorm.",
        "pooler.": "bert.pooler.dense.",
        "masked.bias": "cls.predictions.bias",
        "masked.": "cls.predictions.transform.",
        ".transform.norm.": ".transform.LayerNorm.",
        "next.": "cls.seq_relationship.",
    },
    tied={"cls.predictions.decoder.weight": "embed.weight", "cls.predictions.decoder.bias": "masked.bias"},
    buffers=(".position_ids",),
    older={"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"},
    read=read,
    write=write,
)
