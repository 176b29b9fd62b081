"""The typed configuration: it says what the files say, and what follows from them."""

import pytest
from pydantic import ValidationError
from studies import default_config

from mekrr.study.config import StudyConfig, check_config
from mekrr.study.config.datasets import Dataset
from mekrr.study.config.study import Backbone

URL = "https://example.org/a.zip"
PARTS = {"train": "in/a.xyz", "val": "in/b.xyz", "test": "in/c.xyz"}


@pytest.fixture(scope="module")
def config():
    return check_config(default_config())


def test_nothing_is_lost_or_added(config):
    assert config.given() == default_config()


def test_parts_keep_their_order_and_what_was_left_out(config):
    entry = config.datasets["d2-surrogate"]
    assert entry.given("event", "format", "stretch") == {
        "event": {"above": 2.0},
        "stretch": {"frames": [172, 283]},
    }
    assert list(entry.given("frames", "atoms", "title")) == ["frames", "atoms", "title"]


def test_values_stay(config):
    with pytest.raises(ValidationError, match="frozen"):
        config.study.every = 2


@pytest.mark.parametrize("value", [None, "1", True, 1.0, float("nan"), float("inf")])
def test_types_are_not_bent(value):
    config = default_config()
    config["study"]["every"] = value
    with pytest.raises(ValidationError, match=r"study\.every"):
        StudyConfig.model_validate(config)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "0.1", True])
def test_numbers_are_finite(value):
    config = default_config()
    config["training"]["lr"] = value
    with pytest.raises(ValidationError, match=r"training\.lr"):
        StudyConfig.model_validate(config)


def test_titles_are_names_unless_given(config):
    assert config.dataset_title("d1-surrogate") == "D1 surrogate"
    untitled = config.model_copy(update={"datasets": {"mine": Dataset(path="a")}})
    assert untitled.dataset_title("mine") == "mine"
    assert config.backbone_title("soap") == "SOAP"


def test_a_network_is_trained_as_all_are_but_for_what_it_says(config):
    raw = default_config()
    raw["networks"]["schnet"]["training"] = {"epochs": 77}
    changed = check_config(raw)
    assert changed.training_of("schnet").given() == raw["training"] | {"epochs": 77}
    assert changed.training_of("chgnet-ft") == config.training


def test_a_network_begins_with_a_backbone_or_none(config):
    assert config.backbone_of("sevennet-ft").family == "sevennet"
    assert config.backbone_of("schnet") is None


def test_files_of_a_data_set():
    assert Dataset(path="a.xyz").files == ["a.xyz"]
    divided = Dataset.model_validate({"path": PARTS})
    assert divided.files == ["in/a.xyz", "in/b.xyz", "in/c.xyz"]
    download = {"url": URL, "file": "a.zip", "sha256": "ab" * 32}
    whole = Dataset.model_validate({"download": download})
    assert whole.files == ["results/downloads/abababababab/a.zip"]
    assert whole.file_sha256 == "ab" * 32
    member = Dataset.model_validate({"download": download | {"member": PARTS}})
    assert member.files == [
        f"results/downloads/abababababab/members/in__{name}.xyz" for name in "abc"
    ]
    assert member.file_sha256 is None  # of the archive, not of what is in it
    assert (divided.is_divided, member.is_divided, whole.is_divided) == (True, True, False)


def test_file_of_weights(config):
    entry = {"family": "schnet", "layers": [1], "heatmap_layer": 1}
    local = Backbone.model_validate(entry | {"weights": {"path": "w.pt"}})
    assert local.weights_files == ["w.pt"]
    assert config.backbones["sevennet-0"].weights_files == []
    (file,) = config.backbones["schnet-oc20"].weights_files
    assert file.endswith("/schnet_all_large.pt")
    assert [key for key, _ in config.downloads if key.startswith("backbones.schnet-oc20.")] == [
        "backbones.schnet-oc20.weights.download"
    ]


def test_a_new_title_is_no_part_of_a_model(config):
    entry = config.backbones["sevennet-l3i5"]
    assert entry.model == {"family": "sevennet", "options": {"checkpoint": "7net-l3i5"}}
    assert config.networks["sevennet-ft"].model == {"start": "sevennet-0", "frozen": 4}
