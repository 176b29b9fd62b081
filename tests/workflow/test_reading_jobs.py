"""How a data set is to be read, from the config to the table of frames."""

import numpy as np
import pandas as pd
from samples import labelled


def test_format_and_keys_of_the_config(project):
    text = project.data.read_text().replace(" energy=", " energy=0 dft_energy=")
    text = text.replace("forces:R:3", "dft_forces:R:3").replace("run=0", "run=cold")
    project.data = project.data.rename(project.folder / "OUTCAR-frames")
    project.data.write_text(text.replace("\n4\n", "\n\n4\n"))
    project.config["datasets"]["mine"] |= {
        "path": project.data.name,
        "format": "extxyz",
        "energy_key": "dft_energy",
        "forces_key": "dft_forces",
    }
    result = project.run("results/data/mine/frames.csv")
    assert result.returncode == 0, result.stderr
    table = pd.read_csv(project.folder / "results/data/mine/frames.csv")
    expected = [atoms.get_potential_energy() for atoms in labelled(24)]
    np.testing.assert_allclose(table["energy"], expected)
    assert table["run"].tolist() == [k // 4 for k in range(24)]
