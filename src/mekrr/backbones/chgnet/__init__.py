"""CHGNet: features, and a network that is fine-tuned."""
