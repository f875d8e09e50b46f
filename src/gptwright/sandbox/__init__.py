"""Running programs that nobody has read: what a model writes is run here or not at all."""
