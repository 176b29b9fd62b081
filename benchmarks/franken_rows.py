"""franken's program with a clock: `python franken_rows.py SECONDS.json FOLDER`, in its environment.

Written are the seconds of the processor that the rows of each training frame took, in turn; of
the first these count the search for how many derivatives to take at once.
"""

from __future__ import annotations

import json
import runpy
import sys
import time
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "src/mekrr/study/franken/program.py"


def main(seconds_file: str, folder: str) -> None:
    from franken.rf.model import FrankenPotential

    seconds: list[float] = []
    rows_of = FrankenPotential.grad_feature_map

    def timed(self, data):
        begin = time.process_time()
        rows = rows_of(self, data)
        seconds.append(time.process_time() - begin)
        return rows

    FrankenPotential.grad_feature_map = timed
    runpy.run_path(str(PROGRAM))["main"](folder)
    Path(seconds_file).write_text(json.dumps(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
