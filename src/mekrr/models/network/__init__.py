"""Networks trained on energies: from scratch, or fine-tuned from a backbone."""
