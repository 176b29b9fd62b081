"""Zero-shot transfer: fitted on one data set, the origin, tested on another, the destination.

Everything is the origin's: training frames, layer, α, λ, σ and reference energies. The
destination's energies play no part but as what the predictions are compared with.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mekrr.data.references import Rule, species_of
from mekrr.errors import DataError
from mekrr.files import write_csv
from mekrr.models.problem import Problem


@dataclass(frozen=True)
class Transfer:
    """Two data sets, each with all frames under its split.

    Attributes
    ----------
    origin, destination : their references, if any, are not used.
    rule : how references follow from the origin's training frames, see `Problem.of`.
    names : of origin and destination, for messages.
    """

    origin: Problem
    destination: Problem
    rule: Rule
    names: tuple[str, str]

    @classmethod
    def read(
        cls,
        tables: tuple[str, str],
        splits: tuple[str, str],
        rule: Rule,
        names: tuple[str, str],
    ) -> Transfer:
        """Take it from the tables of frames and the splits of both."""
        both = zip(tables, splits, names, strict=True)
        problems = (Problem.read(table, split, None, name) for table, split, name in both)
        return cls(*problems, rule, names)

    def problem(self, part: str = "test") -> Problem:
        """Return the origin's training frames, then the destination's of one part, as one problem.

        The latter are its "test" frames, whatever their part.

        Raises
        ------
        DataError
            If the destination has a species that no training frame of the origin has.
        """
        train = self.origin.frames.iloc[self.origin.members("train")]
        test = self.destination.frames.iloc[self.destination.members(part)]
        unknown = set(species_of(test)) - set(species_of(train))
        if unknown:
            raise DataError(
                f"{self.names[0]} to {self.names[1]}: no training frame of {self.names[0]} has "
                f"{', '.join(sorted(unknown))}; take the pair out of study.transfer"
            )
        split = np.repeat(["train", "test"], [len(train), len(test)])
        frames = pd.concat([train, test], ignore_index=True)
        return Problem.of(frames, split, self.rule, " to ".join(self.names))

    def of_both(
        self, origin: np.ndarray, destination: np.ndarray, part: str = "test"
    ) -> np.ndarray:
        """Return values of all frames of both as those of the frames of `problem`."""
        train, test = self.origin.members("train"), self.destination.members(part)
        return np.concatenate([origin[train], destination[test]])


def on_destination(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the predictions on the destination's frames alone."""
    return predictions[predictions["split"] == "test"].drop(columns="split")


def write_transfer(
    path: str | os.PathLike, predictions: Mapping[int, pd.DataFrame], labels: Mapping[str, str]
) -> None:
    """Write the predictions of each seed, each row opened by source, target, strategy and seed."""
    opening = {name: labels[name] for name in ("source", "target", "strategy")}
    tables = [
        pd.concat([pd.DataFrame(opening | {"seed": seed}, table.index), table], axis=1)
        for seed, table in predictions.items()
    ]
    write_csv(path, pd.concat(tables, ignore_index=True))
