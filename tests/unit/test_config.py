"""The configuration: the shipped one is valid, each mistake is one line that names the key."""

import copy

import pytest
import yaml
from samples import ROOT

from mekrr.config import check_config, download_key
from mekrr.errors import ConfigError

SCHEMAS = ROOT / "workflow" / "schemas"


@pytest.fixture
def config():
    merged = {}
    for name in ("config", "datasets", "backbones", "surrogates", "networks"):
        merged |= yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text())
    return copy.deepcopy(merged)


def refused(config, *words):
    with pytest.raises(ConfigError) as caught:
        check_config(config, SCHEMAS)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


def test_the_shipped_configuration_is_valid(config):
    check_config(config, SCHEMAS)


def test_unknown_key_at_the_top(config):
    refused(config | {"studdy": {}}, "studdy: unknown key", "did you mean 'study'?")


def test_unknown_key_inside(config):
    config["grid"]["alpha"]["cuont"] = 3
    refused(config, "grid.alpha.cuont: unknown key", "did you mean 'count'?")


def test_unknown_key_in_a_registry(config):
    config["datasets"]["mine"] = {"path": "a.xyz", "titel": "x"}
    refused(config, "datasets.mine.titel: unknown key", "did you mean 'title'?")


def test_wrong_type_names_the_key(config):
    config["study"]["seeds"] = "0"
    refused(config, "study.seeds", "should be of type array")


def test_exponent_without_point_is_explained(config):
    config["grid"]["regularisation"]["smallest"] = "1e-11"
    refused(config, "grid.regularisation.smallest", "in YAML write 1.0e-3")


def test_value_out_of_range(config):
    config["split"]["fractions"]["train"] = 1.5
    refused(config, "split.fractions.train", "1.5")


def test_fractions_must_sum_to_one(config):
    config["split"]["fractions"]["train"] = 0.5
    refused(config, "split.fractions", "must sum to 1")


def test_missing_path(config):
    config["datasets"]["mine"] = {"title": "x"}
    refused(config, "datasets.mine: give either `path` or `download`")


def test_divided_data_set_must_be_whole(config):
    config["datasets"]["mine"] = {"path": {"train": "a", "val": "b"}}
    refused(config, "datasets.mine.path: key `test` is missing")
    config["datasets"]["mine"] = {
        "path": {"train": "a", "val": "b", "test": "c"},
        "sha256": "ab" * 32,
    }
    refused(config, "datasets.mine.sha256: checks one file")


def test_incomplete_download(config):
    config["datasets"]["mine"] = {"download": {"url": "https://example.org/a"}}
    refused(config, "datasets.mine.download: key `file` is missing")


def test_download_folder_changes_with_the_source():
    known = {"url": "https://example.org/a", "sha256": "ab" * 32}
    assert download_key(known) == "abababababab"
    assert download_key(known | {"sha256": "cd" * 32}) != download_key(known)
    unknown = {"url": "https://example.org/a"}
    assert download_key(unknown) != download_key({"url": "https://example.org/b"})


def test_collective_variables(config):
    entry = config["datasets"]["mine"] = {"path": "a"}
    entry["collective_variables"] = [
        {"distance": [0, 4]},
        {"coordination": ["N", "Fe"], "radius": 2.5},
    ]
    check_config(config, SCHEMAS)
    for wrong in (
        {"distance": ["N"]},
        {"distance": ["N", 3]},
        {"coordination": ["N", "Fe"]},
        {"angle": ["N", "Fe", "N"]},
    ):
        entry["collective_variables"] = [wrong]
        refused(config, "datasets.mine.collective_variables")


def test_time_order_that_is_not_there(config):
    config["datasets"]["d2-surrogate"]["time_ordered"] = False
    check_config(config, SCHEMAS)
    config["study"]["splits"] = ["sequential"]
    refused(config, "study.splits: sequential, but datasets.d2-surrogate.time_ordered is false")


def test_unknown_data_set(config):
    config["study"]["datasets"] = ["d2-surogate"]
    refused(config, "study.datasets", "'d2-surogate'", "did you mean 'd2-surrogate'?")


def test_unknown_backbone(config):
    config["study"]["backbones"] = ["schnet"]
    refused(config, "study.backbones", "'schnet' is not in the registry", "known: chgnet-0.3.0")


def test_labels_are_no_test_of_the_network_that_made_them(config):
    config["study"]["backbones"] = ["diep"]
    refused(config, "study.backbones: diep", "made the labels of d1-surrogate")


def test_weights_are_local_or_downloaded(config):
    config["backbones"]["mine"] = {
        "family": "schnet",
        "layers": [1],
        "heatmap_layer": 1,
        "weights": {"path": "a.pt", "download": {"url": "https://example.org/a", "file": "a"}},
    }
    refused(config, "backbones.mine.weights: give either `path` or `download`")


def test_data_set_is_either_surrogate_or_published(config):
    config["datasets"]["mine"] = {"path": "a", "surrogate_for": "D1", "published_as": "D2"}
    refused(config, "datasets.mine", "not both")


def test_name_unfit_for_a_path(config):
    config["datasets"]["../evil"] = {"path": "a"}
    refused(config, "../evil")


def test_misspelt_key_of_a_network(config):
    config["networks"]["schnet"]["training"] = {"lerning_rate": 1.0}
    refused(config, "networks.schnet.training.lerning_rate: unknown key")
    del config["networks"]["schnet"]["training"]
    config["networks"]["schnet"]["architecture"]["hiden_channels"] = 3
    refused(config, "networks.schnet.architecture.hiden_channels", "did you mean 'hidden_channels'")


def test_training_must_say_everything(config):
    del config["training"]["patience"]
    refused(config, "training: key `patience` is missing")


def test_unknown_network(config):
    config["study"]["networks"] = ["chgnet"]
    refused(config, "study.networks", "'chgnet' is not in the registry", "known: chgnet-ft")


def test_network_starts_somewhere(config):
    config["networks"]["mine"] = {"method": "SchNet-FT", "start": "schnet-oc", "frozen": 3}
    refused(config, "networks.mine.start", "neither scratch nor in", "did you mean 'schnet-oc20'?")
    config["networks"]["mine"]["start"] = "diep"
    refused(config, "networks.mine.start: 'diep' is of family diep, which cannot be trained")


def test_what_a_network_needs_depends_on_its_start(config):
    config["networks"]["mine"] = {"method": "SchNet", "start": "scratch", "frozen": 3}
    refused(config, "networks.mine: with start 'scratch' give `architecture`, not `frozen`")
    config["networks"]["mine"] = {"method": "SchNet-FT", "start": "schnet-oc20"}
    refused(config, "networks.mine: with start 'schnet-oc20' give `frozen`, not `architecture`")


def test_network_named_as_a_backbone(config):
    config["networks"]["sevennet-0"] = config["networks"]["sevennet-ft"]
    refused(config, "networks.sevennet-0: is the name of a backbone too")


@pytest.mark.parametrize(
    "sign", ["\x1b", "\n", "\x00", "\x7f", "\x9b", "\u2028", "\u202e", "\u2066", "\ud800"]
)
def test_control_characters_are_refused(config, sign):
    code = f"(U+{ord(sign):04X}); remove it"
    changed = copy.deepcopy(config)
    changed["datasets"]["d1-surrogate"]["title"] = f"a{sign}b"
    refused(changed, "datasets.d1-surrogate.title: ", code)
    changed = copy.deepcopy(config)
    changed["backbones"]["soap"]["options"][f"k{sign}"] = 1
    refused(changed, "backbones.soap.options: ", code)
    config["study"]["datasets"] = [f"d1-surrogate{sign}"]
    refused(config, "study.datasets.0: ")


def test_any_printable_title_is_accepted(config):
    config["datasets"]["d1-surrogate"]["title"] = "</script> a|b $x_1$ {d} 金 👩\u200d🔬\u00a0é \\"
    check_config(config, SCHEMAS)
