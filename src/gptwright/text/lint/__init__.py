"""Faults of text and conversations that people otherwise find by hand, when a model has learned them."""
