"""What jobs are told of the configuration: what decides their output, and no more."""

from types import SimpleNamespace

import pytest
from studies import default_config

from mekrr.study.config import check_config
from mekrr.study.entries import Entries


@pytest.fixture
def config():
    return default_config()


def entries(config):
    return Entries(check_config(config))


PLACE = SimpleNamespace(
    dataset="d1-surrogate", backbone="soap", network="sevennet-ft", strategy="run", seed="0"
)
COMPUTED = ("reading", "expected", "checked", "variables", "stretch", "reference_energy")
LEARNT = ("backbone", "layers", "gram", "network", "network_method", "training")


@pytest.mark.parametrize("name", [*COMPUTED, *LEARNT, "file_sha256"])
def test_a_new_title_computes_nothing_anew(config, name):
    before = getattr(entries(config), name)(PLACE)
    for registry in ("datasets", "backbones"):
        for key, entry in config[registry].items():
            entry["title"] = f"New {key}"
    assert getattr(entries(config), name)(PLACE) == before


def test_a_title_is_shown(config):
    config["datasets"]["d1-surrogate"]["title"] = "New"
    config["backbones"]["soap"]["title"] = "Other"
    config["study"]["backbones"] = ["soap"]
    ours = entries(config)
    assert ours.datasets()["d1-surrogate"]["title"] == "New"
    assert "path" not in ours.datasets()["d1-surrogate"]
    assert ours.backbones()["soap"] == "Other"
    assert ours.labels("Figure", PLACE) == {
        "figure": "Figure",
        "data set": "New",
        "backbone": "Other",
    }
    of_all = ours.labels("Figure", SimpleNamespace())
    assert (of_all["data set"], of_all["backbone"]) == ("all", "all")


def test_what_the_registry_says_reaches_the_jobs(config):
    config["datasets"]["d1-surrogate"] |= {
        "energy_key": "REF_energy",
        "reference_energy": {"Fe": -8.0, "N": -9.0},
        "runs": [0, 50],
        "time_ordered": False,
    }
    ours = entries(config)
    assert ours.reading(PLACE) == {"energy_key": "REF_energy"}
    assert ours.expected(PLACE)["runs"] == [0, 50]
    assert ours.checked(PLACE)["time_ordered"] is False
    assert ours.reference_energy(PLACE) == {"Fe": -8.0, "N": -9.0}
    transfer = SimpleNamespace(source="d1-surrogate", target="d2-surrogate")
    assert ours.reference_energy(transfer) == {"Fe": -8.0, "N": -9.0}
    assert ours.reference_energy(SimpleNamespace(dataset="d2-surrogate")) == "least-squares"


def test_dynamics_run_as_the_surrogate_was_made(config):
    config["molecular_dynamics"] |= {"length": 0.5, "every": 5, "frames_every": 25}
    config["surrogates"]["d1-surrogate"]["dynamics"]["timestep"] = 2.0
    place = SimpleNamespace(dataset="d1-surrogate", ensemble="NVT", seed="3")
    assert entries(config).dynamics(place) == {
        "ensemble": "langevin",
        "temperature": 700.0,
        "timestep": 2.0,
        "friction": 0.02,
        "steps": 250,
        "every": 5,
        "frames_every": 25,
        "seed": 3,
    }


def test_the_size_of_shards_changes_no_features(config):
    before = entries(config).extraction()
    config["features"]["shard_frames"] = 7
    assert entries(config).extraction() == before
    config["features"]["atoms"] = "mobile"
    assert entries(config).extraction()["atoms"] == "mobile"


def test_sparse_models_know_directions_and_views(config):
    place = SimpleNamespace(dataset="cuformate-surrogate", backbone="sevennet-0")
    ours = entries(config)
    assert ours.directions(place) == {"random": 2, "moved": None}
    assert ours.sparse(place) == {"views": [[1, 2, 4]], "inducing": 200}
    assert ours.derivatives(place)["layers"] == [1, 2, 4]
    before = ours.derivatives(place), ours.directions(place)
    config["sparse"] |= {"layers": "choose", "inducing": 7}
    config["features"]["dtype"] = "float16"
    ours = entries(config)
    assert (ours.derivatives(place), ours.directions(place)) == before, "nothing is computed anew"
    assert ours.sparse(place)["views"] == [[1], [2], [4], [1, 2, 4]]
    assert ours.sparse(PLACE)["views"] == [[1]], "one layer is one view"
    config["sparse"]["directions"]["reactive"] = True
    assert entries(config).directions(place)["moved"] == {"species": ["C", "O", "H"]}
    del config["datasets"]["cuformate-surrogate"]["reactive"]
    assert entries(config).directions(place)["moved"] is None


def test_a_network_has_its_own_training(config):
    config["networks"]["schnet"] |= {
        "training": {"epochs": 5},
        "published_transfer": {"epochs": 9},
    }
    ours, schnet = entries(config), SimpleNamespace(network="schnet")
    assert ours.training(schnet) == config["training"] | {"epochs": 5}
    assert ours.transfer_training(schnet) == config["training"] | {"epochs": 9}
    own = config["networks"]["sevennet-ft"]["training"]
    assert ours.training(PLACE) == config["training"] | own
    assert ours.network(schnet)["backbone"] is None
    assert ours.network(PLACE)["backbone"]["family"] == "sevennet"
    assert ours.effort()["networks"]["SchNet"]["epochs"] == 5
    assert ours.networks() == {
        "SchNet": "schnet",
        "SchNet-FT": "schnet-catalysis-ft",
        "SevenNet-FT": "sevennet-ft",
    }


def test_titles_of_backbones_that_networks_start_with(config):
    config["study"]["backbones"] = ["soap"]
    assert list(entries(config).backbones()) == ["soap"]
    started = ["schnet-catalysis", "sevennet-0"]
    assert list(entries(config).backbones_and_starts()) == ["soap", *started]


def test_downloads_by_their_folders(config):
    address = {"url": "https://example.org/a.tgz", "file": "a.tgz", "sha256": "ab" * 32}
    config["datasets"]["theirs"] = {"download": address | {"member": "in/a.xyz"}}
    ours, key = entries(config), "ab" * 6
    assert ours.download(SimpleNamespace(key=key, file="a.tgz"))["url"] == address["url"]
    assert ours.archive_member(SimpleNamespace(key=key, member="in__a.xyz")) == "in/a.xyz"
