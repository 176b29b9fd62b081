"""Files of SchNets that this project pre-trained: safetensors, with a record as JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from ase.data import atomic_numbers
from pydantic import Field, ValidationError

from mekrr.backbones.schnet.layers import SPECIES, SchNetLayers
from mekrr.backbones.schnet.weights import Weights
from mekrr.backbones.weights import misfit
from mekrr.closed import Closed, Symbol
from mekrr.errors import BackboneError, DataError, first_fault
from mekrr.tensors import TensorFile, write_tensors

KEY = "mekrr-schnet"  # of the metadata


class Architecture(Closed):
    """Arguments of `SchNetLayers`."""

    hidden_channels: Annotated[int, Field(ge=2, le=4096)]
    num_filters: Annotated[int, Field(ge=1, le=4096)]
    num_interactions: Annotated[int, Field(ge=1, le=64)]
    num_gaussians: Annotated[int, Field(ge=2, le=4096)]
    cutoff: Annotated[float, Field(gt=0.5, le=100)]


class Record(Closed):
    """What stands beside the weights.

    Attributes
    ----------
    architecture : of the layers.
    factor : eV per unit of the output.
    references : eV by symbol, of each species that it was trained on.
    provenance : how it came about, for people.
    """

    architecture: Architecture
    factor: float
    references: dict[Symbol, float]
    provenance: dict[str, Any]


def write_own(path: str | os.PathLike, state: Mapping[str, np.ndarray], record: Record) -> None:
    """Write weights, as `SchNetLayers.state_dict` names them, and their record."""
    write_tensors(path, state, {KEY: record.model_dump_json()})


def read_own(path: str | os.PathLike) -> Weights:
    """Read a file that `write_own` wrote.

    Raises a BackboneError in one line if it is missing, damaged or no such file.
    """
    if not Path(path).is_file():
        raise BackboneError(f"{path}: no such file; restore it or correct its path")
    try:
        file = TensorFile(path)
        record = Record.model_validate_json(file.metadata[KEY])
        state = {name: torch.from_numpy(np.array(file.read(name))) for name in file.names}
    except KeyError:
        raise BackboneError(
            f"{path}: is no SchNet of this project; give one that make pretraining wrote"
        ) from None
    except (DataError, ValidationError, ValueError) as error:
        told = first_fault(error) if isinstance(error, ValidationError) else str(error)
        raise BackboneError(f"{path}: damaged weights: {told}; restore the file") from error
    model = SchNetLayers(**record.architecture.model_dump())
    wrong = misfit(state, model.state_dict())
    if not wrong and not all(bool(torch.isfinite(value).all()) for value in state.values()):
        wrong = "has values that are not finite"
    if wrong:
        raise BackboneError(f"{path}: {wrong}; restore the file")
    model.load_state_dict(state)
    references = torch.zeros(SPECIES, dtype=torch.float64)
    known = {atomic_numbers[symbol]: energy for symbol, energy in record.references.items()}
    references[list(known)] = torch.tensor(list(known.values()), dtype=torch.float64)
    return Weights(
        model.eval().requires_grad_(False),
        0.0,
        record.factor,
        None,
        references,
        frozenset(known),
        record.provenance,
    )
