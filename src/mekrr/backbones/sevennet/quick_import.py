"""Import of e3nn without torch's compiler; to stand before the first import of sevenn.

e3nn marks a function as not to be compiled, and the mark alone loads the compiler: more than a
second for each job, which compiles nothing.
"""

from __future__ import annotations

from importlib import import_module
from unittest.mock import patch

import torch

with patch.object(torch.compiler, "disable", lambda function: function):
    import_module("e3nn.o3")
