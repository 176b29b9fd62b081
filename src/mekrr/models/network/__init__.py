"""Networks trained on energies, and on forces where asked: from scratch, or fine-tuned."""
