"""Sparse models: a sum over few inducing atoms, fitted to energies and forces by QR."""
