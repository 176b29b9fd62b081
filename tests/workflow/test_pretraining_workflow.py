"""The rules of a pre-training, on few frames that a SchNet with random weights labels."""

import os
import subprocess
import sys

import ase.io
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.numpy import load_file
from samples import ROOT
from studies import Project

from mekrr.backbones.schnet.adapter import SchNet
from mekrr.backbones.schnet.finetune import SchNetFromScratch
from mekrr.backbones.schnet.layers import SchNetLayers
from mekrr.backbones.schnet.own import Record, read_own, write_own
from mekrr.models.potentials.backbone import BackbonePotential
from mekrr.models.potentials.baseline import Baseline

ARCHITECTURE = {
    "hidden_channels": 8,
    "num_filters": 4,
    "num_interactions": 2,
    "num_gaussians": 8,
    "cutoff": 3.0,
}
NETWORKS = {"whole": {"share": 1.0}, "half": {"share": 0.5}, "random": {"share": 0.0}}


def configuration():
    """The default pre-training made small."""
    config = yaml.safe_load((ROOT / "config/pretraining.yaml").read_text())["pretraining"]
    config |= {
        "name": "small",
        "title": "Small & <random>",
        "backbone": "random",
        "registry": "registry.yaml",
        "shards": 2,
        "runs": 6,
        "metals": {s: config["metals"][s] for s in ("Cu", "Rh")},
        "adsorbates": ["H", "H2"],
        "kinds": {"adsorbate": 0.5, "slab": 0.0, "bulk": 0.25, "gas": 0.25},
        "held_out": {"metals": ["Rh"], "adsorbates": [], "validation": 0.3},
        "architecture": ARCHITECTURE,
        "networks": NETWORKS,
    }
    config["training"] |= {"epochs": 2, "validate_every": 1}
    return {"pretraining": config}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished pre-training."""
    project = Project(tmp_path_factory.mktemp("pretraining") / "project")
    torch.manual_seed(0)
    state = SchNetLayers(**ARCHITECTURE).state_dict()
    record = Record(
        architecture=ARCHITECTURE,
        factor=1.0,
        references={"Cu": -3.0, "Rh": -7.0, "H": -3.0},
        provenance={},
    )
    labeller = project.folder / "random.safetensors"
    write_own(labeller, {n: w.numpy().copy() for n, w in state.items()}, record)
    registry = {
        "random": {"family": "schnet", "weights": {"path": "random.safetensors"}, "layers": [1]}
    }
    (project.folder / "registry.yaml").write_text(yaml.safe_dump({"backbones": registry}))
    (project.folder / "small.yaml").write_text(yaml.safe_dump(configuration()))
    result = snakemake(project)
    assert result.returncode == 0, result.stdout + result.stderr
    return project


def snakemake(project, *arguments):
    return subprocess.run(
        [
            sys.executable, "-m", "snakemake", "--snakefile", "workflow/pretraining.smk",
            "--configfile", "small.yaml", "--cores", "2", "--resources", "gpu=2", *arguments,
        ],
        cwd=project.folder,
        env=os.environ | {"PYTHONPATH": str(project.folder / "src")},
        capture_output=True,
        text=True,
    )  # fmt: skip


def check_labels_are_those_of_the_network(root, project):
    frames = ase.io.read(root / "frames.extxyz", ":")
    table = pd.read_csv(root / "frames.csv", keep_default_na=False)
    assert len(frames) == len(table) > 20
    potential = BackbonePotential(SchNet("r", project.folder / "random.safetensors"), Baseline())
    for k in (0, len(frames) // 2, len(frames) - 1):
        found = potential.evaluate(frames[k])
        assert frames[k].get_potential_energy() == pytest.approx(found.energy, abs=1e-3)
        assert np.allclose(frames[k].get_forces(), found.forces, atol=1e-4)
        assert table["formula"][k] == frames[k].get_chemical_formula()
        assert table["energy"][k] == pytest.approx(found.energy, abs=1e-3)


def check_weights_are_a_backbone(root, surface):
    """With the energy that the trained network has, and the story of its making."""
    errors = pd.read_csv(root / "errors.csv")
    assert set(errors["network"]) == set(NETWORKS)
    assert errors["energy_rmse"].notna().all()
    for name in NETWORKS:
        backbone = SchNet(name, root / f"{name}.safetensors")
        assert backbone.layers == (1, 2)
        assert backbone.species == {1, 29, 45}
        story = backbone.provenance
        if name == "random":
            assert story["epochs"] == story["frames"]["training"] == 0
            continue
        assert story["epochs"] == 2
        history = pd.read_csv(root / name / "history.csv")
        best = history.loc[history["val_loss"].idxmin()]
        assert story["best_epoch"] == best["epoch"]
        own = errors[(errors["network"] == name) & (errors["part"] == "validation")].iloc[0]
        assert own["energy_rmse"] == pytest.approx(best["val_rmse"], rel=0.02)
        assert own["force_rmse"] == pytest.approx(best["val_force_rmse"], rel=0.02)
    frames = {n: read_own(root / f"{n}.safetensors").provenance["frames"] for n in NETWORKS}
    assert frames["half"]["training"] < frames["whole"]["training"]
    untrained = SchNetFromScratch("n", 0, **ARCHITECTURE).module().state_dict()
    kept = load_file(root / "random.safetensors")
    assert all(np.array_equal(kept[n], w.numpy()) for n, w in untrained.items())


def test_a_pretraining(done, surface):
    root = done.folder / "results/pretraining/small"
    check_labels_are_those_of_the_network(root, done)
    check_weights_are_a_backbone(root, surface)
    assert "Small &amp; &lt;random&gt;" in (root / "contents.html").read_text()
    for name in ("learning.svg", "learning.png", "errors.md", "contents.csv"):
        assert (root / name).stat().st_size > 0
    again = snakemake(done, "--dry-run")
    assert "Nothing to be done" in again.stdout + again.stderr
    assert not list((done.folder / "results/training").glob("**/*.pt"))


def test_a_fault_of_the_configuration_is_one_line(done):
    config = configuration()
    config["pretraining"]["shards"] = 0
    (done.folder / "wrong.yaml").write_text(yaml.safe_dump(config))
    result = snakemake(done, "--configfile", "wrong.yaml", "--dry-run")
    assert result.returncode == 1
    lines = (result.stdout + result.stderr).splitlines()
    assert [line for line in lines if "mekrr: error: config: pretraining.shards" in line]
    assert "Traceback" not in result.stderr
