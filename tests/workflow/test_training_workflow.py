"""A network trained by the workflow: its files, and what a change of its keys runs anew."""

import pandas as pd
import pytest
from studies import tiny_network

FIT = "results/fits/mine/random-0/tiny"
TARGETS = (
    "results/figures/mine/history.svg",
    "results/learning/mine/random-0/tiny.csv",
)


@pytest.fixture
def training(project):
    project.config["study"] |= {"networks": ["tiny"], "splits": ["random"], "seeds": [0]}
    project.config["networks"] = tiny_network()
    project.config["learning"] = {"n_train": [5, 200]}
    return project


def test_a_network_is_trained(training):
    result = training.run(*TARGETS)
    assert result.returncode == 0, result.stdout + result.stderr
    fit = training.folder / FIT
    predictions = pd.read_csv(fit / "predictions.csv")
    assert len(predictions) == 24
    assert set(predictions["method"]) == {"SchNet"}
    assert predictions["energy_pred"].notna().all()
    history = pd.read_csv(fit / "history.csv")
    assert history["epoch"].tolist() == [0, 1, 2]
    assert pd.read_csv(fit / "costs.csv").loc[0, "epochs"] == 3
    assert (fit / "model.safetensors").is_file()
    curve = pd.read_csv(training.folder / TARGETS[1])
    assert curve[["dataset", "seed", "n_train"]].to_numpy().tolist() == [
        ["mine", 0, 5]
    ]  # 200 are not there
    assert not list((training.folder / "results" / "training").rglob("*.*"))
    assert training.planned(*TARGETS) == {}
    training.config["networks"]["tiny"]["training"]["lr"] = 0.01
    jobs = training.planned(*TARGETS)
    assert jobs["train_network"] == 1
    assert jobs["learning_network"] == 1
    assert "check_frames" not in jobs


def test_divergence_is_one_line(training):
    training.config["networks"]["tiny"]["training"] |= {"lr": 1.0e30, "clip": 1.0e30}
    result = training.run(f"{FIT}/predictions.csv")
    assert result.returncode != 0
    lines = {line for line in result.stderr.splitlines() if line.startswith("mekrr: error:")}
    (line,) = lines
    assert "in epoch 0; lower the learning rate" in line
    assert "networks.tiny.training.lr" in line
    checkpoint = training.folder / "results/training/mine/random-0/tiny.pt"
    assert str(checkpoint.relative_to(training.folder)) in line
    assert checkpoint.is_file()


def test_a_network_is_trained_on_forces(training):
    training.config["networks"]["tiny"]["training"]["force_weight"] = 0.5
    result = training.run(f"{FIT}/predictions.csv", TARGETS[1])
    assert result.returncode == 0, result.stdout + result.stderr
    predictions = pd.read_csv(training.folder / FIT / "predictions.csv")
    assert predictions["energy_pred"].notna().all()
    assert len(pd.read_csv(training.folder / TARGETS[1])) == 1
