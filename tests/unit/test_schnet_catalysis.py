"""The SchNet that comes along: pre-trained, and with the features that it had when embedded."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.build import add_adsorbate, fcc111, molecule
from samples import ROOT

from mekrr.backbones.registry import open_backbone, registered
from mekrr.backbones.schnet.own import read_own
from mekrr.data.reading import iter_frames
from mekrr.models.potentials.backbone import BackbonePotential
from mekrr.models.potentials.baseline import Baseline
from mekrr.torch_settings import own_torch_settings

NAME = "schnet-catalysis"
STORED = ROOT / f"tests/files/{NAME}.json"


def sample():
    """CO on copper."""
    slab = fcc111("Cu", (2, 2, 3), a=3.61, vacuum=8.0, periodic=True)
    add_adsorbate(slab, molecule("CO"), 1.9, "ontop")
    return slab


def features_of_sample():
    """Energy, and of each layer the first features of oxygen and their mean square over atoms."""
    backbone, layers, _ = open_backbone(NAME)
    slab = sample()
    oxygen = int(np.flatnonzero(slab.numbers == 8)[0])
    with own_torch_settings(), torch.inference_mode():
        output = backbone.forward(backbone.graph([slab]))
    found = {"energy": output.energy.item()}
    for layer in layers:
        h = output.layers[layer].double().numpy()
        found[f"layer {layer}"] = [*h[oxygen, :5].tolist(), float((h**2).mean())]
    return found


def test_features_are_those_that_it_had():
    stored, found = json.loads(STORED.read_text()), features_of_sample()
    assert found.keys() == stored.keys()
    assert found["energy"] == pytest.approx(stored.pop("energy"), abs=1e-3)
    for layer, values in stored.items():
        np.testing.assert_allclose(found[layer], values, rtol=1e-3, atol=1e-4, err_msg=layer)


def test_it_is_small_and_its_making_is_on_record():
    path = Path(registered()[NAME].weights.file)
    assert path.stat().st_size < 8e6
    told = read_own(path).provenance
    assert told["licence"]
    assert told["labels"] == "sevennet-0"
    assert told["frames"]["training"] > 10_000
    assert told["core_hours"] > 0
    assert {"torch", "git"} <= told["made_by"].keys()


def test_it_is_pretrained():
    """On frames of a surrogate, of another functional and network, forces beat predicting none."""
    backbone, _, _ = open_backbone(NAME)
    potential = BackbonePotential(backbone, Baseline())
    source = ROOT / "workflow/resources/surrogates/cuformate.extxyz.gz@::60"
    frames = [atoms for _, atoms in iter_frames(source)]
    forces = np.concatenate([atoms.get_forces(apply_constraint=False) for atoms in frames])
    found = np.concatenate([potential.evaluate(atoms).forces for atoms in frames])
    assert np.square(found - forces).mean() < 0.8 * np.square(forces).mean()


def test_it_knows_the_elements_of_its_set():
    assert registered()[NAME].layers == [1, 2, 3, 4, 5]
    backbone, _, _ = open_backbone(NAME)
    assert {1, 6, 7, 8, 26, 29} < backbone.species
    assert len(backbone.species) == 21
