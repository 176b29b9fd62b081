"""Potentials as calculators of ASE: molecular dynamics, relaxations, barriers, phonons."""
