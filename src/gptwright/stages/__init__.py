"""The table of contents: a verb of the story is a file here, with its configuration and its `run`."""
