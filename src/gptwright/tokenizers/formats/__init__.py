"""Tokenizers as files: our folder, the released vocabularies, sentencepiece, GGUF."""
