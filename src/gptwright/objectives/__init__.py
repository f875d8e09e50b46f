"""Loss functions: pure, over tensors, each with a test of hand-computed numbers."""
