"""Surrogate data sets: dynamics run by this project where published data are private."""
