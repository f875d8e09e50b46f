"""The options of every verb, checked when they are made; nothing here imports torch."""
