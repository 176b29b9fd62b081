"""Figures, each drawn from tidy tables and nothing else."""
