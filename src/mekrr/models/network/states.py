"""What the frozen trunk of a network makes of each frame: computed once, read every epoch.

A file holds, for each tensor, the rows of all frames one after the other and the pointers
that tell them apart, and the energies of the network as it starts. It is read as memory maps,
so that the frames need not fit into the main memory.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import BinaryIO

import numpy as np
import torch
from ase import Atoms

from mekrr.backbones.network import Network
from mekrr.backbones.sparse import State
from mekrr.files import scratch_folder
from mekrr.progress import progress_bar
from mekrr.tensors import TensorFile, TensorWriter, tensor_writer
from mekrr.torch_settings import own_torch_settings

AT_ONCE = 1 << 22  # values copied at a time


def collate(states: Sequence[Mapping[str, np.ndarray]], indices: Mapping[str, str]) -> State:
    """States of several frames as one: rows one after the other, indices moved along.

    Parameters
    ----------
    indices : from the name of a tensor of indices to that of the tensor whose rows they
        number.
    """
    batch = {name: np.concatenate([state[name] for state in states]) for name in states[0]}
    for name, rows in indices.items():
        begin = first = 0
        for state in states:
            end = begin + len(state[name])
            batch[name][begin:end] += first
            begin, first = end, first + len(state[rows])
    return {name: torch.from_numpy(values) for name, values in batch.items()}


@own_torch_settings()
def write_states(
    path: str | os.PathLike,
    network: Network,
    frames: Sequence[Atoms],
    device: torch.device,
    identity: Mapping[str, object],
) -> None:
    """States of ``frames`` and the energies that the untrained network gives them.

    Memory holds one frame. ``identity``, of frames and network, is kept beside them.
    """
    start = time.process_time()
    network.to(device)
    energy = np.empty(len(frames))
    counts: dict[str, list[int]] = {}
    with scratch_folder(path) as folder, ExitStack() as stack:
        files = {}
        with progress_bar(len(frames), f"{network.name}: trunk", "frames") as bar:
            for k, atoms in enumerate(frames):
                with torch.no_grad():
                    state = network.trunk(network.graph([atoms]).to(device))
                    energy[k] = network.head(state).double().item()
                for name, tensor in state.items():
                    if name not in files:
                        file = open(folder / name, "w+b")  # noqa: SIM115
                        files[name] = stack.enter_context(file)
                        counts[name] = []
                    files[name].write(np.ascontiguousarray(tensor.cpu().numpy()).data)
                    counts[name].append(len(tensor))
                bar.update()
        layout: dict[str, tuple[tuple[int, ...], np.dtype]] = {
            "start_energy": (energy.shape, energy.dtype)
        }
        for name, tensor in state.items():
            layout[f"{name}.pointer"] = ((len(frames) + 1,), np.dtype(np.int64))
            layout[name] = ((sum(counts[name]), *tensor.shape[1:]), tensor.cpu().numpy().dtype)
        metadata = {
            "identity": json.dumps(identity, sort_keys=True),
            "seconds": str(time.process_time() - start),
        }
        with tensor_writer(path, layout, metadata) as writer:
            writer.write("start_energy", energy)
            for name, file in files.items():
                writer.write(f"{name}.pointer", np.cumsum([0, *counts[name]]))
                _copy(file, writer, name, *layout[name])


def _copy(
    file: BinaryIO, writer: TensorWriter, name: str, shape: tuple[int, ...], dtype: np.dtype
) -> None:
    """Copy a tensor from a file of its values."""
    file.seek(0)
    row = int(np.prod(shape[1:], dtype=np.int64))
    rows = max(1, AT_ONCE // row)
    for begin in range(0, shape[0], rows):
        values = np.fromfile(file, dtype, count=min(rows, shape[0] - begin) * row)
        writer.write(name, values.reshape(-1, *shape[1:]), row=begin)


class States:
    """States of a data set's frames.

    Attributes
    ----------
    start_energy : (n_frames,) energies of the network as it starts, see `Network.head`.
    identity : of frames and network, as written.
    seconds : processor time that they took.
    """

    def __init__(self, path: str | os.PathLike):
        file = TensorFile(path)
        self.start_energy = np.array(file.read("start_energy"))
        self.identity = json.loads(file.metadata["identity"])
        self.seconds = float(file.metadata["seconds"])
        names = [n for n in file.names if f"{n}.pointer" in file.names]
        self._tensors = {name: file.read(name) for name in names}
        self._pointers = {name: np.array(file.read(f"{name}.pointer")) for name in names}

    def batch(
        self, frames: Sequence[int], indices: Mapping[str, str], device: torch.device
    ) -> State:
        """States of some frames as one, on ``device``; ``indices`` as for `collate`."""
        tensors = [(n, t, self._pointers[n]) for n, t in self._tensors.items()]
        states = [{n: t[begin[k] : begin[k + 1]] for n, t, begin in tensors} for k in frames]
        return {name: tensor.to(device) for name, tensor in collate(states, indices).items()}
