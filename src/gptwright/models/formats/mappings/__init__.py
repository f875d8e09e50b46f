"""A file for each family: how a Hugging Face folder says what the model is."""
