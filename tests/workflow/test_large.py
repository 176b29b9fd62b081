"""Large data sets: sparse models shard by shard, the same as of all frames in one job."""

import numpy as np
import pandas as pd
import pytest
import yaml

from mekrr import SparseMEKRR
from mekrr.data.frames import load_frames

PLACE = "results/large/mine/random-0/all/toy"
SAME = 1e-5  # eV: float32 products, summed in blocks of other frames
METHODS = {"MEKRR-sparse": 0, "MEKRR-sparse-forces": 2}  # and their directions of a frame


def test_fits_of_shards_are_those_of_the_estimator(finished_large, tmp_path):
    """Choices, predictions and errors; and the model file is one that people can use."""
    config, folder = finished_large.config, finished_large.folder
    registry = tmp_path / "registry.yaml"
    registry.write_text(yaml.safe_dump({"backbones": config["backbones"]}))
    frames = load_frames(folder / "results/data/mine/frames.extxyz")
    split = pd.read_csv(folder / "results/data/mine/splits/random-0.csv")["split"].to_numpy()
    known = np.flatnonzero(split != "test")
    shards = [pd.read_csv(path) for path in (folder / PLACE / "predictions").iterdir()]
    assert len(shards) == 2
    errors = pd.read_csv(folder / "results/tables/large.csv").set_index(["method", "group"])
    for method, directions in METHODS.items():
        whole = SparseMEKRR(
            "toy", layers=(1, 2), forces=directions, inducing=12, target="energy", registry=registry
        )
        whole.fit([frames[k] for k in known], validation=split[known] == "val")
        (ours,) = pd.read_csv(folder / PLACE / f"fits/{method}.choices.csv").to_dict("records")
        assert ours["inducing"] == len(whole.model_.basis)
        assert ours["lengthscale"] == whole.model_.basis.kernel.lengthscale
        assert ours["sigma_energy"] == pytest.approx(1000.0 * whole.model_.sigma_energy)
        assert ours["regularisation"] == pytest.approx(whole.model_.regularisation)

        found = pd.concat(shards).query(f"method == '{method}'").sort_values("index")
        assert found["index"].tolist() == np.flatnonzero(split == "test").tolist()
        tested = [frames[k] for k in found["index"]]
        path = folder / PLACE / f"models/{method}.safetensors"
        for model in (whole, SparseMEKRR.load(path, registry)):
            energy, std = model.predict(tested, return_std=True)
            np.testing.assert_allclose(found["energy_pred"], energy, rtol=0, atol=SAME)
            np.testing.assert_allclose(found["energy_std"], std, rtol=1e-3)
        off = 1000.0 * (found["energy_pred"] - found["energy_ref"]) / found["n_atoms"]
        told = errors.loc[method, "all"]
        assert told["rmse"] == pytest.approx(np.sqrt(np.mean(np.square(off))), rel=1e-9)
        assert told["mae"] == pytest.approx(np.mean(np.abs(off)), rel=1e-9)
        assert (told["n_train"], told["frames"]) == (np.sum(split == "train"), len(found))


def test_sparse_models_are_judged_by_their_validation_errors(copied_large):
    result = copied_large.run("results/tables/verdict.csv")
    assert result.returncode == 0, result.stderr
    (row,) = pd.read_csv(copied_large.folder / "results/tables/verdict.csv").to_dict("records")
    folder = copied_large.folder / PLACE / "fits"
    choices = pd.concat([pd.read_csv(folder / f"{method}.choices.csv") for method in METHODS])
    assert row["mekrr_method"] == choices.sort_values("validation_rmse")["method"].iloc[0]
    errors = pd.read_csv(copied_large.folder / "results/tables/large.csv")
    told = errors.set_index(["method", "group"]).loc[(row["mekrr_method"], "all")]
    assert row["mekrr_rmse"] == pytest.approx(told["rmse"])
    assert row["n_train"] == told["n_train"]


def test_nothing_exact_is_planned_of_a_large_data_set(project):
    config = project.config
    config["datasets"]["mine"] |= {"frames": 24}
    config["features"] = {"shard_frames": 8}
    config["sparse"] = {"backbones": ["toy"], "skip": [], "directions": {"random": 2}}
    config["large"] = {"above": 20}
    told = project.run("--dry-run", "--quiet")
    assert "mine: more than 20 frames (`large.above`): sparse models alone" in told.stderr
    planned = project.planned()
    assert planned["large_rows"] == 3 * 4  # shards; splits and seeds
    for rule in ("gram", "fit_mekrr", "fit_sparse", "merge_features", "same_dataset_table"):
        assert rule not in planned


def test_a_changed_module_runs_shards_again(copied_large):
    """Through the list of checksums that stands for all modules."""
    targets = [f"results/features/mine/toy/{k}-of-2.safetensors" for k in range(2)]
    path = copied_large.folder / "src/mekrr/backbones/analytic/adapter.py"
    path.touch()
    assert copied_large.planned(*targets) == {}
    path.write_text(path.read_text() + "\n# changed\n")
    assert copied_large.planned(*targets) == {"list_code": 1, "extract_large_features": 2}
