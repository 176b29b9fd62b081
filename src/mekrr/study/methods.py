"""The methods that the study compares: the only table of them.

A new one is an entry here, and a model in `mekrr.models` that it names by its kind, see
`mekrr.study.experiments.fits`.
"""

from __future__ import annotations

from dataclasses import dataclass

from mekrr.data.strategies import STRATEGIES

GRID = None  # for the α of a method: chosen from the grid of the configuration


@dataclass(frozen=True)
class Method:
    """What a method is, and how it looks in tables and figures.

    Attributes
    ----------
    name : in the CSV tables.
    colour : in figures. Kernels on frozen features are blue and green, ridge regression orange,
        trained networks red and brown: methods of one kind resemble each other.
    kind : what is fitted: "constant", "potential" (to frames themselves), "network", or "kernel".
    label : as a reader should see it; by default the name.
    baseline : what is known beforehand: "references", a network's energies ("network"), or both
        ("delta"); see `mekrr.models.problem`.
    kernel : atom kernel, of kind "kernel" alone, as the rest.
    alpha : α of the kernel, or `GRID`.
    criterion : what chooses, see `mekrr.models.select.Search`.
    by_species : whether each species has its own α.
    learning : whether learning curves on frozen features show it.
    model : class of `mekrr.models` that is fitted, of kind "constant" alone: the others have one.
    """

    name: str
    colour: str
    kind: str
    label: str = ""
    baseline: str = "references"
    kernel: str = ""
    alpha: float | None = 0.0
    criterion: str = "validation"
    by_species: bool = False
    learning: bool = False
    model: str = "mekrr.models.constant.Constant"

    @property
    def steps(self) -> tuple[tuple[str, ...], str | None]:
        """What a prediction needs of a frame, and the rule of the fit; None if that is free."""
        if self.kind == "network":
            return ("features",), "train_network"
        if self.kind == "potential":
            return (), "fit_gap"
        if self.kind == "constant":
            return ((), "fit_mean") if self.baseline == "references" else (("features",), None)
        if self.kernel == "linear":
            return ("features",), "fit_baselines"
        return ("features", "kernels"), "fit_mekrr"


# From the weakest reference to the estimators of the paper and their extensions.
_TABLE = (
    Method("training mean", "#949494", "constant"),
    Method("untouched GNN", "#cc78bc", "constant", baseline="network", learning=True),
    Method("SchNet", "#d55e00", "network"),
    Method("GAP-SOAP", "#9a9200", "potential"),
    Method("SchNet-FT", "#8c2d04", "network", baseline="delta"),
    Method("SevenNet-FT", "#ca9161", "network", baseline="delta"),
    Method("CHGNet-FT", "#5e3c1c", "network", baseline="delta"),
    Method("linear ridge", "#de8f05", "kernel", kernel="linear", learning=True),
    Method("species ridge", "#7a4f03", "kernel", kernel="linear", alpha=1.0),
    Method("MEKRR", "#0173b2", "kernel", kernel="gaussian", learning=True),
    Method(
        "MEKRR-alpha",
        "#029e73",
        "kernel",
        label="MEKRR-α",
        kernel="gaussian",
        alpha=GRID,
        learning=True,
    ),
    Method(
        "MEKRR-alpha-loo",
        "#015640",
        "kernel",
        label="MEKRR-α by LOO",
        kernel="gaussian",
        alpha=GRID,
        criterion="leave-one-out",
    ),
    Method(
        "MEKRR-species",
        "#7fcdb6",
        "kernel",
        label="MEKRR-α by species",
        kernel="gaussian",
        alpha=GRID,
        by_species=True,
    ),
    Method(
        "Delta-MEKRR",
        "#56b4e9",
        "kernel",
        label="Δ-MEKRR",
        baseline="delta",
        kernel="gaussian",
        alpha=GRID,
        learning=True,
    ),
)
METHODS = {method.name: method for method in _TABLE}
ORDER = tuple(METHODS)
REFERENCES = tuple(m.name for m in _TABLE if m.kind == "constant")  # learn nothing but a constant
NETWORKS = tuple(m.name for m in _TABLE if m.kind == "network")
TRAINED = tuple(m.name for m in _TABLE if m.kind in ("network", "potential"))  # no kernels of ours
STRATEGY_LABELS = {name: strategy.label for name, strategy in STRATEGIES.items()}


def methods_of(job: str) -> list[str]:
    """Return the methods on frozen features that one kind of job fits.

    "baselines": ridge regression, and the untouched network; "mekrr": what needs kernels between
    atoms; "learning": those of learning curves.
    """
    frozen = [m for m in _TABLE if m.kind == "kernel" or m.baseline == "network"]
    if job == "learning":
        return [m.name for m in frozen if m.learning]
    return [m.name for m in frozen if (m.kernel == "gaussian") == (job == "mekrr")]


def constants() -> list[Method]:
    """Return the methods that are fitted to energies alone."""
    return [m for m in _TABLE if m.kind == "constant" and m.baseline == "references"]


def modules_of(kind: str) -> list[str]:
    """Return the modules whose classes methods of a kind name."""
    return [m.model.rpartition(".")[0] for m in constants()] if kind == "constant" else []


def label(method: str) -> str:
    """Return a method's name as a reader should see it."""
    return METHODS[method].label or method if method in METHODS else method
