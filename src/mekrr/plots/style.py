"""House style: paper sizes, colour-blind-safe colours, one colour per method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.figure import Figure

from mekrr.files import atomic_path

COLUMN = 3.3  # inches: one column of a two-column page
TEXT = 6.9  # inches: both columns

PALETTE = sns.color_palette("colorblind")
# Kernels on frozen features are blue and green, ridge regression orange, trained networks
# red and brown: methods of one kind resemble each other.
METHOD_COLOURS = {
    "training mean": PALETTE[7],
    "untouched GNN": PALETTE[4],
    "SchNet": PALETTE[3],
    "GAP-SOAP": PALETTE[8],
    "SchNet-FT": PALETTE[5],
    "SevenNet-FT": PALETTE[5],
    "CHGNet-FT": sns.dark_palette(PALETTE[5], n_colors=3)[1],
    "linear ridge": PALETTE[1],
    "species ridge": sns.dark_palette(PALETTE[1], n_colors=3)[1],
    "MEKRR": PALETTE[0],
    "MEKRR-alpha": PALETTE[2],
    "MEKRR-alpha-loo": sns.dark_palette(PALETTE[2], n_colors=3)[1],
    "MEKRR-species": sns.light_palette(PALETTE[2], n_colors=4)[2],
    "Delta-MEKRR": PALETTE[9],
}


def use_house_style() -> None:
    """Set the style for all figures drawn after."""
    sns.set_theme(
        context="paper",
        style="ticks",
        palette="colorblind",
        rc={
            "font.size": 8,
            "axes.titlesize": 8,
            "axes.labelsize": 8,
            "xtick.labelsize": 7,
            "ytick.labelsize": 7,
            "legend.fontsize": 7,
            "legend.frameon": False,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.linewidth": 0.6,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
            "xtick.minor.width": 0.4,
            "ytick.minor.width": 0.4,
            "lines.linewidth": 1.2,
            "lines.markersize": 3,
            "savefig.dpi": 300,
            "svg.fonttype": "none",
            "svg.hashsalt": "mekrr",
            "pdf.fonttype": 42,
            "font.family": "DejaVu Sans",
        },
    )


def save(figure: Figure, paths: Sequence[str]) -> None:
    """Save in each of ``paths``, formats by suffix, whole or not at all, without dates."""
    for path in paths:
        metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
        with atomic_path(path) as temporary:
            figure.savefig(
                temporary,
                bbox_inches="tight",
                pad_inches=0.02,
                metadata=metadata[temporary.suffix.lstrip(".")],
            )
    plt.close(figure)


def title_of(datasets: Mapping[str, Mapping], name: str) -> str:
    """A data set's title in the registry, else its name."""
    return datasets[name].get("title", name)


def backbone_colours(backbones: Iterable[str]) -> dict[str, tuple]:
    """One colour per backbone, apart from those of the methods."""
    order = [3, 9, 5, 8, 6]
    return {name: PALETTE[order[k % len(order)]] for k, name in enumerate(backbones)}
