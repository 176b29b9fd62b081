"""What a job of the study imports before it begins: each of hundreds pays for it."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
CHECK = "import sys; print(*{'torch', 'sklearn', 'ase.io', 'scipy.optimize'} & set(sys.modules))"


@pytest.mark.parametrize("script", ["fit", "gram", "transfer", "table"])
def test_short_jobs_import_nothing_that_is_slow(script):
    lines = (SCRIPTS / f"{script}.py").read_text().splitlines()
    imports = [line for line in lines if line.startswith(("from ", "import "))]
    assert imports
    code = "\n".join([*imports, CHECK])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
