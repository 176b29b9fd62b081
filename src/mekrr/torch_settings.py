"""torch's settings of the process: ours while a network is at work, then the caller's again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

# Products of float32 matrices, each beside what it takes its precision from unless it has its own.
BACKENDS: Any = torch.backends  # whose attributes are made as torch is imported
PRODUCTS = (
    (BACKENDS.cuda.matmul, BACKENDS.cudnn),
    (BACKENDS.cudnn.conv, BACKENDS.cudnn),
    (BACKENDS.mkldnn.matmul, BACKENDS.mkldnn),
    (BACKENDS.mkldnn.conv, BACKENDS.mkldnn),
)
_forks: list[int] = []  # this process, if it is the fork of one that had torch
os.register_at_fork(after_in_child=lambda: _forks.append(os.getpid()))


@contextmanager
def own_torch_settings(threads: int | None = None) -> Iterator[None]:
    """Settings under which networks give the same numbers in any process.

    Tensors are float32 on the CPU unless told otherwise, gradients are recorded, nothing is
    computed in fewer digits: no autocast, and float32 products in float32, of which
    TensorFloat-32 and bfloat16 keep three digits. The caller's settings come back at the end.
    Some are of the process as a whole: its other threads meet ours meanwhile. Whether algorithms
    have to be deterministic stays the caller's choice; on a CPU it changes no number.

    Parameters
    ----------
    threads : threads of torch; None for as many as it has. A fork has one: torch waits without
        end for those that only its parent has.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        torch.set_default_dtype(torch.float32)
        if _forks:
            threads = 1
        if threads is not None:
            stack.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(threads)
        stack.enter_context(_full_precision())
        yield


@contextmanager
def _full_precision() -> Iterator[None]:
    before = [(product, _own_precision(product, parent)) for product, parent in PRODUCTS]
    for product, _ in before:
        product.fp32_precision = "ieee"
    try:
        yield
    finally:
        for product, precision in before:
            product.fp32_precision = precision


def _own_precision(product: Any, parent: Any) -> str:
    """What to set, to have the present precision again: "none" where it is the parent's."""
    precision = product.fp32_precision
    return "none" if precision == parent.fp32_precision else precision
