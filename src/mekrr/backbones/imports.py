"""Import of the adapters of networks."""

from __future__ import annotations

from importlib import import_module
from unittest.mock import patch


def import_adapter(module: str, name: str) -> type:
    """Class ``name`` of ``module``, an adapter of one family of networks."""
    if ".sevennet." in module:
        import torch

        # e3nn marks a function as not to be compiled, and the mark alone loads torch's compiler:
        # more than a second for each job, which compiles nothing.
        with patch.object(torch.compiler, "disable", lambda function: function):
            import_module("e3nn.o3")
    return getattr(import_module(module), name)
