"""Gram matrices in the workflow: one job, or blocks and their merge."""

import ase.io
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from samples import labelled

from mekrr.kernels.store import read_kernels

KERNELS = "results/kernels/mine/random-0/toy.safetensors"


@pytest.fixture
def large(project):
    """The tiny study with 400 atoms in each of its frames, more than a tile has."""
    frames = []
    for small in labelled(24):
        atoms = small.repeat((5, 5, 4))
        atoms.rattle(0.1, seed=len(frames))
        energy = 100.0 * small.get_potential_energy()
        atoms.calc = SinglePointCalculator(atoms, energy=energy)
        frames.append(atoms)
    ase.io.write(project.data, frames, format="extxyz")
    project.config["datasets"]["mine"]["frames"] = 24
    return project


def computed(project, *arguments):
    result = project.run(KERNELS, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    kernels, train = read_kernels(project.folder / KERNELS)
    arrays = {}
    for layer, kernel in kernels.items():
        for part, gram in (("gram", kernel), ("own", kernel.self_kernel)):
            arrays[layer, part, "all"] = np.array(gram.k0)
            arrays |= {(layer, part, s): np.array(share) for s, share in gram.shares.items()}
        arrays[layer, "lengthscale"] = np.array(kernel.lengthscale)
    return arrays | {"train": train}


def test_small_data_set_is_one_job(large):
    jobs = large.planned(KERNELS)
    assert jobs["gram"] == 1
    assert not {"prepare_gram", "gram_block", "merge_gram"} & set(jobs)


def test_blocks_give_the_kernels_of_one_job(large):
    """A truncated block is refused and alone computed again; no block is left in the end."""
    large.config["kernels"] = {"block_frames": 10}
    assert large.planned(KERNELS)["gram_block"] == 6
    computed(large, "--notemp")
    folder = (large.folder / KERNELS).with_suffix("")
    assert len(list(folder.glob("*-of-3.safetensors"))) == 6
    lost = folder / "1-2-of-3.safetensors"
    lost.write_bytes(lost.read_bytes()[:-8])
    (large.folder / KERNELS).unlink()
    result = large.run(KERNELS)
    assert result.returncode != 0
    assert "1-2-of-3.safetensors: has " in result.stderr  # fewer bytes than were written
    lost.unlink()
    assert large.planned(KERNELS) == {"gram_block": 1, "merge_gram": 1}
    in_blocks = computed(large)
    assert not list(folder.glob("*")), "blocks left behind"

    large.config["kernels"] = {"block_frames": 24}
    (large.folder / KERNELS).unlink()
    assert large.planned(KERNELS) == {"gram": 1}
    whole = computed(large)
    assert set(whole) == set(in_blocks)
    assert whole[1, "gram", "all"].shape == (24, len(whole["train"]))
    for name, values in whole.items():
        np.testing.assert_array_equal(in_blocks[name], values, err_msg=str(name))
