"""Text in: read files of many kinds, clean them, drop duplicates, split into documents, pack into token files."""
