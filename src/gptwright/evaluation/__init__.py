"""What a model can do, in numbers with intervals, on material it was not trained on."""
