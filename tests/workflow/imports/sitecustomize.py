"""What each job of a study imported of the package; Python imports this file when it starts.

When a step's script ends, its rule, the modules that it loaded and its inputs are added as a
line of JSON to the file MEKRR_IMPORTS.
"""

import atexit
import json
import os
import sys


def note():
    step = getattr(sys.modules["__main__"], "snakemake", None)
    if step is None:  # Snakemake itself
        return
    loaded = [name for name in sys.modules if name.split(".")[0] == "mekrr"]
    line = json.dumps({"rule": step.rule, "loaded": loaded, "declared": list(step.input)})
    with open(os.environ["MEKRR_IMPORTS"], "a") as stream:
        stream.write(line + "\n")


atexit.register(note)
