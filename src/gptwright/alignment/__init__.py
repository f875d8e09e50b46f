"""Teaching a language model what people want: demonstrations, rankings, rollouts, policy gradients."""
