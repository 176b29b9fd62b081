"""A stretch of a trajectory in time order: what kernel heatmaps and clusters are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from ase.data import chemical_symbols

from mekrr.data.variables import label
from mekrr.errors import DataError
from mekrr.features.store import read_layer, stored_layers
from mekrr.kernels.atom import KERNELS
from mekrr.kernels.gram import Gram, self_gram, species_gram
from mekrr.kernels.lengthscale import find_lengthscale

DEFAULT_COUNT = 120  # frames; the paper shows 112


def choose_stretch(
    table: pd.DataFrame,
    dataset: str,
    run: int | None = None,
    first: int = 0,
    count: int = DEFAULT_COUNT,
    frames: Sequence[int] | None = None,
) -> np.ndarray:
    """Indices, in time order, of consecutive frames.

    Parameters
    ----------
    table : of all frames: frame and run.
    run, first, count : so many frames of one run, the longest by default, from its frame
        ``first`` on.
    frames : instead, the numbers of the first and the last frame. Such a stretch may join
        several runs.

    Raises a DataError if that leaves fewer than 2 frames.
    """
    if frames is not None:
        inside = table.loc[table["frame"].between(*frames), "frame"]
        members, what = inside.sort_values(kind="stable").index.to_numpy(), f"frames {frames}"
        known = f"frames: {table['frame'].min()} to {table['frame'].max()}"
    else:
        run = table["run"].mode()[0] if run is None else run
        members = table.index[table["run"] == run].to_numpy()[first : first + count]
        what = f"run {run} from frame {first} on"
        known = "runs: " + ", ".join(map(str, sorted(set(table["run"]))))
    if len(members) < 2:
        raise DataError(
            f"{dataset}: stretch: {what} has fewer than 2 frames; correct `stretch` in the "
            f"registry of data sets ({known})"
        )
    return members


def stretch_and_event(
    table: pd.DataFrame, dataset: str, entry: Mapping
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the stretch that the registry asks for, what divides frames, and its `cuts`.

    Parameters
    ----------
    table : of all frames: frame, run and the collective variable.
    entry : of the registry: ``stretch``, ``event`` and ``collective_variables``.

    Returns
    -------
    Indices of the stretch; the run of each frame and, where there is an event, whether it has
    happened there; the cuts, none without an event.
    """
    stretch = choose_stretch(table, dataset, **entry.get("stretch", {}))
    truths = {"run": table["run"].to_numpy()}
    if "event" not in entry:
        return stretch, truths, {}
    variable = table[label(entry["collective_variables"][0])].to_numpy()
    truths["event"] = variable > entry["event"]["above"]
    return stretch, truths, cuts(truths["run"], stretch, truths["event"])


def boundaries(run: np.ndarray) -> np.ndarray:
    """Positions at which another run begins, from the run (n,) of each frame in time order."""
    return np.flatnonzero(np.diff(run)) + 1


def cuts(run: np.ndarray, stretch: np.ndarray, happened: np.ndarray) -> dict[str, np.ndarray]:
    """The stretch once within one run and once with two runs joined.

    Joined runs differ in all that a run keeps in memory, so that clusters may find the
    boundary between them rather than an event. The paper's own stretch joins two runs.

    Parameters
    ----------
    run, happened : (n_frames,) run of each frame, and whether the event has happened there.
    stretch : (n,) indices in time order.

    Returns
    -------
    dict with indices in time order:

    ``one run``
        the stretch; of one that joins runs, its longest part with frames on both sides of
        the event. Left out if there is none.
    ``two runs``
        of a stretch within one run, as many frames: the end of that run, then the beginning
        of the next. Left out if there is but one run.
    """
    parts = np.split(stretch, boundaries(run[stretch]))
    both = [part for part in parts if happened[part].any() and not happened[part].all()]
    found = {"one run": max(both, key=len)} if both else {}
    if len(parts) > 1:
        return found | {"two runs": stretch}
    known = list(dict.fromkeys(run.tolist()))
    if len(known) > 1:
        here = known.index(run[stretch[0]])
        last, first = (np.flatnonzero(run == known[k % len(known)]) for k in (here, here + 1))
        half = len(stretch) // 2
        found["two runs"] = np.concatenate([last[-half:], first[:half]])
    return found


def marked(
    table: pd.DataFrame,
    stretch: np.ndarray,
    truths: Mapping[str, np.ndarray],
    cuts: Mapping[str, np.ndarray],
) -> pd.DataFrame:
    """Return the rows of the frames that are wanted, with what divides them and their places.

    Columns: those of the table; ``truth:NAME``, what divides frames; ``place:stretch`` and
    ``place:CUT``, the position of a frame in time order, -1 where it is no part.
    """
    wanted = np.unique(np.concatenate([stretch, *cuts.values()]))
    columns: dict[str, np.ndarray] = {f"truth:{name}": truth for name, truth in truths.items()}
    for name, members in {"stretch": stretch, **cuts}.items():
        place = np.full(len(table), -1)
        place[members] = np.arange(len(members))
        columns[f"place:{name}"] = place
    return table.assign(**columns).iloc[wanted]


def unmarked(
    table: pd.DataFrame,
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return stretch, truths and cuts of rows that `marked` made, by their positions."""
    truths, places = {}, {}
    for column in table:
        kind, _, name = str(column).partition(":")
        values = table[column].to_numpy()
        if kind == "truth":
            truths[name] = values
        elif kind == "place":
            places[name] = np.argsort(values, kind="stable")[np.count_nonzero(values < 0) :]
    return places.pop("stretch"), truths, places


def stretch_kernels(
    path: str,
    fitted: str,
    train: np.ndarray,
    atom: str,
    lengthscale: str | float,
    threads: int,
) -> dict[int, Gram]:
    """Kernels among the frames of a feature file, of every layer in it.

    Parameters
    ----------
    path : the feature file.
    fitted : that of the frames of the study, of which ``train`` set the lengthscales.
    atom : name of the atom kernel, see `mekrr.kernels.atom.KERNELS`.
    lengthscale : how σ is found, as for `find_lengthscale`.
    """
    kernels = {}
    for layer in stored_layers(path):
        sigma = find_lengthscale(read_layer(fitted, layer), train, lengthscale, threads=threads)
        kernel = KERNELS[atom](sigma)
        chosen = read_layer(path, layer)
        gram = species_gram(chosen, None, kernel, threads=threads)
        kernels[layer] = replace(
            gram, self_kernel=self_gram(chosen, kernel), lengthscale=kernel.lengthscale
        )
    return kernels


def kernels_of(gram: Gram) -> Iterator[tuple[str, np.ndarray]]:
    """K_0, K_1 and every species' share of K_1, by name: "K0", "K1", then symbols."""
    yield "K0", gram.k0
    yield "K1", gram.k1
    for species, share in sorted(gram.shares.items()):
        yield chemical_symbols[species], share


def part_of(kernels: Mapping[int, Gram], members: np.ndarray) -> dict[int, Gram]:
    """The kernels among some of the frames, by position."""
    return {layer: gram.rows(members).columns(members) for layer, gram in kernels.items()}
