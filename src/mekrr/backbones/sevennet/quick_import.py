"""e3nn without what takes long and decides nothing; to stand before the first import of sevenn.

e3nn marks a function as not to be compiled, and the mark alone loads torch's compiler: more than a
second for each job, which compiles nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from unittest.mock import patch

import torch

with patch.object(torch.compiler, "disable", lambda function: function):
    import_module("e3nn.o3")

_activation = import_module("e3nn.math._normalize_activation")


@contextmanager
def moments_once() -> Iterator[None]:
    """Within, let e3nn estimate the moments of an activation once, not for each layer that has it.

    From the same million random numbers each time.
    """
    with patch.object(_activation, "moment", cache(_activation.moment)):
        yield
