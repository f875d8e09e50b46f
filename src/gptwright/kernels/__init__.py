"""Optional compiled kernels for training and inference on the processor; PyTorch's own operations stay beside them."""
