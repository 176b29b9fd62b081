"""
One round of active learning
============================

Labels are dear: each is a DFT calculation. Of many frames without labels, which should get one?
Here you choose twelve frames for a model that has never seen a reaction, and hold the choice
against what a user without a model would do. You will

- fit a potential to frames of a molecule that stays whole,
- let ``mekrr select`` choose frames of which it knows the least, no two of them alike,
- see whether it knows what it does not know, where the molecule breaks,
- label them, fit again, and compare with as many frames at random and by stride.

It is one round of three or four that a project has; :doc:`/howto/active_loop` runs them all.
"""

# %%
# What is known, and what is not
# ------------------------------
#
# N2 on iron. The model gets 25 frames of plain dynamics at 700 K, in which the molecule never
# breaks. The pool has 65 frames of metadynamics: in two of its four runs the bond breaks, at the
# end. The test has frames between those of the pool, of the broken ones many, so that their error
# is not that of three frames. All have labels already, by a machine-learned potential that stands
# for DFT (:doc:`/reproduction/surrogates`), so that labelling a frame is looking it up.

from pathlib import Path

import ase.io
import chemiscope
import matplotlib.pyplot as plt
import numpy as np

from mekrr import SparseMEKRR
from mekrr.selection import select_frames

here = Path(globals().get("__file__", "tutorial")).resolve()
root = next(folder for folder in here.parents if (folder / "workflow").is_dir())
surrogates = root / "workflow/resources/surrogates"
known = ase.io.read(surrogates / "d1.extxyz.gz", "::16")
reactive = ase.io.read(surrogates / "d2.extxyz.gz", ":")
pool = reactive[::9]


def bond(atoms):
    """Distance of the two nitrogen atoms in Å."""
    return atoms.get_distance(*atoms.symbols.search("N"), mic=True)


others = [atoms for k, atoms in enumerate(reactive) if k % 9]
test = [atoms for atoms in others if bond(atoms) <= 1.5][::15]
test += [atoms for atoms in others if bond(atoms) > 1.5][::3]
broken = np.array([bond(atoms) > 1.5 for atoms in test])
n_broken = sum(bond(atoms) > 1.5 for atoms in pool)
print(f"known: {len(known)} frames, bonds up to {max(map(bond, known)):.2f} Å")
print(f"pool:  {len(pool)} frames, in {n_broken} of them the bond is longer than 1.5 Å")
print(f"test:  {len(test)} frames, {broken.sum()} of them with such a bond")

# %%
# The first fit
# -------------
#
# A sparse potential, to be quick on energies alone (``forces=0``) and on one layer of the network;
# with forces all that follows is the same.


def fit(frames):
    """A potential of these frames."""
    return SparseMEKRR("sevennet-0", layers=[2], forces=0, inducing=200, target="energy").fit(
        frames
    )


def errors(model):
    """Test RMSE in meV/atom of all frames, of those with the bond whole, and of the broken."""
    labels = np.array([atoms.get_potential_energy() for atoms in test])
    error = 1000 * (model.predict(test) - labels) / len(test[0])
    parts = (slice(None), ~broken, broken)
    return [np.sqrt(np.mean(error[part] ** 2)) for part in parts]


def line(name, values):
    """A line of the table."""
    return f"{name:28} {values[0]:5.2f} {values[1]:7.2f} {values[2]:7.2f}"


HEAD = f"{'test RMSE, meV/atom':28} {'all':>5} {'whole':>7} {'broken':>7}"
model = fit(known)
before = errors(model)
print(HEAD)
print(line("25 unreactive frames", before))

# %%
# The choice
# ----------
#
# The first frame is that with the largest standard deviation. It then counts as known, and all
# others are looked at anew: what resembles it is known better now, so that it is not taken twice.
# No label is needed for that. On the command line this is
#
# .. code-block:: console
#
#    $ mekrr select pool.extxyz -n 12 --model model.safetensors -o next.extxyz
#
# which writes the frames, a table and a picture.

N_CHOSEN = 12
selection = select_frames(pool, N_CHOSEN, model=model)
print(f"ended: {selection.ended}")
print(selection.table.head(5).round(4).to_string(index=False))

# %%
# Does it know what it does not know? Before anything was chosen, in the pool:

std = 1000 * selection.before
bonds = np.array([bond(atoms) for atoms in pool])
for name, part in (("whole", bonds <= 1.5), ("broken", bonds > 1.5)):
    print(f"mean standard deviation, bond {name:6}: {std[part].mean():5.2f} meV/atom")

# %%
# For comparison: what a user without a model does.

chosen = {"by variance": selection.places}
chosen["by stride"] = np.linspace(0, len(pool) - 1, N_CHOSEN).round().astype(int)
for seed in range(3):
    drawn = np.random.default_rng(seed).choice(len(pool), N_CHOSEN, replace=False)
    chosen[f"at random, seed {seed}"] = drawn

plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False})
figure, axis = plt.subplots(figsize=(7.4, 3.8), layout="constrained")
axis.plot(bonds, std, "o", color="0.75", label="pool")
axis.plot(bonds[selection.places], std[selection.places], "o", color="#0173b2", label="chosen")
for order, place in enumerate(selection.places[:5], start=1):
    axis.annotate(str(order), (bonds[place], std[place]), xytext=(5, 5), textcoords="offset points")
axis.set(xlabel="N–N distance (Å)", ylabel="standard deviation (meV/atom)", ylim=(0, None))
axis.legend(frameon=False)
plt.show()

# %%
# Numbers tell the order of the first five. They are spread over the pool: broken molecules, but
# not broken molecules alone. Look at the twelve, in the order of choice:

shown = [pool[place].copy() for place in selection.places]
for atoms in shown:
    atoms.rotate(-90, "x", rotate_cell=True)
chemiscope.show(
    shown,
    properties={
        "order of choice": {"values": list(range(1, N_CHOSEN + 1)), "target": "structure"},
        "N-N distance": {
            "values": [float(bonds[place]) for place in selection.places],
            "units": "Å",
            "target": "structure",
        },
    },
    settings=chemiscope.quick_settings(x="order of choice", y="N-N distance", periodic=True),
)

# %%
# Label, and fit again
# --------------------

after = {}
for name, places in chosen.items():
    after[name] = errors(fit(known + [pool[place] for place in places]))

print(HEAD)
print(line("before", before))
for name, values in after.items():
    print(line(f"+ {N_CHOSEN} {name}", values))

# %%

figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.2), layout="constrained", sharey=True)
for axis, part, title in zip(axes, (1, 2), ("bond whole", "bond broken"), strict=True):
    values = [before[part], *(of[part] for of in after.values())]
    colours = ["0.75", "#0173b2", "#de8f05", *["#029e73"] * 3]
    axis.barh(["before", *after], values, color=colours)
    axis.set(title=title, xlabel="test RMSE (meV/atom)")
axes[0].invert_yaxis()
plt.show()

# %%
# Does it pay?
# ------------

random = np.array([after[f"at random, seed {seed}"] for seed in range(3)])
mean, spread = random.mean(axis=0)[2], random.std(axis=0, ddof=1)[2]
print(f"broken: at random {mean:.1f} ± {spread:.1f}, by variance {after['by variance'][2]:.1f},")
print(f"by stride {after['by stride'][2]:.1f} meV/atom")

# %%
# Every way helps much: such frames are what was missing. The choice by variance is the best on
# broken molecules, but not by much more than seeds of a random choice differ, which depends on how
# many broken molecules are drawn. **Stride does not need a model either**: the pool is a trajectory
# that goes through the reaction, and an even walk along it meets every part.
#
# A choice pays where the pool is unlike that: long runs in which events are rare, many runs that
# repeat each other, frames of many systems. And it is the worst frames that it helps, not the mean.
# In our own trial of the whole loop it did not beat long runs of the true potential, which with DFT
# one does not have: :doc:`/howto/active_loop` has the numbers.
#
# Where to go from here
# ---------------------
#
# - Options, other ways of choosing, a stop at a given certainty: :doc:`/howto/select_frames`.
# - All rounds, with dynamics between them, as a workflow: :doc:`/howto/active_loop`.
# - What is computed: :doc:`/explanation/selection`.

# sphinx_gallery_thumbnail_number = 1
