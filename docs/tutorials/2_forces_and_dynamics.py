"""
Forces and dynamics
===================

A model of energies is half a potential. Here you train one on forces too, and run molecular
dynamics with it. You will

- fit a potential to energies and forces of some thirty frames,
- hold its forces against the labels, element by element,
- use it as a calculator of ASE,
- run dynamics, with the model's own standard deviation along the run,
- have a run end by itself where the model no longer knows what it is doing.

:doc:`/auto_tutorials/1_first_model` explains features, Δ and standard deviations.
"""

# %%
# The frames
# ----------
#
# Formate on copper again, with energies and forces. We learn from the three runs in which the
# molecule stays whole, and keep one in which its C–H bond breaks for the end.

from pathlib import Path
from tempfile import TemporaryDirectory

import ase.io
import chemiscope
import matplotlib.pyplot as plt
import numpy as np
from ase import units
from ase.md.langevin import Langevin

from mekrr import Calculator, SparseMEKRR
from mekrr.backbones.registry import open_backbone
from mekrr.dynamics.settings import draw_momenta
from mekrr.errors import UncertaintyError
from mekrr.models.potentials.backbone import BackbonePotential
from mekrr.models.potentials.baseline import Baseline

here = Path(globals().get("__file__", "tutorial")).resolve()
root = next((folder for folder in here.parents if (folder / "workflow").is_dir()), None)
if root is None:
    raise SystemExit("the frames are in the repository: run this in docs/tutorials of a clone")
frames = ase.io.read(root / "workflow/resources/surrogates/cuformate.extxyz.gz", "::5")

whole = [atoms for atoms in frames if atoms.info["run"] in (0, 2, 4)]
breaking = [atoms for atoms in frames if atoms.info["run"] == 1]
train = [atoms for k, atoms in enumerate(whole) if k % 4 != 1]
test = whole[1::4]
n_atoms = len(whole[0])
print(f"{len(train)} frames to learn from, {len(test)} to test on")

# %%
# Two fits
# --------
#
# ``SparseMEKRR`` is a sum over few :term:`inducing atoms <inducing atom>`, so that what a
# prediction costs does not grow with the number of training frames. It can learn energies alone:

shared = {"layers": [1, 2, 4], "lengthscale": 4.0, "inducing": 400}
energies_alone = SparseMEKRR("sevennet-0", forces=0, **shared).fit(train)

# %%
# Or energies and forces. These are not learnt component by component, of which each frame has
# 156, but along directions: here one random direction of all atoms, and all three components of
# hydrogen, whose forces are steep. Each direction of a frame costs two passes through the
# network, and most of the time of this page.
#
# The layers and the lengthscale are given above to save time; left out, they are chosen, as λ and
# the weight of energies are here, by folds of the training frames.

with_forces = SparseMEKRR(
    "sevennet-0",
    forces=1,
    force_atoms={"species": ["H"]},
    **shared,
).fit(train)

energy_error, force_error = with_forces.errors_
print(f"fitted to {with_forces.n_frames_} energies, {with_forces.n_directions_} derivatives")
print(f"what is learnt: {with_forces.target_!r}, as that varies less than the energy")
print(f"errors in {with_forces.criterion_}: ", end="")
print(f"{energy_error:.2f} meV/atom, {force_error:.0f} meV/Å")

# %%
# Errors of forces, by element
# ----------------------------
#
# An error of all atoms would be one of copper, of which there are 48. The untouched network
# stands beside the fits: what does not beat it is not worth its training.

untouched = BackbonePotential(open_backbone("sevennet-0")[0], Baseline())


def forces_of(model):
    """Forces of the test frames in eV/Å, (frames, atoms, 3)."""
    calculator = Calculator(model, std=False)
    found = []
    for atoms in test:
        found.append(calculator.get_forces(atoms))
    return np.array(found)


labels = np.array([atoms.get_forces(apply_constraint=False) for atoms in test])
predictions = {
    "untouched SevenNet-0": forces_of(untouched),
    "energies alone": forces_of(energies_alone),
    "energies and forces": forces_of(with_forces),
}

symbols = np.array(test[0].get_chemical_symbols())
elements = ["C", "O", "H", "Cu"]
print(f"{'force RMSE in meV/Å':22}" + "".join(f"{element:>6}" for element in elements))
for name, forces in predictions.items():
    squares = [np.mean((forces - labels)[:, symbols == e] ** 2) for e in elements]
    print(f"{name:22}" + "".join(f"{1000 * np.sqrt(s):6.0f}" for s in squares))

# %%
# Energies alone say little of forces. Along a few directions of each frame the model learns them,
# and best those of hydrogen, whose components it was given. Carbon gains least: it is one atom of
# 52, and a random direction hardly moves it. In earnest one would give the components of the
# whole molecule, ``{"species": ["C", "O", "H"]}``, and more frames. The energies gain as well:

reference = np.array([atoms.get_potential_energy() for atoms in test])
fits = {"energies alone": energies_alone, "energies and forces": with_forces}
for name, model in fits.items():
    error = 1000 * (model.predict(test) - reference) / n_atoms
    print(f"{name:20} energy RMSE {np.sqrt(np.mean(error**2)):.2f} meV/atom")

# %%
# Every component of every test frame:

plt.rcParams.update({"font.size": 11, "axes.spines.top": False})
plt.rcParams["axes.spines.right"] = False

plt.rcParams["figure.constrained_layout.use"] = True

figure, axes = plt.subplots(1, 2, figsize=(8, 4.3), sharey=True)
colours = {"Cu": "#ca9161", "O": "#d55e00", "C": "0.2", "H": "#56b4e9"}
markers = {"Cu": ".", "O": "s", "C": "D", "H": "^"}
for axis, name in zip(axes, ("untouched SevenNet-0", "energies and forces"), strict=True):
    axis.axline((0, 0), slope=1, color="0.6", linewidth=1, zorder=0)
    for element, colour in colours.items():
        of_element = symbols == element
        axis.plot(
            labels[:, of_element].ravel(),
            predictions[name][:, of_element].ravel(),
            markers[element],
            color=colour,
            markersize=4,
            label=element,
        )
    axis.set(title=name, xlabel="force by the label (eV/Å)", aspect="equal")
axes[0].set_ylabel("predicted (eV/Å)")
axes[0].legend(frameon=False)
plt.show()

# %%
# A calculator of ASE
# -------------------
#
# ``Calculator`` takes a fitted model, or its file. Energy, forces, stress, the energies of the
# atoms and the standard deviation of the energy come in one pass.

atoms = test[3].copy()
atoms.calc = Calculator(with_forces)
print(f"energy {atoms.get_potential_energy():.3f} eV", end=", ")
print(f"largest force {np.abs(atoms.get_forces()).max():.2f} eV/Å")
std = atoms.calc.results["energy_std"]
print(f"standard deviation {1000 * std / n_atoms:.2f} meV/atom")
print(f"a warning comes above {1000 * atoms.calc.warn_above:.2f} meV/atom")

# %%
# Dynamics
# --------
#
# Forty steps of 1 fs at 500 K by Langevin's equation, which is what the frames come from. That is
# enough to see how it works; for runs that matter there is ``mekrr md``, which takes up a run
# that was killed and ends one that leaves the physics.

rng = np.random.default_rng(0)
draw_momenta(atoms, 500, rng)
langevin = {"friction": 0.01 / units.fs, "fixcm": False, "rng": rng}
dynamics = Langevin(atoms, 1.0 * units.fs, temperature_K=500, **langevin)

log, trajectory = [], []


def note():
    """Keep the frame, and what is known of it."""
    std = 1000 * atoms.calc.results["energy_std"] / n_atoms
    log.append((atoms.get_temperature(), std, atoms.get_potential_energy()))
    trajectory.append(atoms.copy())


dynamics.attach(note)
dynamics.run(40)
temperature, std, energy = np.array(log).T
print(f"mean temperature {temperature.mean():.0f} K")
print(f"standard deviation at most {std.max():.2f} meV/atom, at {std.argmax()} fs")

# %%
# The standard deviation stays near that of the test frames: the run is where the model has been
# trained. It is no error bar of the dynamics, but it tells when to doubt.

figure, (upper, lower) = plt.subplots(2, 1, figsize=(7, 4.6), sharex=True)
upper.plot(temperature, color="#de8f05")
upper.axhline(500, color="0.6", linewidth=1, linestyle="--")
upper.set_ylabel("temperature (K)")
lower.plot(std, color="#0173b2")
lower.axhline(1000 * atoms.calc.warn_above, color="0.6", linewidth=1, linestyle="--")
lower.annotate("a warning", (40, 1000 * atoms.calc.warn_above), ha="right", va="bottom")
lower.set(xlabel="time (fs)", ylabel="standard deviation\n(meV/atom)", ylim=(0, 1.8))
plt.show()

# %%
# The run to look at:


def seen_from_the_side(atoms):
    """A copy with the molecule in the middle of the cell, the surface's normal upwards."""
    shown = atoms.copy()
    shown.positions += shown.cell.sum(axis=0) * [0.5, 0.5, 0.0]
    shown.wrap()
    shown.rotate(-90, "x", rotate_cell=True)
    return shown


time = np.arange(len(trajectory), dtype=float)
chemiscope.show(
    [seen_from_the_side(frame) for frame in trajectory],
    properties={
        "time": {"values": time, "units": "fs", "target": "structure"},
        "temperature": {"values": temperature, "units": "K", "target": "structure"},
        "standard deviation": {"values": std, "units": "meV/atom", "target": "structure"},
        "energy": {"values": energy, "units": "eV", "target": "structure"},
    },
    settings=chemiscope.quick_settings(
        x="time",
        y="energy",
        map_color="standard deviation",
        periodic=True,
        trajectory=True,
    ),
)

# %%
# What it does not know
# ---------------------
#
# In the run that was kept the C–H bond breaks. No training frame has such atoms, and the standard
# deviation says so, already where the bond is only stretched. It is too small where the errors
# are largest: far from all training frames nothing in the data tells how wrong a model is. **A
# large standard deviation is a reason to label such a frame, and no bound of the error.**

carbon, hydrogen = (whole[0].symbols.search(symbol)[0] for symbol in "CH")
bond = [atoms.get_distance(carbon, hydrogen, mic=True) for atoms in breaking]
predicted, std_breaking = with_forces.predict(breaking, return_std=True)
error = predicted - [atoms.get_potential_energy() for atoms in breaking]

figure, axis = plt.subplots(figsize=(7, 4))
axis.plot(bond, 1000 * np.abs(error) / n_atoms, "o", color="#d55e00", label="error")
axis.plot(
    bond,
    1000 * std_breaking / n_atoms,
    "s",
    color="#0173b2",
    fillstyle="none",
    label="standard deviation",
)
axis.axhspan(0, std.max(), color="0.9", zorder=0, label="std of the run above")
axis.set(xlabel="C–H distance (Å)", ylabel="meV/atom", ylim=(0, 32))
axis.legend(frameon=False, ncols=3, loc="upper center")
plt.show()

# %%
# A run that ends by itself
# -------------------------
#
# With ``stop_above`` the calculator raises an ``UncertaintyError`` where the standard deviation
# per atom exceeds it (here twice the largest of the run above), and keeps the frame, to be
# labelled and fitted. We provoke that by heat: 3,000 K.

folder = TemporaryDirectory()
kept = Path(folder.name) / "uncertain.extxyz"

hot = test[3].copy()
limit = 2 * std.max() / 1000  # eV/atom
hot.calc = Calculator(with_forces, warn_above=None, stop_above=limit, save=kept)
draw_momenta(hot, 3000, rng)
dynamics = Langevin(hot, 1.0 * units.fs, temperature_K=3000, **langevin)
try:
    dynamics.run(40)
except UncertaintyError as error:
    print(f"ended after {dynamics.get_number_of_steps()} steps:")
    print(str(error).replace(str(kept), kept.name).replace("; ", ";\n"))
print("kept:", ase.io.read(kept).get_chemical_formula())
folder.cleanup()

# %%
# Where to go from here
# ---------------------
#
# - Label the frames that were kept, or choose them from a long run:
#   :doc:`/auto_tutorials/4_active_learning` and :doc:`/howto/active_loop`.
# - Long runs, thermostats and limits: :doc:`/howto/dynamics`. Other engines:
#   :doc:`/howto/engines/index`.
# - What standard deviations mean: :doc:`/howto/uncertainty` and :doc:`/explanation/uncertainty`.
# - How forces are learnt along directions, and what inducing atoms are:
#   :doc:`/explanation/forces` and :doc:`/explanation/sparse`.

# sphinx_gallery_thumbnail_number = 1
