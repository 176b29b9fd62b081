"""House style: paper sizes, colour-blind-safe colours, one colour per method, axes, files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from mekrr.files import atomic_path
from mekrr.methods import TRAINED, label

COLUMN = 3.3  # inches: one column of a two-column page
TEXT = 6.9  # inches: both columns
DPI = 200
PAGE = 9.4  # inches: height of a page that leaves room for a caption

BLUE, ORANGE, GREEN, RED, PINK, BROWN, ROSE, GREY, YELLOW, SKY = PALETTE = (
    "#0173b2",
    "#de8f05",
    "#029e73",
    "#d55e00",
    "#cc78bc",
    "#ca9161",
    "#fbafe4",
    "#949494",
    "#ece133",
    "#56b4e9",
)  # seaborn's "colorblind"
# Kernels on frozen features are blue and green, ridge regression orange, trained networks
# red and brown: methods of one kind resemble each other.
METHOD_COLOURS = {
    "training mean": GREY,
    "untouched GNN": PINK,
    "SchNet": RED,
    "GAP-SOAP": "#9a9200",
    "SchNet-FT": "#8c2d04",
    "SevenNet-FT": BROWN,
    "CHGNet-FT": "#5e3c1c",
    "linear ridge": ORANGE,
    "species ridge": "#7a4f03",
    "MEKRR": BLUE,
    "MEKRR-alpha": GREEN,
    "MEKRR-alpha-loo": "#015640",
    "MEKRR-species": "#7fcdb6",
    "Delta-MEKRR": SKY,
}
# Backbones, ways of splitting and clusters have colours that no method has.
_OTHERS = ("#332288", "#cc6677", "#999933", "#882255", "#44aa99", "#661100")
CLUSTER_COLOURS = ("#bbd5f0", "#f3d3a2")
BACKBONE_MARKERS = ("o", "s", "^", "D", "v", "P")

RC = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "figure.titlesize": 9,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.title_fontsize": 8,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.linewidth": 0.6,
    "axes.edgecolor": "0.15",
    "axes.prop_cycle": mpl.cycler(color=PALETTE),
    "grid.color": "0.8",
    "grid.linewidth": 0.3,
    "xtick.color": "0.15",
    "ytick.color": "0.15",
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "xtick.minor.size": 2,
    "ytick.minor.size": 2,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "lines.linewidth": 1.2,
    "lines.markersize": 3,
    "image.cmap": "viridis",
    "svg.fonttype": "none",
    "svg.hashsalt": "mekrr",
    "pdf.fonttype": 42,
}


def use_house_style() -> None:
    """Set the style for all figures drawn after."""
    mpl.rcdefaults()
    mpl.rcParams.update(RC)


def save(figure: Figure, paths: Sequence[str]) -> None:
    """Save in each of ``paths``, formats by suffix, whole or not at all, without dates.

    Written by the canvases themselves: `Figure.savefig` would draw everything twice for
    each form.
    """
    figure.set_dpi(DPI)
    figure.draw_without_rendering()  # the layout, once for all forms
    figure.set_layout_engine("none")
    for path in paths:
        figure.set_dpi(DPI)  # canvases of vector formats leave their own
        with atomic_path(path) as temporary:
            form = temporary.suffix.lstrip(".")
            if form == "svg":
                FigureCanvasSVG(figure).print_svg(temporary, metadata={"Date": None})
            elif form == "pdf":
                FigureCanvasPdf(figure).print_pdf(temporary, metadata={"CreationDate": None})
            else:
                FigureCanvasAgg(figure).print_png(temporary)
    plt.close(figure)


def title_of(datasets: Mapping[str, Mapping], name: str) -> str:
    """A data set's title in the registry, else its name."""
    return datasets[name].get("title", name)


def fit_label(method: str, backbone: str, titles: Mapping[str, str]) -> str:
    """A method with its backbone's title, where it does not go without saying."""
    if backbone == "none" or method in TRAINED:
        return label(method)
    return f"{label(method)}, {titles.get(backbone, backbone)}"


def other_colours(names: Sequence[str]) -> dict[str, str]:
    """One colour for each backbone or way of splitting, apart from those of the methods."""
    return {name: _OTHERS[k % len(_OTHERS)] for k, name in enumerate(names)}


def plain_log(axis: Axis) -> None:
    """A logarithmic axis with plain numbers, few where decades are many; at least two.

    To be called when the limits of the axis are final.
    """
    low, high = sorted(axis.get_view_interval())
    decades = [10.0**k for k in range(-12, 13)]
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 7)):
        ticks = [step * ten for ten in decades for step in steps if low <= step * ten <= high]
        if len(ticks) >= 3:
            break
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
