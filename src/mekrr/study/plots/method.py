"""Diagram of the method, the paper's Figure 1, with a frame and kernels of the study."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii
from ase.data.colors import jmol_colors
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle

from mekrr.data.frames import load_frames
from mekrr.kernels.store import read_kernels
from mekrr.study.job import Step
from mekrr.study.plots.style import METHOD_COLOURS, TEXT, use_house_style

WIDTH, HEIGHT = 6.9, 2.3  # of the canvas, in inches, which are its units
MIDDLE = 1.22
FROZEN = "#cfe3f5"
GREY = "0.35"
SHOWN = 4  # atoms drawn of a species
CELL = 0.085
NOTES = (0.3, 0.15)  # heights of the lines below


def figures(step: Step) -> dict[str, Figure]:
    """Return the figure of a step of the study."""
    offsets = pd.read_csv(step.input.table)["offset"]
    (atoms,) = load_frames(step.input.frames, 0, offsets[1])
    kernels, _ = read_kernels(step.input.kernels)
    gram = kernels[step.params.layer]
    return {"figure": draw(atoms, gram.k0, gram.k1)}


def draw(atoms: Atoms, k0: np.ndarray, k1: np.ndarray) -> Figure:
    """From frames to energies, left to right.

    Parameters
    ----------
    atoms : one frame.
    k0, k1 : kernels between some frames in time order, (n, n).
    """
    use_house_style()
    figure = plt.figure(figsize=(TEXT, HEIGHT))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    axis.set_axis_off()
    species = list(dict.fromkeys(atoms.get_chemical_symbols()))
    colours = {s: _colour(s) for s in species}
    _frames(axis, atoms, colours)
    _arrow(axis, (1.12, MIDDLE), (1.34, MIDDLE))
    _network(axis)
    _arrow(axis, (2.22, MIDDLE), (2.54, MIDDLE), "layer ℓ")
    features = _features(axis, species, colours)
    _embeddings(axis, features, species, colours)
    _kernels(axis, k0, k1)
    _ridge(axis)
    return figure


def _colour(symbol: str) -> np.ndarray:
    """Of a species, as usual but never too pale for white paper."""
    colour = jmol_colors[atomic_numbers[symbol]]
    return 0.78 * colour if colour.min() > 0.7 else colour


def _heading(axis: Axes, x: float, text: str) -> None:
    axis.text(x, HEIGHT - 0.05, text, ha="center", va="top", fontsize=7.5, weight="bold")


def _note(axis: Axes, x: float, y: float, text: str, **style) -> None:
    axis.text(x, y, text, **{"ha": "center", "va": "center", "fontsize": 7} | style)


def _arrow(axis: Axes, begin: Sequence[float], end: Sequence[float], text: str = "") -> None:
    axis.add_patch(
        FancyArrowPatch(begin, end, arrowstyle="-|>", mutation_scale=8, lw=0.9, color=GREY)
    )
    if text:
        _note(axis, (begin[0] + end[0]) / 2, begin[1] + 0.12, text, fontsize=6.5, color=GREY)


def _box(axis: Axes, left: float, width: float, colour: str) -> None:
    corners = "round,pad=0,rounding_size=0.06"
    axis.add_patch(
        FancyBboxPatch((left, 0.6), width, 1.24, boxstyle=corners, fc=colour, ec=GREY, lw=0.6)
    )


def _cell(axis: Axes, x: float, y: float, colour: Sequence[float], shade: float) -> None:
    """One number of a vector; the darker, the larger."""
    colour = np.array(to_rgb(tuple(colour)))
    pale = colour + (1 - shade) * (1 - colour)
    axis.add_patch(Rectangle((x, y), CELL, CELL, fc=pale, ec="white", lw=0.3))


def _frames(axis: Axes, atoms: Atoms, colours: dict[str, np.ndarray]) -> None:
    """The frame from the side, in front of others."""
    _heading(axis, 0.58, "Frames $x_t$")
    left, bottom, width, height = 0.06, 0.72, 0.9, 0.9
    for shift in (0.12, 0.06, 0.0):
        axis.add_patch(
            Rectangle((left + shift, bottom + shift), width, height, fc="white", ec=GREY, lw=0.6)
        )
    atoms = atoms.copy()
    atoms.wrap()
    x, y, z = atoms.positions.T
    scale = min(0.86 * width / np.ptp(x), 0.8 * height / np.ptp(z))
    for k in np.argsort(-y):  # those in front last
        symbol = atoms.symbols[k]
        place = (
            left + width / 2 + scale * (x[k] - (x.max() + x.min()) / 2),
            bottom + height / 2 + scale * (z[k] - (z.max() + z.min()) / 2),
        )
        depth = (y[k] - y.min()) / max(np.ptp(y), 1e-9)
        pale = colours[symbol] + 0.55 * depth * (1 - colours[symbol])
        radius = 0.8 * scale * covalent_radii[atoms.numbers[k]]
        axis.add_patch(Circle(place, radius, fc=pale, ec="0.2", lw=0.25))
    _note(axis, 0.58, NOTES[0], atoms.get_chemical_formula())
    _note(axis, 0.58, NOTES[1], "energies $E_t$")


def _network(axis: Axes) -> None:
    _heading(axis, 1.78, "Frozen GNN")
    _box(axis, 1.38, 0.8, FROZEN)
    rng = np.random.default_rng(0)
    layers = np.linspace(1.5, 2.06, 4)
    nodes = [rng.permutation(np.linspace(0.74, 1.7, 5)) for _ in layers]
    for x, here, beyond, there in zip(layers[:-1], nodes[:-1], layers[1:], nodes[1:], strict=True):
        for y in here:
            for other in there:
                axis.plot([x, beyond], [y, other], color="white", lw=0.5, zorder=2)
    for x, here in zip(layers, nodes, strict=True):
        axis.plot([x] * len(here), here, "o", ms=3.5, mfc="white", mec=GREY, mew=0.6, zorder=3)
    _note(axis, 1.78, NOTES[0], "pre-trained on other")
    _note(axis, 1.78, NOTES[1], "data, not changed")


def _features(axis: Axes, species: list[str], colours: dict) -> dict[str, list[float]]:
    """Rows of cells, one for each atom shown; their heights by species."""
    _heading(axis, 2.9, "Atom features")
    left, rows = 2.6, {}
    block = SHOWN * CELL
    gap = 0.12
    y = MIDDLE + (len(species) * block + (len(species) - 1) * gap) / 2
    rng = np.random.default_rng(1)
    for symbol in species:
        rows[symbol] = []
        for _ in range(SHOWN):
            y -= CELL
            rows[symbol].append(y + CELL / 2)
            for column, shade in enumerate(rng.uniform(0.15, 0.9, 6)):
                _cell(axis, left + column * CELL, y, colours[symbol], shade)
        middle = np.mean(rows[symbol])
        _note(axis, left + 6 * CELL + 0.05, middle, symbol, ha="left", weight="bold")
        y -= gap
    _note(axis, 2.9, NOTES[0], "$h_i \\in \\mathbb{R}^d$ of each")
    _note(axis, 2.9, NOTES[1], "atom $i$")
    return rows


def _vector(axis: Axes, x: float, y: float, colour: Sequence[float], seed: int) -> None:
    for row, shade in enumerate(np.random.default_rng(seed).uniform(0.15, 0.9, 4)):
        _cell(axis, x, y + (row - 2) * CELL, colour, shade)


def _embeddings(axis: Axes, rows: dict, species: list[str], colours: dict) -> None:
    """One mean embedding of the whole frame above, one of each species below."""
    _heading(axis, 3.92, "Mean embeddings")
    whole, parts = 1.66, 0.88
    _arrow(axis, (3.36, MIDDLE + 0.12), (3.54, whole - 0.1))
    _arrow(axis, (3.36, MIDDLE - 0.12), (3.54, parts + 0.1))
    mixed = np.mean([colours[s] for s in species], axis=0)
    _vector(axis, 3.6, whole, mixed, 2)
    _note(axis, 3.76, whole + 0.05, "$\\frac{1}{n}\\sum_i \\phi(h_i)$", ha="left", fontsize=8)
    _note(axis, 3.92, whole - 0.28, "of the whole frame", fontsize=6.5, color=GREY)
    for k, symbol in enumerate(species[:3]):
        _vector(axis, 3.56 + 0.11 * k, parts, colours[symbol], 3 + k)
    x = 3.59 + 0.11 * min(len(species), 3)
    _note(
        axis, x, parts + 0.03, "$\\frac{1}{n_s}\\sum_{i \\in s} \\phi(h_i)$", ha="left", fontsize=8
    )
    _note(axis, 3.92, parts - 0.28, "of each species $s$", fontsize=6.5, color=GREY)
    _note(axis, 3.92, NOTES[1], "$k(h, h') = \\langle\\phi(h), \\phi(h')\\rangle$")


def _kernels(axis: Axes, k0: np.ndarray, k1: np.ndarray) -> None:
    _heading(axis, 4.86, "Kernels")
    size = 0.58
    for kernel, y, name, method in (
        (k0, 1.37, "$K_0$", "MEKRR"),
        (k1, 0.59, "$K_1$", "MEKRR-alpha"),
    ):
        _arrow(axis, (4.36, y + size / 2), (4.52, y + size / 2))
        axis.imshow(kernel, extent=(4.56, 4.56 + size, y, y + size), origin="lower", zorder=2)
        axis.add_patch(
            Rectangle((4.56, y), size, size, fc="none", ec=METHOD_COLOURS[method], lw=1.2, zorder=3)
        )
        _note(axis, 5.17, y + size / 2, name, ha="left", fontsize=9)
        _arrow(axis, (5.36, y + size / 2), (5.58, MIDDLE + (0.1 if y > MIDDLE else -0.1)))
    axis.set(xlim=(0, WIDTH), ylim=(0, HEIGHT), aspect="auto")
    _note(axis, 4.86, NOTES[1], "$t$ against $t'$")


def _ridge(axis: Axes) -> None:
    _heading(axis, 6.23, "Ridge regression")
    _box(axis, 5.62, 1.22, "#fbf1dd")
    lines = (
        "$K_\\alpha = (1-\\alpha)K_0 + \\alpha K_1$",
        "$(K_\\alpha + \\lambda T I)\\,c = E$",
        "$E(x) = \\sum_t c_t K_\\alpha(x, x_t)$",
    )
    for k, line in enumerate(lines):
        _note(axis, 6.23, 1.64 - 0.4 * k, line, fontsize=7)
    _note(axis, 6.23, NOTES[0], "$\\alpha$, $\\lambda$, $\\ell$ chosen on")
    _note(axis, 6.23, NOTES[1], "validation frames")
