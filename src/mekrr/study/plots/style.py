"""House style: paper sizes, colour-blind-safe colours, one colour per method, axes, files."""

from __future__ import annotations

import logging
import math
import warnings
from bisect import bisect_left
from collections.abc import Mapping, Sequence

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from mekrr.files import atomic_path
from mekrr.study.methods import METHODS, TRAINED, label

COLUMN = 3.3  # inches: one column of a two-column page
TEXT = 6.9  # inches: both columns
DPI = 200
MOST_TICKS = 6  # of a logarithmic axis of many decades
PAGE = 9.4  # inches: height of a page that leaves room for a caption
LONGEST = 48  # characters of a title, more are cut out of its middle
LONGEST_LABEL = 20  # where a title shares a line with other text
ROOM = 0.86  # share of a column of panels that a title may take
ROOM_OF_ROW = 0.75

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
METHOD_COLOURS = {name: method.colour for name, method in METHODS.items()}
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
    # One line of `save` says what these say of each sign, each time that it is drawn.
    warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")


def save(figure: Figure, paths: Sequence[str]) -> None:
    """Save in each of ``paths``, formats by suffix, whole or not at all, without dates.

    Written by the canvases themselves: `Figure.savefig` would draw everything twice for
    each form.
    """
    _tell_missing(figure)
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


def _tell_missing(figure: Figure) -> None:
    """Say in the log which signs of the figure's texts its font lacks."""
    font = get_font(findfont(FontProperties()))
    signs = {sign for text in figure.findobj(Text) for sign in text.get_text()}
    missing = sorted(sign for sign in signs - {"\n"} if ord(sign) not in font.get_charmap())
    if missing:
        logging.getLogger(__name__).warning(
            "%s has no %s: boxes stand for them in PDF and PNG; give a `title` without them",
            font.family_name,
            " ".join(missing),
        )


def title_of(datasets: Mapping[str, Mapping], name: str) -> str:
    """A data set's title in the registry, else its name, cut to `LONGEST`."""
    return cut(datasets[name].get("title", name))


def titles_of(backbones: Mapping[str, str], longest: int = LONGEST) -> dict[str, str]:
    """Titles, each cut to ``longest``."""
    return {name: cut(title, longest) for name, title in backbones.items()}


def fit_label(method: str, backbone: str, titles: Mapping[str, str]) -> str:
    """A method with its backbone's title, where it does not go without saying."""
    if backbone == "none" or method in TRAINED:
        return label(method)
    return plain(f"{label(method)}, {cut(titles.get(backbone, backbone), LONGEST_LABEL)}")


def cut(text: str, longest: int = LONGEST) -> str:
    """``text`` with its middle left out if it is long: titles often differ at their ends."""
    if len(text) <= longest:
        return text
    end = (longest - 1) // 3
    return f"{text[: longest - 1 - end]}…{text[-end:]}"


def plain(text: str) -> str:
    """``text`` as matplotlib draws it, which takes what is between two $ for a formula."""
    return text.replace("$", r"\$")


def title_panel(axis: Axes, text: str, width: float | None = None, **style) -> None:
    """Set a panel's title, in lines that fit a column of ``width`` inches, by default its own."""
    width = width or axis.figure.get_figwidth() / axis.get_subplotspec().get_gridspec().ncols
    title = axis.set_title("", **style)
    title.set_text(in_lines(text, ROOM * width, title))


def title_row(axis: Axes, title: str, quantity: str) -> None:
    """Label a vertical axis, in lines that fit its row of panels: what is drawn above its unit."""
    height = axis.figure.get_figheight() / axis.get_subplotspec().get_gridspec().nrows
    axis.set_ylabel(in_lines(f"{title}\n{quantity}", ROOM_OF_ROW * height, axis.yaxis.label))


def title_figure(figure: Figure, text: str, **style) -> None:
    """Set a figure's title, in lines that fit."""
    title = figure.suptitle("", **style)
    title.set_text(in_lines(text, 0.97 * figure.get_figwidth(), title))


def legend_below(figure: Figure, handles: Sequence[Artist], columns: int) -> Legend:
    """A legend under the panels, in ``columns`` or in as many as the figure has room for."""
    while True:
        legend = figure.legend(handles=handles, loc="outside lower center", ncols=columns)
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return legend
        legend.remove()
        columns -= 1


def in_lines(text: str, width: float, like: Text) -> str:
    """A `plain` text broken into lines of at most ``width`` inches in the font of ``like``."""
    lines = []
    for line in text.split("\n"):
        lines += _broken(line, 72 * width, like.get_fontproperties())
    return plain("\n".join(lines))


def _broken(line: str, width: float, font: FontProperties) -> list[str]:
    """Lines of at most ``width`` points, broken at spaces, or within words as the last resort."""

    def fits(text: str) -> bool:
        return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] <= width

    if fits(line):
        return [line]
    lines, rest = [], line
    while rest:
        lengths = range(1, len(rest) + 1)
        count = max(1, bisect_left(lengths, True, key=lambda n: not fits(rest[:n])))
        space = rest.rfind(" ", 1, count + 1) if count < len(rest) else -1
        lines.append(rest[: space if space > 0 else count].rstrip())
        rest = rest[space if space > 0 else count :].lstrip()
    return lines


def other_colours(names: Sequence[str]) -> dict[str, str]:
    """One colour for each backbone or way of splitting, apart from those of the methods."""
    return {name: _OTHERS[k % len(_OTHERS)] for k, name in enumerate(names)}


def _plain_number(value: float, _place: int) -> str:
    exponent = math.log10(value)
    if -4 <= exponent < 5 or exponent != round(exponent):
        return f"{value:g}"
    return f"$10^{{{exponent:.0f}}}$"


def plain_log(axis: Axis, most: int = MOST_TICKS) -> None:
    """A logarithmic axis with plain numbers, few where decades are many; at least two.

    Of numbers with many digits the power of ten stands there. ``most`` is how many numbers the
    axis has room for.

    To be called when the limits of the axis are final.
    """
    low, high = sorted(axis.get_view_interval())
    first, last = (math.floor(math.log10(limit)) for limit in (low, high))
    decades = [10.0**k for k in range(first, last + 1)]
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 7)):
        ticks = [step * ten for ten in decades for step in steps if low <= step * ten <= high]
        if len(ticks) >= 3:
            break
    if len(ticks) < 2:  # less than a step of the finest ladder, 1.55 to 1.95
        even = MaxNLocator(most - 1, min_n_ticks=2).tick_values(low, high)
        ticks = [tick for tick in even if low <= tick <= high]
    axis.set_major_locator(FixedLocator(ticks[:: -(-len(ticks) // most)]))
    axis.set_major_formatter(FuncFormatter(_plain_number))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
