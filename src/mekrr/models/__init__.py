"""Models of the energy: problems, parameters chosen, fits and their files."""
