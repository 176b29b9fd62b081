"""GAP-SOAP small enough for tests, and the mark of tests that need its programs."""

import importlib.util

import pytest

GAP = {
    "n_max": 3,
    "l_max": 2,
    "cutoff": 4.0,
    "cutoff_transition_width": 1.0,
    "atom_sigma": 0.5,
    "zeta": 2,
    "delta": 0.2,
    "n_sparse": 10,
    "sparse_method": "random",
    "default_sigma": 0.001,
}
without_gap = pytest.mark.skipif(
    importlib.util.find_spec("quippy") is None, reason="no wheel of quippy-ase for this platform"
)
