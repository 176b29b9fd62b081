"""Atom kernels and the mean-embedding kernels between frames built on them."""
