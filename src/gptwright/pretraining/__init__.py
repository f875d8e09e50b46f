"""What a kind of model learns from a corpus: one lesson a file."""
