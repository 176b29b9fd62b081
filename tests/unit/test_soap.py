"""The adapter of SOAP against featomic's own power spectrum and its own neighbour lists."""

import numpy as np
import pytest
import tolerances as tol
import torch
from ase import Atoms
from featomic import SoapPowerSpectrum

from mekrr.backbones.load import load_backbone
from mekrr.backbones.soap.adapter import SOAP
from mekrr.errors import BackboneError

SMALL = {"n_max": 4, "l_max": 3, "cutoff": 4.5}
SPECIES = ["Cu", "C", "O"]


@pytest.fixture(scope="module")
def soap():
    return SOAP("soap", SPECIES, **SMALL)


@pytest.fixture
def frames(surface):
    """Slabs of 10 and 14 atoms, a molecule and a lone atom."""
    molecule = Atoms("OCO", positions=[[-1.2, 0, 0], [0, 0, 0], [1.2, 0, 0]])
    return [*surface, molecule, Atoms("O", cell=[20] * 3, pbc=True)]


def features(backbone, frames):
    with torch.inference_mode():
        return backbone.forward(backbone.graph(frames)).layers[1].numpy()


def own_power_spectrum(frames):
    """Unit vectors from featomic's own neighbour lists and products."""
    calculator = SoapPowerSpectrum(
        cutoff={"radius": 4.5, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
        density={"type": "Gaussian", "width": 0.5},
        basis={
            "type": "TensorProduct",
            "max_angular": 3,
            "radial": {"type": "Gto", "max_radial": 3},
        },
    )
    spectrum = calculator.compute(frames).keys_to_samples("center_type")
    block = spectrum.keys_to_properties(["neighbor_1_type", "neighbor_2_type"]).block()
    vectors = np.asarray(block.values)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_kernel_is_that_of_featomics_power_spectrum(soap, frames):
    ours, own = features(soap, frames), own_power_spectrum(frames)
    np.testing.assert_allclose(ours @ ours.T, own @ own.T, atol=tol.PEER)


def test_width_and_length(frames):
    vectors = features(SOAP("soap", SPECIES), frames)
    assert vectors.shape == (sum(map(len, frames)), 7 * 36 * 37 // 2)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0)


def test_the_order_of_species_does_not_matter(soap, frames):
    turned = SOAP("soap", SPECIES[::-1], **SMALL)
    np.testing.assert_array_equal(features(turned, frames), features(soap, frames))


def test_a_cell_may_be_periodic_in_the_plane_only(soap, surface):
    """Between slabs there are 7 Å: no image above or below is within the cutoff."""
    open_above = surface[0].copy()
    open_above.pbc = (True, True, False)
    np.testing.assert_allclose(
        features(soap, [open_above]), features(soap, surface[:1]), atol=tol.GRAM_FLOAT64
    )


def test_unknown_elements_are_named():
    with pytest.raises(BackboneError, match=r"'mine': species: no such element: Cx, X"):
        SOAP("mine", ["Cu", "X", "Cx"])


def test_all_species_are_those_of_the_data():
    options = {"species": "all", "n_max": 2, "l_max": 1}
    assert load_backbone("s", "soap", options, species=["Cu", "O"]).species == {8, 29}
    with pytest.raises(BackboneError, match="'s': species 'all' stands for those of a data set"):
        load_backbone("s", "soap", options)
