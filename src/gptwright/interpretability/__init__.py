"""A look inside a network: attention, what each layer would say, what heads do, shapes."""
