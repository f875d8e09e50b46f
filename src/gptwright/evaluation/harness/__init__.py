"""Zero-, one- and few-shot evaluation of a model that writes: tasks are data, and nothing is taught."""
