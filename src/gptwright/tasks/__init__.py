"""What a model is trained on, one task a file."""
