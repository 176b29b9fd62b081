"""Bounds of parameters that the command line and the library share."""

MOST_THREADS = 1024  # a process that asks for more than the system has is ended
LARGEST_LAYER = 1000
LARGEST_REGULARISATION = 1e9  # far beyond any kernel: nothing is left of it
LARGEST_INDUCING = 50_000  # inducing atoms: their kernels take 20 GB
MOST_DIRECTIONS = 10_000  # of one frame
