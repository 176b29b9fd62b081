"""Molecular dynamics with fitted potentials, held against the true potential of a surrogate."""
