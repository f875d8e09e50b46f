"""What a kind of model learns from a corpus: one task a file, and how large a run a budget allows."""
