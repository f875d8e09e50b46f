"""Many requests written side by side by one model: continuous batching over one memory of keys and values."""
