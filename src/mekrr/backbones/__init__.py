"""Pre-trained networks behind one contract: a folder for each family, and a registry of names."""
