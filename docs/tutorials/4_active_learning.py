"""
One round of active learning
============================

Labels are dear: each is a DFT calculation. Of many frames without labels, which should get one?
Here you choose twelve frames for a model that has never seen a reaction, and hold the choice
against what a user without a model would do. You will

- fit a potential to frames of a molecule that stays whole,
- choose frames of which it knows the least, no two of them alike,
- see what that leaves unknown, beside as many frames at random and by stride,
- label them, fit again, and compare the errors,
- see a pool from which it does not pay to choose.

It is one round of three or four that a project has; :doc:`/howto/active_loop` runs them all.
"""

# %%
# What is known, and what is not
# ------------------------------
#
# N2 on iron. The model gets 25 frames of plain dynamics at 700 K, in which the molecule never
# breaks. The pool has 65 frames of metadynamics: in two of its four runs the bond breaks, at the
# end. The test has frames between those of the pool; of those with a broken bond it has many, so
# that their error is not that of three frames. All have labels already, by a machine-learned
# potential that stands for DFT (:doc:`/reproduction/surrogates`), so that labelling a frame is
# looking it up.

from pathlib import Path

import ase.io
import chemiscope
import matplotlib.pyplot as plt
import numpy as np

from mekrr import SparseMEKRR
from mekrr.selection import select_frames

here = Path(globals().get("__file__", "tutorial")).resolve()
root = next((folder for folder in here.parents if (folder / "workflow").is_dir()), None)
if root is None:
    raise SystemExit("the frames are in the repository: run this in docs/tutorials of a clone")
surrogates = root / "workflow/resources/surrogates"
quiet = ase.io.read(surrogates / "d1.extxyz.gz", "::4")
known = quiet[::4]
reactive = ase.io.read(surrogates / "d2.extxyz.gz", "::3")
pool = reactive[::3]


def bond(atoms):
    """Distance of the two nitrogen atoms in Å."""
    return atoms.get_distance(*atoms.symbols.search("N"), mic=True)


BROKEN = 1.5  # Å
others = [atoms for k, atoms in enumerate(reactive) if k % 3]
test = [atoms for atoms in others if bond(atoms) <= BROKEN][::6]
test += [atoms for atoms in others if bond(atoms) > BROKEN]
broken = np.array([bond(atoms) > BROKEN for atoms in test])
bonds = np.array([bond(atoms) for atoms in pool])
print(f"known: {len(known)} frames, bonds up to {max(map(bond, known)):.2f} Å")
print(f"pool:  {len(pool)} frames, {(bonds > BROKEN).sum()} with a bond beyond {BROKEN} Å")
print(f"test:  {len(test)} frames, {broken.sum()} with such a bond")

# %%
# The first fit
# -------------
#
# A :term:`sparse potential`, to be quick on energies alone (``forces=0``) and on one layer of the
# network; with forces all that follows is the same.


def fit(frames):
    """Fit a potential to these frames."""
    settings = {"layers": [2], "forces": 0, "inducing": 200, "lengthscale": 2.0}
    return SparseMEKRR("sevennet-0", target="energy", **settings).fit(frames)


def errors(model, frames):
    """Return the errors of frames in meV/atom."""
    labels = np.array([atoms.get_potential_energy() for atoms in frames])
    return 1000 * (model.predict(frames) - labels) / len(frames[0])


def rmse(errors):
    """Return the root of the mean square."""
    return np.sqrt(np.mean(errors**2))


def test_errors(model):
    """Return the test RMSE (meV/atom) of frames with the bond whole, and broken."""
    of_test = errors(model, test)
    return rmse(of_test[~broken]), rmse(of_test[broken])


model = fit(known)
before = test_errors(model)
print(f"test RMSE: bond whole {before[0]:.1f}, broken {before[1]:.1f} meV/atom")

# %%
# The choice
# ----------
#
# The first frame is that with the largest standard deviation. It then counts as known, and all
# others are looked at anew: what resembles it is known better now, and is not taken. No label is
# needed for that. On the command line this is
#
# .. code-block:: console
#
#    $ mekrr select pool.extxyz -n 12 --model model.safetensors -o next.extxyz
#
# which writes the frames, a table and a picture.

N_CHOSEN = 12
selection = select_frames(pool, N_CHOSEN, model=model)
print(f"ended: {selection.ended}")
print("frame of the pool, N–N distance, standard deviation when chosen:")
stds = 1000 * selection.stds_when_chosen
for place, std in zip(selection.places[:5], stds, strict=False):
    print(f"{place:5} {bonds[place]:9.2f} Å {std:9.1f} meV/atom")

# %%
# Does it know what it does not know? Before anything was chosen, in the pool:

std = 1000 * selection.before
for name, part in {"whole": bonds <= BROKEN, "broken": bonds > BROKEN}.items():
    print(f"mean standard deviation, bond {name:6}: {std[part].mean():5.1f} meV/atom")

plt.rcParams.update({"font.size": 11, "axes.spines.top": False})
plt.rcParams["axes.spines.right"] = False
plt.rcParams["figure.constrained_layout.use"] = True

figure, axis = plt.subplots(figsize=(7.4, 3.8))
axis.plot(bonds, std, "o", color="0.75", label="pool")
first, rest = selection.places[:5], selection.places[5:]
axis.plot(bonds[first], std[first], "D", color="#d55e00", label="the first five")
axis.plot(bonds[rest], std[rest], "o", color="#0173b2", label="the others chosen")
axis.set(xlabel="N–N distance (Å)", ylabel="standard deviation (meV/atom)", ylim=0)
axis.legend(frameon=False, loc="lower right")
plt.show()

# %%
# Broken molecules are chosen, but not these alone. Look at the twelve, in the order of choice:


def seen_from_the_side(atoms):
    """A copy with the molecule in the middle of the cell, the surface's normal upwards."""
    shown = atoms.copy()
    molecule = shown.positions[shown.symbols == "N"].mean(axis=0)
    shown.positions += (shown.cell.sum(axis=0) / 2 - molecule) * [1, 1, 0]
    shown.wrap()
    shown.rotate(-90, "x", rotate_cell=True)
    return shown


chemiscope.show(
    [seen_from_the_side(pool[place]) for place in selection.places],
    properties={
        "order": {"values": np.arange(1.0, N_CHOSEN + 1), "target": "structure"},
        "N-N distance": {
            "values": bonds[selection.places],
            "units": "Å",
            "target": "structure",
        },
        "standard deviation": {
            "values": std[selection.places],
            "units": "meV/atom",
            "target": "structure",
        },
    },
    settings=chemiscope.quick_settings(
        x="order",
        y="N-N distance",
        map_color="standard deviation",
        periodic=True,
    ),
)

# %%
# What remains unknown
# --------------------
#
# What would be left unknown of the pool can be told before a single label is paid for, and what
# would be left by as many frames at random, or by stride, as well:

figure, axes = plt.subplots(1, 2, figsize=(8, 3.6), sharex=True)
ways = {"variance": "#0173b2", "stride": "#de8f05", "random": "#029e73"}
for axis, what in zip(axes, ("largest", "mean"), strict=True):
    for way, colour in ways.items():
        left = selection.left[selection.left["method"] == way]
        axis.plot(left["chosen"], 1000 * left[what], ".-", color=colour, label=way)
    axis.set(title=f"{what} of the pool", xlabel="frames chosen", ylim=0)
axes[0].set_ylabel("standard deviation (meV/atom)")
axes[1].legend(frameon=False)
plt.show()

end = selection.left[selection.left["chosen"] == N_CHOSEN].set_index("method")
for way in ways:
    largest, mean = 1000 * end.loc[way, ["largest", "mean"]]
    print(f"{way:9} largest {largest:4.1f}, mean {mean:4.1f} meV/atom")

# %%
# It is the worst frames that a choice helps; of the mean there is less to gain.
#
# Label, and fit again
# --------------------
#
# Twelve frames by each way, those at random three times:

chosen = {
    "by variance": selection.places,
    "by stride": np.linspace(0, len(pool) - 1, N_CHOSEN).round().astype(int),
}
for seed in range(3):
    drawn = np.random.default_rng(seed).choice(len(pool), N_CHOSEN, replace=False)
    chosen[f"at random, {seed}"] = drawn

after = {}
print(f"{'test RMSE, meV/atom':20} bond whole  broken   broken frames among the labels")
print(f"{'before':20} {before[0]:10.1f} {before[1]:7.1f}")
for name, places in chosen.items():
    after[name] = test_errors(fit(known + [pool[place] for place in places]))
    n_broken = (bonds[places] > BROKEN).sum()
    print(f"{name:20} {after[name][0]:10.1f} {after[name][1]:7.1f} {n_broken:8}")

# %%

figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True)
colours = ["0.75", "#0173b2", "#de8f05", *["#029e73"] * 3]
for axis, part, title in zip(axes, (0, 1), ("bond whole", "bond broken"), strict=True):
    values = [before[part], *(of[part] for of in after.values())]
    bars = axis.barh(["before", *after], values, color=colours)
    axis.bar_label(bars, fmt="%.1f", padding=3)
    axis.set(title=title, xlabel="test RMSE (meV/atom)", xlim=(0, 1.15 * max(values)))
axes[0].invert_yaxis()
plt.show()

# %%
# Does it pay?
# ------------

for part, title in enumerate(("whole", "broken")):
    at_random = [after[f"at random, {seed}"][part] for seed in range(3)]
    mean, spread = np.mean(at_random), np.std(at_random, ddof=1)
    ours = after["by variance"][part]
    verdict = "within the spread of random choices"
    if abs(ours - mean) > 2 * spread:
        verdict = "better than at random" if ours < mean else "worse than at random"
    print(f"bond {title:6}: at random {mean:.1f} ± {spread:.1f}", end=", ")
    print(f"by variance {ours:.1f} meV/atom: {verdict}")

# %%
# All ways help much: such frames are what was missing. The choice finds most of the broken
# molecules that the pool has, and gains by that; how much, the table says, and that it is no
# miracle. The pool is a trajectory through the reaction, of which frames at random meet every
# part as well.
#
# Where it does not pay
# ---------------------
#
# A pool that is like what is known already has nothing to find. Frames of the same plain dynamics
# as the training frames, half of them as a pool and half as a test:

quiet_pool, quiet_test = quiet[2::4], quiet[1::4]
alike = select_frames(quiet_pool, 8, model=model)
drawn = np.random.default_rng(0).choice(len(quiet_pool), 8, replace=False)

print(f"standard deviation before: {1000 * alike.before.mean():.1f} meV/atom, on average")
print(f"{'before':20} {rmse(errors(model, quiet_test)):.2f} meV/atom")
for name, places in {"8 by variance": alike.places, "8 at random": drawn}.items():
    again = fit(known + [quiet_pool[place] for place in places])
    print(f"{name:20} {rmse(errors(again, quiet_test)):.2f} meV/atom")

# %%
# Nothing is gained that a few more frames of any kind would not give, if anything. What the model
# knows least of such a pool are its extremes, and these are not what it is asked about.
#
# **A choice pays where the pool holds what the model has not seen, and rarely**: long runs with
# rare events, many runs that repeat each other, frames of many systems. In the project's own
# trial of the whole loop, frames that a young potential ran into and knew least did not beat
# frames of long runs of the true potential, which with DFT one does not have:
# :doc:`/howto/active_loop`.
#
# Where to go from here
# ---------------------
#
# - Options, other ways of choosing, a stop at a given certainty: :doc:`/howto/select_frames`.
# - All rounds, with dynamics between them, as a workflow: :doc:`/howto/active_loop`.
# - What is computed: :doc:`/explanation/selection`.

# sphinx_gallery_thumbnail_number = 1
