"""Optional compiled kernels for bf16 training on AVX512-BF16; PyTorch's own operations stay beside them."""
