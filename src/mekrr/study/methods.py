"""The methods that the study compares: the only table of them.

A new one is an entry here, and a model in `mekrr.models` that it names by its kind, see
`mekrr.study.experiments.fits`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from mekrr.choices import EXTENSIVE
from mekrr.data.strategies import STRATEGIES
from mekrr.study.recipes import GRID, Recipe

PUBLISHED = "gaussian"  # atom kernel, for which that of the configuration stands in


@dataclass(frozen=True, kw_only=True)
class Method(Recipe):
    """A recipe, and how the method looks in tables and figures.

    Attributes
    ----------
    colour : in figures. Kernels on frozen features are blue and green, sparse ones violet, ridge
        regression orange, trained networks red and brown: methods of one kind resemble each other.
    label : as a reader should see it; by default the name.
    learning : whether learning curves on frozen features show it.
    """

    colour: str
    label: str = ""
    learning: bool = False

    @property
    def recipe(self) -> dict[str, Any]:
        """Return what decides its fits, as plain values: another label fits nothing anew."""
        return {field.name: getattr(self, field.name) for field in fields(Recipe)}

    @property
    def steps(self) -> tuple[tuple[str, ...], str | None]:
        """What a fit needs of a frame, and its rule; None if that is free."""
        if self.kind == "network":
            return ("features",), "train_network"
        if self.kind == "potential":
            return (), "fit_gap"
        if self.kind == "franken":
            return (), "fit_franken"
        if self.kind == "constant":
            return ((), "fit_mean") if self.baseline == "references" else (("features",), None)
        if self.kind == "sparse":
            return ("features", *(["directions"] if self.forces else [])), "fit_sparse"
        if self.kernel == "linear":
            return ("features",), "fit_baselines"
        return ("features", "kernels"), "fit_mekrr"


# From the weakest reference to the estimators of the paper and their extensions.
_TABLE = (
    Method(name="training mean", colour="#949494", kind="constant"),
    Method(
        name="untouched GNN", colour="#cc78bc", kind="constant", baseline="network", learning=True
    ),
    Method(name="SchNet", colour="#d55e00", kind="network"),
    Method(
        name="SchNet-forces",
        colour="#a84b00",
        kind="network",
        label="SchNet + forces",
        forces=True,
    ),
    Method(name="GAP-SOAP", colour="#9a9200", kind="potential"),
    Method(
        name="GAP-SOAP-forces",
        colour="#5c5700",
        kind="potential",
        label="GAP-SOAP + forces",
        forces=True,
    ),
    Method(name="SchNet-FT", colour="#8c2d04", kind="network", baseline="delta"),
    *(
        Method(
            name=f"{name}{'-forces' if forces else ''}",
            colour=colour,
            kind="network",
            label=f"{name} + forces" if forces else "",
            baseline="delta",
            forces=forces,
        )
        for name, forces, colour in (
            ("SevenNet-FT", False, "#ca9161"),
            ("SevenNet-FT", True, "#99653a"),
            ("CHGNet-FT", False, "#5e3c1c"),
            ("CHGNet-FT", True, "#36210d"),
        )
    ),
    Method(name="franken", colour="#b03a6f", kind="franken"),
    Method(name="linear ridge", colour="#de8f05", kind="kernel", kernel="linear", learning=True),
    Method(name="species ridge", colour="#7a4f03", kind="kernel", kernel="linear", alpha=1.0),
    Method(name="MEKRR", colour="#0173b2", kind="kernel", kernel=PUBLISHED, learning=True),
    Method(
        name="MEKRR-alpha",
        colour="#029e73",
        kind="kernel",
        label="MEKRR-α",
        kernel=PUBLISHED,
        alpha=GRID,
        learning=True,
    ),
    Method(
        name="MEKRR-alpha-loo",
        colour="#015640",
        kind="kernel",
        label="MEKRR-α by LOO",
        kernel=PUBLISHED,
        alpha=GRID,
        criterion="leave-one-out",
    ),
    Method(
        name="MEKRR-species",
        colour="#7fcdb6",
        kind="kernel",
        label="MEKRR-α by species",
        kernel=PUBLISHED,
        alpha=GRID,
        by_species=True,
    ),
    Method(
        name="Delta-MEKRR",
        colour="#56b4e9",
        kind="kernel",
        label="Δ-MEKRR",
        baseline="delta",
        kernel=PUBLISHED,
        alpha=GRID,
        learning=True,
    ),
    Method(
        name="MEKRR-extensive",
        colour="#12828f",
        kind="kernel",
        label="MEKRR per atom",
        kernel=PUBLISHED,
        form=EXTENSIVE,
    ),
    Method(
        name="Delta-MEKRR-extensive",
        colour="#1f4e79",
        kind="kernel",
        label="Δ-MEKRR per atom",
        baseline="delta",
        kernel=PUBLISHED,
        form=EXTENSIVE,
    ),
    *(
        Method(
            name=f"{prefix}MEKRR-sparse{'-forces' if forces else ''}",
            colour=colour,
            kind="sparse",
            label=f"{sign}MEKRR sparse{' + forces' if forces else ''}",
            baseline=baseline,
            kernel=PUBLISHED,
            alpha=1.0,
            form=EXTENSIVE,
            forces=forces,
        )
        for prefix, sign, baseline, forces, colour in (
            ("", "", "references", False, "#a9a2d8"),
            ("Delta-", "Δ-", "delta", False, "#7b68c8"),
            ("", "", "references", True, "#5b3fa0"),
            ("Delta-", "Δ-", "delta", True, "#33135c"),
        )
    ),
)
METHODS = {method.name: method for method in _TABLE}
ORDER = tuple(METHODS)
REFERENCES = tuple(m.name for m in _TABLE if m.kind == "constant")  # learn nothing but a constant
GAPS = {m.name.lower(): m for m in _TABLE if m.kind == "potential"}  # by their names in files
NETWORKS = tuple(m.name for m in _TABLE if m.kind == "network")
TRAINED = tuple(m.name for m in _TABLE if m.kind in ("network", "potential"))  # no kernels of ours
STRATEGY_LABELS = {name: strategy.label for name, strategy in STRATEGIES.items()}


def methods_of(job: str) -> list[Method]:
    """Return the methods that one kind of job fits.

    "constants": to energies alone; of frozen features "baselines": ridge regression, and the
    untouched network; "mekrr": what needs kernels between atoms; "learning": those of learning
    curves; "frozen": all of these; "ablation": those that are taken apart. "sparse": sparse models;
    "ablation_sparse": those of them that are taken apart. One of `GAPS`: that one.
    """
    if job in GAPS:
        return [GAPS[job]]
    if job == "constants":
        return [m for m in _TABLE if m.kind == "constant" and m.baseline == "references"]
    if job == "sparse":
        return [m for m in _TABLE if m.kind == job]
    if job == "ablation_sparse":
        return [m for m in _TABLE if m.kind == "sparse" and m.forces]
    if job == "ablation":
        return [METHODS["MEKRR"], METHODS["MEKRR-alpha"]]
    frozen = [m for m in _TABLE if m.kind == "kernel" or m.baseline == "network"]
    if job == "frozen":
        return frozen
    if job == "learning":
        return [m for m in frozen if m.learning]
    return [m for m in frozen if (m.kernel == PUBLISHED) == (job == "mekrr")]


def modules_of(kind: str) -> list[str]:
    """Return the modules whose classes methods of a kind name."""
    return (
        [m.model.rpartition(".")[0] for m in methods_of("constants")] if kind == "constant" else []
    )


def label(method: str) -> str:
    """Return a method's name as a reader should see it."""
    return METHODS[method].label or method if method in METHODS else method
