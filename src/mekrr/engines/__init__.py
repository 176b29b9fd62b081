"""Potentials for engines of dynamics: as a file that they load, or as a function that they call."""
