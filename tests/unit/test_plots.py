"""Figures: one colour per method, axes that can be read, and texts that do not overlap.

Drawn for five data sets, two backbones, all methods: what is to fit on a page.
"""

import re
from itertools import combinations, product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from mekrr.study.methods import ORDER, TRAINED
from mekrr.study.plots import (
    alpha_sweep,
    calibration,
    calibration_forces,
    cost,
    errors,
    heatmap,
    large,
    learning,
    parity,
    reaction,
)
from mekrr.study.plots.style import (
    METHOD_COLOURS,
    PAGE,
    TEXT,
    cut,
    plain_log,
    save,
    use_house_style,
)

DATASETS = {f"d{k}": {"title": f"D{k} surrogate"} for k in range(1, 5)}
DATASETS["cu"] = {"title": "Cu/formate surrogate"}
BACKBONES = {"sevennet-0": "SevenNet-0", "chgnet-0.3.0": "CHGNet 0.3.0"}
VARIABLE = {"distance": ["N", "N"]}
SLACK = 1.0  # pixels


def fits():
    """Keys of every fit of a full study, with backbones as the fits state them."""
    without = {"training mean", "SchNet", "GAP-SOAP"}
    own = {"SchNet-FT": "schnet-oc20", "SevenNet-FT": "sevennet-0", "CHGNet-FT": "chgnet-0.3.0"}
    keys = []
    for method in ORDER:
        kin = method.removesuffix("-forces")
        backbones = ["none"] if kin in without else [own[kin]] if kin in own else BACKBONES
        keys += product(DATASETS, ("random", "run"), (0, 1, 3), [method], backbones)
    return pd.DataFrame(keys, columns=["dataset", "strategy", "seed", "method", "backbone"])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def overlaps(figure):
    """Pairs of texts that overlap, and texts that leave the figure."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    texts = [text for text in shown(figure) if text.get_text().strip() and text.get_visible()]
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts]
    found = [
        (a, b)
        for (a, one), (b, other) in combinations(boxes, 2)
        if min(one.x1, other.x1) - max(one.x0, other.x0) > SLACK
        and min(one.y1, other.y1) - max(one.y0, other.y0) > SLACK
    ]
    whole = figure.bbox.padded(SLACK)
    found += [
        (text, "edge of the figure")
        for text, box in boxes
        if not (whole.contains(box.x0, box.y0) and whole.contains(box.x1, box.y1))
    ]
    plt.close(figure)
    return found


def shown(figure):
    """All texts of a figure but labels of ticks outside the limits of their axis."""
    texts = [*figure.texts, *(text for legend in figure.legends for text in legend.texts)]
    for axes in figure.axes:
        texts += [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            inside = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            texts += [label for tick in inside for label in (tick.label1, tick.label2)]
    return texts


def fits_on_a_page(figure):
    width, height = figure.get_size_inches()
    return width <= TEXT + 1e-9 and height <= PAGE + 0.1


def test_every_method_has_a_colour_of_its_own():
    colours = [METHOD_COLOURS[method] for method in ORDER]
    assert len(set(colours)) == len(ORDER)


LIMITS = [(1, 9), (45, 160), (0.8, 25), (1e-7, 1e3), (1e-2, 1e9), (2, 2.9), (1.55, 1.95)]
LIMITS += [
    (low, low * ratio) for low in (3e-15, 0.052, 1.0, 7.1, 9.6, 4e13) for ratio in (1.01, 1.15)
]


@pytest.mark.parametrize("limits", LIMITS)
def test_a_logarithmic_axis_has_labels_inside_its_limits(limits):
    figure, axis = plt.subplots()
    axis.set(xscale="log", xlim=limits)
    plain_log(axis.xaxis)
    ticks = axis.get_xticks()
    assert 2 <= len(ticks) <= 9
    assert all(limits[0] <= tick <= limits[1] for tick in ticks)
    assert len(set(axis.xaxis.get_major_formatter().format_ticks(ticks))) == len(ticks)
    plt.close(figure)


def sweep(rng):
    alphas = [0.0, *np.geomspace(1e-4, 1.0, 20)]
    keys = product(DATASETS, ("random", "run"), (0, 1, 3), BACKBONES, (1, 2), alphas, (1e-8, 1e-6))
    names = ["dataset", "strategy", "seed", "backbone", "layer", "alpha", "regularisation"]
    table = pd.DataFrame(keys, columns=names)
    bowl = np.log10(table["alpha"].clip(lower=1e-5) / alphas[10]) ** 2
    table["rmse"] = 1.0 + 0.1 * bowl + 0.01 * table["layer"] + 1e4 * table["regularisation"]
    return table.assign(mae=0.7 * table["rmse"])


def test_sweep_shows_0_and_1_and_marks_the_optimum(rng):
    figure = alpha_sweep.draw(sweep(rng), DATASETS, BACKBONES)
    axis = figure.axes[0]
    assert {0.0, 1.0} < set(axis.get_xticks())
    stars = [line for line in axis.lines if line.get_marker() == "*"]
    best = np.geomspace(1e-4, 1.0, 20)[9]
    assert len(stars) == 2 * len(BACKBONES)  # RMSE and MAE
    assert all(star.get_xdata()[0] == pytest.approx(best) for star in stars)
    assert fits_on_a_page(figure)
    assert overlaps(figure) == []


def test_errors_of_a_full_study_can_be_read(rng):
    table = fits()
    table["rmse"] = 10 ** rng.uniform(-0.3, 1.3, len(table))
    figure = errors.draw(table.assign(mae=0.8 * table["rmse"]), DATASETS, BACKBONES)
    assert fits_on_a_page(figure)
    assert overlaps(figure) == []


def test_errors_of_forces_of_a_full_study_can_be_read(rng):
    """Which differ by less than a factor of ten: numbers below a panel stand close together."""
    table = fits()
    table = table[(table["strategy"] == "random") & (table["seed"] == 0)]
    table["rmse"] = 10 ** rng.uniform(2.2, 2.87, len(table))
    figure = errors.draw(table.assign(mae=0.8 * table["rmse"]), DATASETS, BACKBONES, "meV/Å")
    assert fits_on_a_page(figure)
    assert overlaps(figure) == []


def test_costs_of_a_full_study_can_be_read(rng):
    table = fits()
    for column, decades in (("training", (0, 3)), ("prediction", (-2, -1)), ("rmse", (0, 1.3))):
        table[column] = 10 ** rng.uniform(*decades, len(table))
    figure = cost.draw(table, DATASETS, BACKBONES)
    assert fits_on_a_page(figure)
    assert overlaps(figure) == []


def test_learning_curves_of_a_full_study_can_be_read(rng):
    sizes = pd.DataFrame({"n_train": [10, 20, 50, 100, 200]})
    table = fits().merge(sizes, how="cross")
    table["rmse"] = 20 / np.sqrt(table["n_train"]) * 10 ** rng.uniform(0, 0.5, len(table))
    table["force_rmse"] = table["rmse"].where(table["dataset"] != "cu", np.nan)
    figure = learning.draw(table, DATASETS, BACKBONES)
    assert fits_on_a_page(figure)
    assert overlaps(figure) == []
    forces = learning.draw(table, DATASETS, BACKBONES, "force_rmse", "Force RMSE (meV/Å)")
    rows = table["dataset"].nunique()
    assert len(forces.axes) == len(figure.axes) * (rows - 1) / rows


def test_learning_curves_without_forces_say_so():
    figure = learning.draw(fits().assign(n_train=10), DATASETS, {}, "force_rmse", "Force RMSE")
    assert [text.get_text() for text in figure.texts] == ["Force RMSE: no data"]


def test_calibration_of_a_full_study_can_be_read():
    table = fits()
    curves = table.merge(pd.DataFrame({"expected": np.linspace(0, 1, 5)}), how="cross")
    curves["observed"] = curves["expected"] ** 1.5
    areas, methods = table.assign(miscalibration_area=0.07), calibration_forces.SHOWN
    assert set(calibration.METHODS) < set(methods)
    figure = calibration.draw(curves, areas, DATASETS, BACKBONES, methods)
    assert fits_on_a_page(figure)
    assert overlaps(figure) == []


def test_parity_shows_trained_networks_and_residuals(rng):
    table = fits()
    table = table[table["dataset"] == "cu"].merge(pd.DataFrame({"frame": range(20)}), how="cross")
    table["n_atoms"], table["energy_ref"] = 50, table["frame"] * 0.05
    table["energy_pred"] = table["energy_ref"] + rng.normal(scale=0.02, size=len(table))
    figure = parity.draw(table, "cu", DATASETS, BACKBONES)
    assert len(figure.axes) == 2 * (len(BACKBONES) + 1) * 2
    below = figure.axes[2]  # residuals of the first backbone, random split
    drawn = np.concatenate([line.get_ydata() for line in below.lines[1:]])
    ours = table[(table["strategy"] == "random") & (table["backbone"] == "sevennet-0")]
    ours = ours[ours["method"].isin(parity.LEARNT)]
    expected = 1000 * (ours["energy_pred"] - ours["energy_ref"]) / 50
    np.testing.assert_allclose(np.sort(drawn), np.sort(expected))
    assert set(TRAINED) & set(parity.METHODS) == set(TRAINED)
    assert fits_on_a_page(figure)


def test_errors_along_the_reaction_can_be_read(rng):
    table = fits()
    table = table[table["dataset"] == "d2"]
    table = table.merge(pd.DataFrame({"variable": np.linspace(1.1, 3.2, 10)}), how="cross")
    table["mae"] = 10 ** rng.uniform(-0.5, 1, len(table))
    figure = reaction.draw(table, VARIABLE, {"above": 2.0}, "d2", DATASETS, BACKBONES)
    assert overlaps(figure) == []


def stretch(n=30):
    series = pd.DataFrame({"frame": 2000 + np.arange(n), "run": [0] * 10 + [1] * (n - 10)})
    series["N–N distance"] = np.linspace(1.1, 3.0, n)
    kernel = 0.6 + 0.01 * np.random.default_rng(3).random((n, n))
    return series, heatmap.Panel("K", kernel, np.arange(n) // 15, (0.9, 0.5))


def test_each_map_is_scaled_to_0_and_1():
    series, panel = stretch()
    other = heatmap.Panel("L", 5 * panel.kernel + 2, panel.clusters, panel.scores)
    figure = heatmap.draw([[panel, other]], series, VARIABLE, {"above": 2.0}, "title")
    for axis in figure.axes[:2]:
        values = axis.images[0].get_array()
        assert values.min() == 0.0
        assert values.max() == 1.0
    assert overlaps(figure) == []


def test_layers_fit_side_by_side():
    series, panel = stretch()
    row = [
        heatmap.Panel(f"layer {k}, α = 0", panel.kernel, panel.clusters, (1, 1)) for k in range(5)
    ]
    figure = heatmap.draw([row, row], series, VARIABLE, {"above": 2.0}, "title")
    assert fits_on_a_page(figure)
    assert overlaps(figure) == []


def test_time_where_frames_state_it_else_their_number():
    series, _ = stretch()
    clock = heatmap.Clock.of(series)
    assert (clock.title, clock.frames[0]) == ("Frame", 2000)
    clock = heatmap.Clock.of(series.assign(time_fs=20.0 * np.arange(30)))
    assert clock.title == "Time (ps)"
    assert clock.end == pytest.approx(0.59)
    joined = series.assign(time_fs=[*range(10), *range(20)])  # time begins anew
    assert heatmap.Clock.of(joined).title == "Frame"


ODD = "a|b $x_1$ %#&{}~^\\ <b>é 金 😀"
LONG = "The adsorption of formate on a copper surface at four hundred kelvin, run number 12"
ODD_DATASETS = {"d1": {"title": ODD}, "d2": {"title": LONG}, "cu": {"title": "W" * 80}}
ODD_BACKBONES = {"sevennet-0": f"$a$ {LONG}", "chgnet-0.3.0": ODD}


def formulas(figure):
    """Texts with a part of a title that are set as formulas."""
    texts = [text for text in figure.findobj(Text) if re.search("x_1|run n|W", text.get_text())]
    assert texts
    return [t.get_text() for t in texts if t.get_parse_math() and is_math_text(t.get_text())]


def is_math_text(text):
    """As matplotlib counts: an even number of dollars without a backslash."""
    dollars = len(re.findall(r"(?<!\\)\$", text))
    return dollars > 0 and dollars % 2 == 0


def test_odd_and_long_titles_are_drawn_as_they_are(rng):
    table = fits().assign(miscalibration_area=0.07)
    table = table[table["method"].isin(["SchNet", "linear ridge", "MEKRR-alpha"])]
    table = table[table["dataset"].isin(ODD_DATASETS)]
    for column in ("rmse", "mae"):
        table[column] = 10 ** rng.uniform(-0.3, 1.3, len(table))
    curves = table.merge(pd.DataFrame({"expected": [0, 0.5, 1]}), how="cross")
    curves["observed"] = curves["expected"]
    along = table[table["dataset"] == "d2"].assign(variable=1.1)
    drawn = [
        errors.draw(table, ODD_DATASETS, ODD_BACKBONES),
        calibration.draw(curves, table, ODD_DATASETS, ODD_BACKBONES, calibration.METHODS),
        reaction.draw(along, VARIABLE, None, "d2", ODD_DATASETS, ODD_BACKBONES),
    ]
    series, panel = stretch()
    drawn.append(heatmap.draw([[panel, panel]], series, VARIABLE, None, f"{ODD}, {LONG}, {LONG}"))
    for figure in drawn:
        assert formulas(figure) == []
        assert overlaps(figure) == []


def test_long_titles_keep_their_ends():
    assert cut("short") == "short"
    assert cut(LONG) == "The adsorption of formate on a c…, run number 12"


def test_signs_that_the_font_lacks_are_told_once(tmp_path, caplog, recwarn):
    use_house_style()
    figure, axis = plt.subplots()
    axis.set_title("金 é 金 銀")
    save(figure, [tmp_path / "one.png", tmp_path / "one.svg", tmp_path / "one.pdf"])
    (record,) = caplog.records
    assert record.getMessage().startswith("DejaVu Sans has no 金 銀: boxes stand for them")
    assert not [w for w in recwarn if "Glyph" in str(w.message)]
    assert "金 é 金 銀" in (tmp_path / "one.svg").read_text(encoding="utf-8")


def test_saved_files_have_the_size_asked_for(tmp_path):
    figure, axis = plt.subplots(figsize=(3.3, 2.0), layout="constrained")
    axis.plot([0, 1])
    save(figure, [tmp_path / "one.png", tmp_path / "one.svg", tmp_path / "one.pdf"])
    assert plt.imread(tmp_path / "one.png").shape[1] == pytest.approx(3.3 * 200, abs=1)
    assert all((tmp_path / f"one.{form}").stat().st_size > 1000 for form in ("svg", "pdf"))


def test_errors_of_many_decades_can_be_read(rng):
    """As of cells so compressed that a network is off by 10⁵ eV/atom."""
    groups = ["all", *(f"a group of frames {k}" for k in range(12))]
    methods = ["training mean", "untouched GNN", "MEKRR-sparse", "MEKRR-sparse-forces"]
    keys = pd.MultiIndex.from_product(
        [["cu"], ["random"], [0, 1], ["100", "all"], ["sevennet-0"], methods, groups],
        names=["dataset", "strategy", "seed", "size", "backbone", "method", "group"],
    )
    table = keys.to_frame(index=False)
    table["n_train"] = table["size"].map({"100": 100, "all": 15_000})
    table["mae"] = 10.0 ** rng.uniform(-1, 8, len(table))
    table["slope_rmse"] = 10.0 ** rng.uniform(-2, 9, len(table))
    figures = [large.by_group(table, DATASETS, BACKBONES)]
    figures += [large.draw_curves(table, DATASETS, BACKBONES, e) for e in ("mae", "slope_rmse")]
    for figure in figures:
        assert overlaps(figure) == []
    (curve,) = [
        line for line in figures[1].axes[0].lines if line.get_color() == METHOD_COLOURS[methods[2]]
    ]
    some = table[(table["method"] == methods[2]) & (table["group"] != "all")]
    medians = some.groupby(["n_train", "seed"])["mae"].median().groupby("n_train").mean()
    np.testing.assert_allclose(curve.get_ydata(), medians)
