"""Where the metrics of a run may go besides metrics.jsonl: one tracker a file, each an extra of the package."""
