"""Molecular dynamics as jobs: every method of a tiny surrogate, to table and figure."""

import pandas as pd
import pytest
from ase.io import read
from studies import default_config, tiny_network

from mekrr.errors import ConfigError
from mekrr.study.config import check_config

FOLDER = "results/molecular_dynamics/mine/random-0/NVT"
TABLE = "results/tables/molecular_dynamics.csv"


@pytest.fixture
def simulated(project):
    """The tiny study, its frames called a surrogate: DIEP knows copper. All keys have values."""
    recipe = default_config()["surrogates"]["cuformate-surrogate"]
    project.config["surrogates"] = {"mine": recipe}
    project.config["networks"] = tiny_network()
    study = {"networks": ["tiny"], "splits": ["random"], "seeds": [0], "gap": True}
    project.config["study"] |= study
    project.config["gap"] = {"n_max": 3, "l_max": 2, "cutoff": 4.0, "n_sparse": 20}
    project.config["molecular_dynamics"] = {
        "datasets": ["mine"],
        "ensembles": ["NVT"],
        "methods": ["SchNet", "GAP-SOAP", "MEKRR-alpha"],
        "backbones": ["toy"],
        "length": 0.02,
        "every": 4,
        "frames_every": 8,
        "tolerance": 1.0,
        "limits": {"hottest": 50.0, "closest": 0.1, "drift": 1000.0},
    }
    return project


def test_table_and_figure_of_all_methods(simulated):
    figure = "results/figures/mine/molecular_dynamics-NVT"
    result = simulated.run(TABLE, f"{figure}.svg")
    assert result.returncode == 0, result.stdout + result.stderr
    table = pd.read_csv(simulated.folder / TABLE).set_index("method")
    models = {"truth": "DIEP", "tiny": "SchNet", "gap-soap": "GAP-SOAP", "toy": "MEKRR-alpha"}
    assert set(table.index) == set(models.values())
    assert (table["ps"] == 0.02).all()
    assert table.loc["DIEP", "force_rmse"] < 0.1 < table.loc["MEKRR-alpha", "force_rmse"]
    for name, method in models.items():
        log = pd.read_csv(simulated.folder / FOLDER / f"{name}.log.csv")
        assert set(log["method"]) == {method}
        assert log["time_fs"].tolist() == [0.0, 4.0, 8.0, 12.0, 16.0, 20.0]
        frames = read(simulated.folder / FOLDER / f"{name}.extxyz", ":")
        assert [atoms.info["time_fs"] for atoms in frames] == [0.0, 8.0, 16.0]
        errors = pd.read_csv(simulated.folder / FOLDER / f"{name}.errors.csv")
        assert errors["energy"].tolist() == [atoms.get_potential_energy() for atoms in frames]
    assert not list((simulated.folder / FOLDER).glob("*.npz")), "no state is left behind"
    for suffix in ("svg", "pdf", "png"):
        assert (simulated.folder / f"{figure}.{suffix}").stat().st_size > 1000
    simulated.config["molecular_dynamics"]["tolerance"] = 2.0
    again = simulated.planned(TABLE, f"{figure}.svg")
    assert set(again) == {"molecular_dynamics_table", "fig_molecular_dynamics"}


def test_no_dynamics_without_a_method_of_the_study(simulated):
    assert "molecular_dynamics" in simulated.planned()
    simulated.config["molecular_dynamics"] |= {"methods": ["CHGNet-FT"]}
    assert not {rule for rule in simulated.planned() if "molecular_dynamics" in rule}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"datasets": ["cuformate"]}, "molecular_dynamics.datasets: cuformate is none of"),
        ({"backbones": ["sevennet"]}, "molecular_dynamics.backbones: 'sevennet' is not in"),
        ({"frames_every": 5}, "molecular_dynamics.frames_every: 5 is no multiple of `every`, 2"),
    ],
)
def test_what_cannot_run_is_refused(changed, message):
    config = default_config()
    config["molecular_dynamics"] |= changed
    with pytest.raises(ConfigError, match=message):
        check_config(config)
