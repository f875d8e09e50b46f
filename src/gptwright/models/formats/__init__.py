"""Models as other programs hold them: Hugging Face folders and GGUF files, read and written."""
