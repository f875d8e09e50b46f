"""From a model and a prompt to text: sampling, the cached decoding loop, stops, whole conversations."""
