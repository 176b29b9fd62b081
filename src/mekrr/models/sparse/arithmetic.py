"""What computes the products of sparse models: numpy, or torch where there is a GPU.

The way of the GPU is tested by torch on the CPU. It has never run on a GPU here.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

# NVIDIA's, AMD's, that of WSL: without one of them torch, which takes seconds, is not imported.
DRIVERS = "/dev/nvidiactl", "/dev/kfd", "/dev/dxg"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arithmetic:
    """A module of arrays.

    Attributes
    ----------
    xp : numpy, or torch. device : of torch; None of numpy.
    held : products held at once, or those of one frame.
    pending : rows that are decomposed at once.
    """

    xp: ModuleType = np
    device: Any = None
    held: int = 2**20  # 4 MB: fewer cost more each, more leave the cache
    pending: int = 1024  # likewise, and more take memory

    def settings(self) -> AbstractContextManager[None]:
        """Keep what the caller has set of torch from changing numbers."""
        if self.device is None:
            return nullcontext()
        from mekrr.torch_settings import own_torch_settings

        return own_torch_settings()

    def take(self, values: np.ndarray) -> Any:
        """Put an array where it is computed with."""
        if self.device is None:
            return values
        return self.xp.from_numpy(np.ascontiguousarray(values)).to(self.device)

    def give(self, values: Any) -> np.ndarray:
        """Return an array as numpy's."""
        found: np.ndarray = values if self.device is None else values.cpu().numpy()
        return found


@cache
def arithmetic() -> Arithmetic:
    """Return that of a CUDA device if there is one, else numpy's."""
    if not any(Path(driver).exists() for driver in DRIVERS):
        return Arithmetic()
    import torch

    if not torch.cuda.is_available():
        return Arithmetic()
    log.info("rows of sparse models are computed on %s", torch.cuda.get_device_name())
    return by_torch(torch.device("cuda"))


def by_torch(device: Any) -> Arithmetic:
    """Return that of a torch device, in pieces large enough for a GPU."""
    import torch

    return Arithmetic(torch, device, held=2**27, pending=8192)
