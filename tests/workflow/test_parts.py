"""Data sets of the form that the authors hand out: three files each, two cell sizes."""

import ase.io
import pandas as pd
from samples import labelled


def test_divided_data_sets_of_two_sizes(project):
    """As D2 and D4: the same surface in two cells, each in three files, by split published."""
    project.config["study"] |= {
        "datasets": ["D2", "D4"],
        "splits": ["published"],
        "seeds": [0, 1],
    }
    project.config["heatmap"] = {"split": "published", "seed": 0}
    for name, repeat in (("D2", 1), ("D4", 2)):
        paths = {}
        for seed, (part, count) in enumerate((("train", 12), ("val", 5), ("test", 6))):
            frames = []
            for atoms in labelled(count, seed=seed):
                larger = atoms.repeat((1, 1, repeat))
                larger.info = {}
                larger.calc = atoms.calc.__class__(
                    larger, energy=repeat * atoms.get_potential_energy()
                )
                frames.append(larger)
            paths[part] = f"{name}_{part}.extxyz"
            ase.io.write(project.folder / paths[part], frames)
        project.config["datasets"][name] = {"path": paths, "published_as": name}
    tables = [f"results/tables/{name}.csv" for name in ("metrics", "same_dataset")]
    result = project.run(*tables)
    assert result.returncode == 0, result.stderr
    table = pd.read_csv(project.folder / "results/tables/metrics.csv")
    assert set(table["dataset"]) == {"D2", "D4"}
    assert set(table["seed"]) == {0}, "the published split has no randomness"
    test = table[table["chosen"] & (table["split"] == "test")]
    assert (test["n_frames"] == 6).all()
    split = pd.read_csv(project.folder / "results/data/D4/splits/published-0.csv")["split"]
    assert split.tolist() == ["train"] * 12 + ["val"] * 5 + ["test"] * 6
    printed = pd.read_csv(project.folder / "results/tables/same_dataset.csv")
    ours = printed[(printed["dataset"] == "D4") & (printed["method"] == "MEKRR")].iloc[0]
    assert ours["published_rmse"] == 2.2
    assert ours["rmse_difference"] == ours["rmse"] - 2.2
