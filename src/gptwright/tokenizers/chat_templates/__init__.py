"""Chat templates: rendered in a sandbox, turned into ids, safe from what people write."""
