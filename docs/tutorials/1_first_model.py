"""
A first model in five minutes
=============================

You have some dozens of frames with energies and want a model of them. Here you fit one, and you
learn how to tell whether it is any good. You will

- look at the frames,
- fit a model to two thirds of them,
- hold its errors on the others against two answers that cost nothing,
- see how far its standard deviations can be trusted,
- save it, and do the same on the command line.

The method in a sentence: a graph neural network that somebody else has trained turns each atom into
a vector of numbers, its *feature*; the network stays as it is, and kernel ridge regression on these
features learns your energies. The features come from SevenNet-0, whose weights are inside a Python
package. Nothing is downloaded, and no GPU is needed.
"""

# %%
# The frames
# ----------
#
# The repository has frames of formate (HCOO) on a copper surface, 52 atoms each, from six runs of
# molecular dynamics at 500 K. In half of the runs the C–H bond breaks. Their energies are those
# of a machine-learned potential, :term:`DIEP`, which stands for DFT: see
# :doc:`/reproduction/surrogates`. Your own frames may be in any format that ASE reads,
# with total energies in eV.
#
# We take every sixth frame. The first lines find the file, in a clone of the repository.

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import ase.io
import chemiscope
import matplotlib.pyplot as plt
import numpy as np

from mekrr import MEKRR, load_model

here = Path(globals().get("__file__", "tutorial")).resolve()
root = next((folder for folder in here.parents if (folder / "workflow").is_dir()), None)
if root is None:
    raise SystemExit("the frames are in the repository: run this in docs/tutorials of a clone")
frames = ase.io.read(root / "workflow/resources/surrogates/cuformate.extxyz.gz", "::6")

energies = np.array([atoms.get_potential_energy() for atoms in frames])
n_atoms = len(frames[0])
print(f"{len(frames)} frames of {frames[0].get_chemical_formula()}, {n_atoms} atoms")
print(f"energies from {energies.min():.2f} to {energies.max():.2f} eV")

# %%
# Energies of frames are compared per atom, in meV. Click on a point, and turn the frame that
# belongs to it: on the right of the map the bond is broken. The frames far below are the first of
# their runs, still near the relaxed structure that these began with.

carbon = frames[0].symbols.search("C")[0]
hydrogen = frames[0].symbols.search("H")[0]
bond = [atoms.get_distance(carbon, hydrogen, mic=True) for atoms in frames]
per_atom = 1000 * (energies - energies.mean()) / n_atoms


def seen_from_the_side(atoms):
    """A copy with the molecule in the middle of the cell, the surface's normal upwards."""
    shown = atoms.copy()
    shown.positions += shown.cell.sum(axis=0) * [0.5, 0.5, 0.0]
    shown.wrap()
    shown.rotate(-90, "x", rotate_cell=True)
    return shown


chemiscope.show(
    [seen_from_the_side(atoms) for atoms in frames],
    properties={
        "C-H distance": {"values": bond, "units": "Å", "target": "structure"},
        "energy": {"values": per_atom, "units": "meV/atom", "target": "structure"},
        "run": {
            "values": [f"run {atoms.info['run']}" for atoms in frames],
            "target": "structure",
        },
    },
    settings=chemiscope.quick_settings(
        x="C-H distance",
        y="energy",
        symbol="run",
        map_color="energy",
        periodic=True,
    ),
)

# %%
# The fit
# -------
#
# Two thirds of the frames, drawn at random, are to be learnt; the others are only for the test.
#
# ``target="delta"`` asks for what the network's own energy leaves: SevenNet-0 predicts energies
# itself, and here it knows a good part of the answer. A layer of the network and the strength of
# regularisation λ are chosen by leave-one-out errors, which cost nothing extra.

order = np.random.default_rng(0).permutation(len(frames))
train, test = order[:42], order[42:]

model = MEKRR("sevennet-0", target="delta").fit([frames[k] for k in train])

print(f"layer {model.layer_} and λ = {model.regularisation_:.0e}, by {model.criterion_}")
print(f"leave-one-out MAE: {np.abs(model.leave_one_out_).mean():.2f} meV/atom")

# %%
# The test
# --------
#
# An error means little by itself. Two answers that cost nothing stand beside it:
#
# - the mean energy of the training frames, for every frame;
# - the untouched network. Its zero of energy is another, so its mean difference on the training
#   frames is added. The same class gives it: with an enormous λ the kernel may learn nothing, and
#   the network's own energy is all that remains.

test_frames = [frames[k] for k in test]
predicted, std = model.predict(test_frames, return_std=True)

nothing_learnt = MEKRR("sevennet-0", target="delta", layer=1, regularisation=1e6)
untouched = nothing_learnt.fit([frames[k] for k in train]).predict(test_frames)


answers = {
    "training mean": np.full(len(test), energies[train].mean()),
    "untouched SevenNet-0": untouched,
    "Δ-MEKRR": predicted,
}
print(f"{'errors in meV/atom':22}  RMSE   MAE  largest")
for name, energy in answers.items():
    error = 1000 * np.abs(energy - energies[test]) / n_atoms
    rmse = np.sqrt(np.mean(error**2))
    print(f"{name:22} {rmse:5.2f} {error.mean():5.2f}    {error.max():5.2f}")

# %%
# If the last line were not well below the two above it, there would be no point in the model.
#
# Predictions against labels, with bars of two standard deviations:

plt.rcParams.update({"font.size": 11, "axes.spines.top": False})
plt.rcParams["axes.spines.right"] = False


def relative(energy):
    """Energies in meV/atom from the mean of all labels."""
    return 1000 * (energy - energies.mean()) / n_atoms


figure, axis = plt.subplots(figsize=(6.2, 5.2), layout="constrained")
span = [relative(energies[test]).min() - 5, relative(energies[test]).max() + 8]
axis.plot(span, span, color="0.6", linewidth=1, zorder=0)
axis.plot(
    relative(energies[test]),
    relative(untouched),
    "s",
    color="#de8f05",
    fillstyle="none",
    label="untouched SevenNet-0",
)
axis.errorbar(
    relative(energies[test]),
    relative(predicted),
    2000 * std / n_atoms,
    fmt="o",
    color="#0173b2",
    markersize=5,
    capsize=2,
    label="Δ-MEKRR, ± two standard deviations",
)
axis.set(xlim=span, ylim=span, aspect="equal")
axis.set(xlabel="label (meV/atom)", ylabel="predicted (meV/atom)")
axis.legend(frameon=False, loc="upper left")
plt.show()

# %%
# Can the bars be trusted?
# ------------------------
#
# Kernel ridge regression is the mean of a Gaussian process, which has a standard deviation too.
# If that is right, about 68 % of the errors are smaller than one of them, and about 95 % smaller
# than two.

ratio = np.abs(predicted - energies[test]) / std
print(f"errors below one standard deviation:  {np.mean(ratio < 1):4.0%}")
print(f"errors below two standard deviations: {np.mean(ratio < 2):4.0%}")
print(f"mean standard deviation: {1000 * std.mean() / n_atoms:.2f} meV/atom")

# %%
# With so few test frames these shares are rough: one frame is five per cent. What the standard
# deviations know and what they do not is in :doc:`/howto/uncertainty`.
#
# Save it, and load it
# --------------------
#
# A model is one file in an open format, with a checksum. Loading it runs no code from it.

folder = TemporaryDirectory()
path = Path(folder.name) / "cuformate.safetensors"
model.save(path)
again = load_model(path)

print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")
print("same predictions:", np.array_equal(again.predict(test_frames), predicted))

# %%
# On the command line
# -------------------
#
# The same fit without Python, to all 63 frames, and predictions for others. ``@::6`` takes every
# sixth frame of a file:
#
# .. code-block:: console
#
#    $ cp workflow/resources/surrogates/cuformate.extxyz.gz .
#    $ mekrr fit cuformate.extxyz.gz@::6 --backbone sevennet-0 --target delta -o model.safetensors
#    $ mekrr predict model.safetensors cuformate.extxyz.gz@3::6 --std -o predicted.extxyz
#    $ mekrr info model.safetensors
#
# The last of them tells what a file holds, whoever made it; its first lines for ours:

command = [sys.executable, "-m", "mekrr", "info", str(path)]
told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
print(told.partition("backbone:")[0])
folder.cleanup()

# %%
# Where to go from here
# ---------------------
#
# - The split at random flatters every model if frames follow each other in time. Is the model
#   better than a fine-tuned network when that is taken away?
#   :doc:`/auto_tutorials/3_against_fine_tuning` and :doc:`/howto/splits_and_leakage`.
# - Run molecular dynamics with a model that learns forces too:
#   :doc:`/auto_tutorials/2_forces_and_dynamics`.
# - Your own file, keys of energies and units: :doc:`/howto/own_data`. Another network or layer:
#   :doc:`/howto/backbone_and_layer`. Frames of several compositions:
#   :doc:`/howto/reference_energies`.
# - Why this works: :doc:`/explanation/kernels` and :doc:`/explanation/delta`.

# sphinx_gallery_thumbnail_number = 1
