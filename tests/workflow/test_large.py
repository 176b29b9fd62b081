"""Large data sets: sparse models shard by shard, the same as of all frames in one job."""

import numpy as np
import pandas as pd
import yaml

from mekrr import SparseMEKRR
from mekrr.data.frames import load_frames

PLACE = "results/large/mine/random-0/all/toy"
FIT = "results/fits/mine/random-0/toy"
SAME = 1e-5  # eV: float32 products, summed in blocks of other frames
METHODS = ("MEKRR-sparse", "MEKRR-sparse-forces")


def test_fits_of_shards_are_those_of_one_job(project):
    """Choices and predictions; and the model file is one that people can use."""
    config = project.config
    config["study"] |= {"splits": ["random"], "seeds": [0]}
    config["datasets"]["mine"] |= {"frames": 24, "atoms": 4}
    config["features"] = {"shard_frames": 8}
    config["sparse"] = {
        "backbones": ["toy"],
        "skip": [],
        "directions": {"random": 2},
        "inducing": 12,
    }
    config["large"] = {"above": 20, "n_train": []}
    result = project.run("results/figures/large.svg")
    assert result.returncode == 0, result.stderr
    config["large"] = {"above": 24}
    result = project.run(f"{FIT}/sparse.predictions.csv")
    assert result.returncode == 0, result.stderr

    folder = project.folder
    chosen = pd.read_csv(folder / FIT / "sparse.choices.csv").set_index("method")
    expected = pd.read_csv(folder / FIT / "sparse.predictions.csv")
    expected = expected[expected["split"] == "test"].set_index(["method", "index"])
    shards = [pd.read_csv(path) for path in (folder / PLACE / "predictions").iterdir()]
    assert len(shards) == 3
    found = pd.concat(shards).set_index(["method", "index"])
    for method in METHODS:
        (ours,) = pd.read_csv(folder / PLACE / f"fits/{method}.choices.csv").to_dict("records")
        for column in ("layers", "lengthscale", "inducing", "sigma_energy", "regularisation"):
            assert ours[column] == chosen.loc[method, column], (method, column)
        pair = found.loc[method], expected.loc[method]
        for column, limit in (("energy_ref", 0.0), ("energy_pred", SAME), ("energy_std", SAME)):
            a, b = (table[column].sort_index().to_numpy() for table in pair)
            np.testing.assert_allclose(a, b, rtol=0, atol=limit)

    errors = pd.read_csv(folder / "results/tables/large.csv")
    whole = errors[(errors["group"] == "all") & (errors["size"] == "all")].set_index("method")
    off = found["energy_pred"] - found["energy_ref"]
    per_atom = 1000.0 * off / found["n_atoms"]
    for method in METHODS:
        rmse = np.sqrt(np.mean(np.square(per_atom.loc[method])))
        np.testing.assert_allclose(whole.loc[method, "rmse"], rmse, rtol=1e-9)
    assert set(errors["n_train"]) == {14}

    registry = folder / "registry.yaml"
    registry.write_text(yaml.safe_dump({"backbones": config["backbones"]}))
    model = SparseMEKRR.load(folder / PLACE / f"models/{METHODS[1]}.safetensors", registry)
    frames = load_frames(folder / "results/data/mine/frames.extxyz")
    table = found.loc[METHODS[1]].sort_index()
    energy, std = model.predict([frames[k] for k in table.index], return_std=True)
    np.testing.assert_allclose(energy, table["energy_pred"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(std, table["energy_std"], rtol=1e-4)


def test_nothing_exact_is_planned_of_a_large_data_set(project):
    config = project.config
    config["datasets"]["mine"] |= {"frames": 24}
    config["features"] = {"shard_frames": 8}
    config["sparse"] = {"backbones": ["toy"], "skip": [], "directions": {"random": 2}}
    config["large"] = {"above": 20}
    planned = project.planned()
    assert planned["large_rows"] == 3 * 4  # shards; splits and seeds
    for rule in ("gram", "fit_mekrr", "fit_sparse", "merge_features", "same_dataset_table"):
        assert rule not in planned
