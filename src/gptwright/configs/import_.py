"""Options of import."""

from pathlib import Path

import tyro

from gptwright.foundations.settings import settings


@settings
class Import:
    """Take in a Hugging Face folder, a GGUF file, a model that an installed package carries, or a vocabulary."""

    source: tyro.conf.Positional[Path]
    """folder, file or name (smollm2-135m, minilm-l6); or vocab.json, vocab.bpe, vocab.txt, *.model, *.tiktoken"""
