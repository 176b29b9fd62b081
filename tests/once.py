"""What several of pytest's processes need, made by the first of them that asks for it."""

from __future__ import annotations

import os
import pickle

from filelock import FileLock


def once(factory, name, make):
    """What ``make`` returns, given a folder of that name beside those of all processes."""
    base = factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with FileLock(base / f"{name}.lock"):
        made = base / f"{name}.pickle"
        if not made.exists():
            made.write_bytes(pickle.dumps(make(base / name)))
        return pickle.loads(made.read_bytes())
