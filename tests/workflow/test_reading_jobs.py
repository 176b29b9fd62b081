"""How a data set is to be read, from the config to the table of frames."""

import ase.db
import numpy as np
import pandas as pd
from faulty import errors
from samples import labelled

FRAMES = "results/data/mine/frames.csv"
KEY = "datasets.mine.path"


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
    result = project.run(FRAMES)
    assert result.returncode == 0, result.stderr
    table = pd.read_csv(project.folder / FRAMES)
    expected = [atoms.get_potential_energy() for atoms in labelled(24)]
    np.testing.assert_allclose(table["energy"], expected)
    assert table["run"].tolist() == [k // 4 for k in range(24)]


def test_a_folder_of_data_bases(project):
    """Each of its files counts: one that is changed, or more of them, are read again."""
    folder = project.folder / "all"
    folder.mkdir()
    project.config["datasets"]["mine"]["path"] = folder.name
    (line,) = errors(project.run(FRAMES))
    assert line == f"mekrr: error: config: {KEY}: all: is a folder without *.aselmdb; give a file"
    for number, part in enumerate((labelled(24)[:10], labelled(24)[10:])):
        with ase.db.connect(folder / f"{number}.aselmdb") as database:
            for atoms in part:
                database.write(atoms)
    result = project.run(FRAMES)
    assert result.returncode == 0, result.stderr
    table = pd.read_csv(project.folder / FRAMES)
    np.testing.assert_allclose(table["energy"], [a.get_potential_energy() for a in labelled(24)])
    assert project.planned(FRAMES) == {}
    (folder / "1.aselmdb").rename(folder / "2.aselmdb")
    assert project.planned(FRAMES) == {"check_frames": 1}
    project.config["datasets"]["mine"]["sha256"] = "0" * 64
    (line,) = errors(project.run(FRAMES))
    assert line == "mekrr: error: all: is a folder, which has no checksum; leave out `sha256`"
