"""Tolerances of the tests, named in one place."""

GRAM_FLOAT32 = 1e-6  # relative, kernel entries from float32 products
GRAM_FLOAT64 = 1e-12  # relative, kernel entries from float64 products
SELECTION = 1e-8  # relative or eV, fits of a whole grid against one by one
PEER = 1e-9  # relative, float64 solves by another library
REFERENCE = 1e-8  # eV, reference energies of synthetic compositions
RELABEL = 1e-3  # eV, energies of the embedded surrogate computed anew
INVARIANCE = 2e-4  # relative to the largest feature, float32 networks
BATCH = 5e-5  # relative to the largest feature, other order of float32 sums
OWN_ENERGY = 1e-5  # eV/atom, energies by the network's own calculator
GRADIENT = 1e-4  # relative, central differences of a float64 network
FORCE = 1e-5  # relative, forces and stress against central differences, float64
FORCE_FLOAT32 = 1e-3  # relative to the largest component, float32 against float64
HALF = 1e-3  # relative and absolute, features stored as float16
SEVENNET = 3e-6  # relative to the largest feature, float32, one order of sums against another
SCHNET = 1e-9  # relative to the largest feature, float64 against the equations by loops
SCHNET_FLOAT32 = 1e-5  # the same, float32
SCHNET_TABLE = 1e-4  # relative to the largest feature, interpolated against exact filters
COVERAGE = (0.88, 0.98)  # of nominal 95 % intervals from 200 frames, 400 of them
MEDIAN = 1e-6  # relative, float32 squared distances counted in bins
GAP_EQUATION = 1e-6  # eV, a potential's energies against the sum over its kernel
GAP_INVARIANCE = 1e-6  # eV, turned, moved, doubled cells
GAP_GRADIENT = 1e-4  # relative, central differences, splines inside
POTENTIAL_GRADIENT = 1e-5  # relative, central differences of a float64 potential
GPU = 2e-4  # relative to the largest feature, float32 on a GPU against the CPU
GPU_GRADIENT = 1e-3  # relative to the largest component, the same
SLURM = 1e-9  # relative, errors of fits on the same machine, as jobs of Slurm or not
