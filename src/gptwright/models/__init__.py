"""One file a family: its configuration, the paper's presets, its wiring, its names in Hugging Face folders."""
