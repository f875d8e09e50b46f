"""One file a verb, with its `run`; its options are in `configs`."""
