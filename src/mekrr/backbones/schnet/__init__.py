"""SchNet: features, and a network that is trained or fine-tuned."""
