"""What the fields of a config.json mean for what a model computes from ids: the one table of what can be passed over.

A field that may change the logits and is not known is refused by its name: another model would be computed in silence.
Fields of generation (`temperature`, `bad_words_ids`, …) are not judged here but with generation_config.json.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from gptwright.foundations.errors import ArtifactError
from gptwright.models.formats.mapping import HuggingFaceMapping
from gptwright.models.generation_fields import EVERY

# Records, training, speed and formats: whatever they hold, the logits of a text are the same.
IGNORED = frozenset(
    """
    architectures auto_map model_type dtype torch_dtype transformers_version transformers.js_config name_or_path
    model_name base_model_name_or_path finetuning_task task_specific_params tokenizer_class tokenizer_type language
    languages license generation_config is_llama_config unsloth_version unsloth_fixed unsloth_training peft_version
    _name_or_path _commit_hash _attn_implementation _attn_implementation_internal _attn_implementation_autoset
    _experts_implementation _flash_attn_2_enabled _pre_quantization_dtype attn_implementation
    use_cache use_flash_attention use_flash_attention_2 use_flash_attn use_flash_attn_2 use_sdpa
    use_memory_efficient_attention
    use_fused_rms_norm use_fused_rotary use_fused_mlp fused_qkv use_kernels torchscript use_bfloat16 bf16 fp16 fp32
    gradient_checkpointing gradient_checkpointing_use_reentrant pretraining_tp tensor_parallel_size
    chunk_size_feed_forward reorder_and_upcast_attn output_attentions output_hidden_states return_dict
    output_router_logits router_aux_loss_coef router_z_loss_coef z_loss_coefficient aux_loss_alpha
    initializer_range init_std initializer_factor init_method init_scale rescale_prenorm_residual label_smoothing
    scale_init embedding_dropout layerdrop classifier_dropout summary_type summary_use_proj summary_activation
    summary_proj_to_labels summary_first_dropout problem_type num_labels id2label label2id gptwright
    mean std
    max_sequence_length max_seq_len max_seq_length model_max_length seq_length n_ctx n_special predict_special_tokens
    tokens_trained train_batch_size vocab_size_original true_vocab_size pad_vocab_size_multiple multiple_of
    ffn_dim_multiplier is_encoder_decoder is_decoder max_window_layers original_max_position_embeddings
    """.split()  # noqa: SIM905 (a table to read)
)
IGNORED_ENDINGS = ("_token_id", "_token_ids", "_pdrop", "_dropout", "_dropout_prob", "_dropout_rate")

# Fields that ask for nothing at these values, whichever model has them.
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "sliding_window": (-1, 0),
    "attention_window": (-1, 0),
    "partial_rotary_factor": (1.0,),
    "rope_pct": (1.0,),
    "rotary_pct": (1.0,),
    "rope_interleaved": (False,),
    "rope_interleave": (False,),
    "residual_multiplier": (1.0,),
    "embedding_multiplier": (1.0,),
    "logits_scaling": (1.0,),
    "logit_scale": (1.0,),
    "scale_emb": (1.0,),
    "attention_out_bias": (False,),
    "causal": (True,),
    "is_causal": (True,),
    "no_bias": (True,),
    "norm_type": ("rms_norm", "rmsnorm"),
    "rope_type": ("default",),
    "ffn_type": ("swiglu",),
    "num_experts": (0, 1),
    "num_local_experts": (0, 1),
    "num_experts_per_tok": (0, 1),
    "num_nextn_predict_layers": (0,),
    "attention_chunk_size": (0,),
}
# Truth values that ask for nothing where they are false.
SWITCHES = frozenset(
    """
    add_cross_attention alibi apply_residual_connection_post_layernorm attention_bias attention_in_bias attn_qkv_bias
    bias clip_qkv cross_attention_hidden_size final_logit_softcapping attn_logit_softcapping logit_softcapping mlp_bias
    multi_query mup_enabled new_decoder_architecture normalize_attention_scores norm_before_gate parallel_attn
    parallel_residual qk_layernorm qk_norm qkv_bias scale_attn_by_inverse_layer_idx tie_encoder_decoder
    tie_weights_from_embeddings use_bias use_mrope use_mup use_parallel_residual use_qk_norm use_qkv_bias
    use_sliding_window use_sliding_window_attention
    """.split()  # noqa: SIM905
)
# Other names of one function; all are the same to the last bits of float32.
SAME = {"silu": ("swish",), "gelu_new": ("gelu_pytorch_tanh", "gelu_fast", "gelu_accurate"), "gelu": ("gelu_python",)}


def check_fields(table: Mapping[str, object], folder: HuggingFaceMapping, written: Iterable[str], path: Path) -> None:
    """Raises `ArtifactError` for a field that says we would compute something else, or that is not known.

    `written` are the fields that the family's own `read` and `write` understand.
    """
    for theirs, value in folder.constants.items():
        if not _same(table.get(theirs, value), value):
            raise ArtifactError(f"{theirs} = {value!r} in {path}", repr(table[theirs]),
                                f"Only such a {folder.model_type} can be computed.")  # fmt: skip
    known = {*folder.sizes.values(), *folder.constants, *folder.dropouts, *folder.harmless, *written}
    for field, value in table.items():
        if field not in known and not asks_nothing(field, value, table):
            raise ArtifactError(f"only fields that a {folder.model_type} is known to have in {path}",
                                f"'{field}' = {str(value)[:60]}",
                                "Take the field away if the model computes the same without it.")  # fmt: skip


def asks_nothing(field: str, value: object, table: Mapping[str, object]) -> bool:
    """Whether a model is the same with this field of its `table` as without it."""
    if value is None or value in ("", [], {}) or field in IGNORED | EVERY or field.endswith(IGNORED_ENDINGS):
        return True
    if field == "layer_types":
        return isinstance(value, list) and set(map(str, cast("list[Any]", value))) == {"full_attention"}
    if field == "sliding_window" and _reaches(value, table):
        return True
    return _is_neutral(field, value)


def _is_neutral(field: str, value: object) -> bool:
    """Whether this value switches off what the field is about."""
    if field in SWITCHES and value in (False, 0):
        return True
    return any(value == neutral and isinstance(value, bool) == isinstance(neutral, bool)
               for neutral in NEUTRAL.get(field, ()))  # fmt: skip


def _reaches(window: object, table: Mapping[str, object]) -> bool:
    """Whether a window leaves nothing out: it is switched off, or as long as the context."""
    context = table.get("max_position_embeddings")
    return table.get("use_sliding_window") is False or (
        isinstance(window, int) and isinstance(context, int) and window >= context
    )


def _same(found: Any, value: Any) -> bool:
    """Whether a setting is the one that is computed: by another name, or unsaid where that means no."""
    return (
        found == value
        or (found is None and value in (False, None))
        or (isinstance(found, str) and found in SAME.get(str(value), ()))
    )
