"""What a reader of the paper's two tables must know, as sentences below them."""

from __future__ import annotations

from collections.abc import Mapping

from mekrr.metrics import RESAMPLES
from mekrr.models.sparse.select import numbers_to_try
from mekrr.study.tables.comparison import Place
from mekrr.study.tables.printing.grid import FEWER

_READING = (
    "RMSE / MAE of the total energy per atom on test frames, in meV/atom; ± is the standard "
    "deviation over seeds, a range the 95 % bootstrap interval of a single fit. The best of each "
    "column among our own is bold; – was not run, "
    f"{FEWER} not on every seed and not compared. Rows “published” are the paper's numbers, "
    "MEKRR and SchNet-FT there on OC20's SchNet."
)
_INTERVALS = (
    f"Intervals: {RESAMPLES} bootstrap resamples of blocks of √n consecutive test frames, since "
    "neighbouring frames err alike; they say how the error would vary on other frames of the "
    "same kind, not with another training set: for that see the seeds."
)
PUBLISHED_EPOCHS = {"SchNet": 800, "SchNet-FT": 200}
_OUTLIERS = (
    "A seed that puts a lone frame into the test set (see the largest errors) carries the mean "
    "over seeds away; the medians do not follow."
)


def same_dataset_notes(
    places: Mapping[str, Place], settings: Mapping, compared: int | str = 0
) -> list[str]:
    """Notes of Table 1.

    Parameters
    ----------
    settings : as for `effort`.
    compared : on how many test frames of a fit forces are compared, or "all"; 0: on none.
    """
    which = (
        "all test frames" if compared == "all" else f"{compared} test frames of each fit at most"
    )
    forces = (
        f"Errors of forces are those of all components on {which}; by species, and as the mean "
        "over the species, they are in the CSV file. Where nothing is said of forces, a method has "
        "learnt energies alone."
    )
    return [
        f"{_READING} The paper divides frames at random.",
        "α, λ, the layer and epochs are chosen on validation frames, seed by seed. Frames of one "
        "trajectory resemble each other: a split at random leaks between train and test, the "
        "split by run does not.",
        *_stand_ins(places),
        *effort(settings),
        _INTERVALS,
        _OUTLIERS,
        *([forces] if compared else []),
    ]


def transfer_notes(places: Mapping[str, Place], settings: Mapping) -> list[str]:
    """Notes of Table 2; ``settings`` as for `effort`."""
    return [
        f"{_READING} Fitted on the source's training frames, everything chosen on the source's "
        "validation frames, tested on the target's test frames: the target's energies play no "
        "part.",
        "The paper's networks chose their best epoch on validation frames of the target, which "
        "favours them.",
        "Mean error subtracted: what is left after the mean signed error of the test frames is "
        "taken off. Data sets of other compositions or zeros of energy differ by a constant that "
        "no method can know from the source; energy differences within the target do not feel it.",
        *_stand_ins(places),
        *effort(settings),
        _INTERVALS,
    ]


def effort(settings: Mapping) -> list[str]:
    """How much of the data was used, and how long the paper's baselines were trained.

    Parameters
    ----------
    settings : ``every``, of the study; ``networks``, from each method to its settings of
        training; ``gap``, ``sparse`` and ``franken``, settings of GAP-SOAP, of sparse models and
        of franken, None if these were not fitted.
    """
    notes = []
    if settings["every"] > 1:
        notes.append(f"One frame in {settings['every']} of each data set is used.")
    for method, training in settings["networks"].items():
        note = (
            f"{method}: {training['epochs']} epochs, at least {training['least_steps']} steps, of "
            f"{training['batch_size']} frames each"
        )
        if method in PUBLISHED_EPOCHS:
            note += f"; the paper's: {PUBLISHED_EPOCHS[method]} epochs, 16 frames a step"
        if training["force_weight"]:
            note += f"; forces learnt with weight {training['force_weight']:g}"
        notes.append(f"{note}.")
    if settings["gap"]:
        notes.append(
            "GAP-SOAP: n_max {n_max}, l_max {l_max}, {n_sparse} representative atoms of each "
            "species; the paper's had 12, 6 and 1,000.".format(**settings["gap"])
        )
        if "forces" in settings["gap"]:
            notes.append(
                "GAP-SOAP + forces: those of {frames} training frames, taken to have an error of "
                "{sigma:g} eV/Å a component.".format(**settings["gap"]["forces"])
            )
    if settings["sparse"]:
        sparse, directions = settings["sparse"], settings["sparse"]["directions"]
        and_all = (
            " and all components of the forces on reactive atoms" if directions["reactive"] else ""
        )
        most = ", ".join(map(str, numbers_to_try(sparse["inducing"])))
        notes.append(
            f"Sparse models: {most} inducing atoms at most; with forces: "
            f"{directions['random']} random directions of each frame{and_all}."
        )
    if settings["franken"]:
        notes.append(
            f"franken: {settings['franken']['random_features']} random features, all components "
            "of forces, its own search on the validation frames."
        )
    return notes


def _stand_ins(places: Mapping[str, Place]) -> list[str]:
    names = [place.title for place in places.values() if place.published and not place.same]
    if not names:
        return []
    return [
        f"Made by this project in place of the paper's data: {', '.join(names)}. The published "
        "numbers in these columns are no target for ours."
    ]
