"""How kernels between many frames are computed; for `mekrr.kernels` alone."""
