"""The configuration: the shipped one is valid, each mistake is one line that names the key."""

import copy
import re

import pytest
from ase.data import chemical_symbols
from studies import default_config

from mekrr.backbones.entry import Download
from mekrr.choices import SYMBOLS
from mekrr.errors import ConfigError
from mekrr.study.config import check_config, check_files
from mekrr.study.config.files import expand_paths


@pytest.fixture(scope="module")
def shipped():
    return default_config()


@pytest.fixture
def config(shipped):
    return copy.deepcopy(shipped)


def refused(config, *words):
    with pytest.raises(ConfigError) as caught:
        check_config(config)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


def test_the_shipped_configuration_is_valid(config):
    check_config(config)


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


def download_key(entry):
    return Download.model_validate(entry | {"file": "a"}).key


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
    check_config(config)
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
    check_config(config)
    config["study"]["splits"] = ["sequential"]
    refused(config, "study.splits: sequential, but datasets.d2-surrogate.time_ordered is false")


def test_unknown_data_set(config):
    config["study"]["datasets"] = ["d2-surogate"]
    refused(config, "study.datasets", "'d2-surogate'", "did you mean 'd2-surrogate'?")


def test_unknown_backbone(config):
    config["study"]["backbones"] = ["schnet"]
    refused(config, "study.backbones", "'schnet' is not in the registry", "known: chgnet-0.3.0")


def test_unknown_names_of_sparse_models(config):
    config["sparse"]["skip"] = ["d1"]
    refused(config, "sparse.skip: 'd1' is not in the registry `datasets`")
    config["sparse"] |= {"skip": [], "backbones": ["sevenet-0"]}
    refused(config, "sparse.backbones", "'sevenet-0'", "did you mean 'sevennet-0'?")


def test_backbones_that_franken_cannot_take(config):
    config["franken"]["backbones"] = ["sevennet-0"]
    check_config(config)
    config["franken"]["backbones"] = ["soap"]
    refused(config, "franken.backbones: soap is of family soap", "sevennet alone")
    config["franken"]["backbones"] = ["sevenet-0"]
    refused(config, "franken.backbones", "'sevenet-0'", "did you mean 'sevennet-0'?")


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


def test_a_network_that_learns_forces_has_a_weight_of_them():
    config = default_config()
    del config["networks"]["schnet-forces"]["training"]
    refused(
        config, "networks.schnet-forces.method: 'SchNet-forces' learns forces, but their weight"
    )
    config["training"]["force_weight"] = 0.5
    check_config(config)


def test_network_named_as_a_backbone(config):
    config["networks"]["sevennet-0"] = config["networks"]["sevennet-ft"]
    refused(config, "networks.sevennet-0: is the name of a backbone too")


def at(config, path):
    """The mapping or list at a path such as ``study.seeds``, and the last key of it."""
    *above, last = path.split(".")
    for key in above:
        config = config[int(key)] if isinstance(config, list) else config.setdefault(key, {})
    return config, last


def put(config, path, value):
    place, key = at(config, path)
    place[key] = value


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("study.seeds", [], "non-empty"),
        ("study.seeds", [0, 0], "non-unique"),
        ("study.seeds", [0.0], "study.seeds.0: 0.0 should be of type integer"),
        ("study.seeds", [1e30], "study.seeds.0: 1e+30 should be of type integer"),
        ("study.seeds", [True], "study.seeds.0: True should be of type integer"),
        ("study.seeds", [10**30], "study.seeds.0: is beyond"),
        ("study.seeds", [2**31 - 1], "study.seeds.0: is beyond"),
        ("study.seeds", [-1], "less than the minimum of 0"),
        ("study.datasets", [], "non-empty"),
        ("study.datasets", ["d1-surrogate", "d1-surrogate"], "non-unique"),
        ("study.backbones", [], "non-empty"),
        ("study.splits", [], "non-empty"),
        ("study.transfer", [["d1-surrogate", "d1-surrogate"]], "non-unique"),
        ("study.gap", 1, "should be of type boolean"),
        ("study.every", True, "should be of type integer"),
        ("heatmap.seed", 0.0, "should be of type integer"),
        ("ablation.seeds", [1, 1], "non-unique"),
        ("learning.n_train", [10.0], "should be of type integer"),
        ("grid.alpha.count", True, "should be of type integer"),
        ("grid.alpha.count", 10**6, "maximum of 1000"),
        ("grid.alpha.smallest", float("nan"), "nan is no finite number"),
        ("grid.regularisation.largest", float("inf"), "inf is no finite number"),
        ("split.fractions.train", 0.0, "minimum of 0"),
        ("split.fractions.train", -0.2, "minimum of 0"),
        ("training.lr", float("nan"), "nan is no finite number"),
        ("features.atoms", {"species": ["Xx"]}, "features.atoms.species.0: 'Xx' is no chemical"),
        ("features.atoms", {"species": []}, "non-empty"),
        ("features.atoms", {"species": [False]}, 'in YAML write "No", as No is false'),
        ("features.atoms", {"within": 3.0, "of": ["FE"]}, "'FE' is no chemical symbol"),
        ("features.atoms", {"within": float("inf"), "of": ["N"]}, "inf is no finite number"),
        ("features.atoms", "fe", "give all, mobile, {species: [N, O]}, {within: 4.0, of: [N]}, or"),
        ("datasets.cuformate.reference_energy", {"Xx": 1.0}, "'Xx' is no chemical symbol"),
        ("datasets.cuformate.reference_energy", {"N": float("nan")}, "N: nan is no finite number"),
        ("datasets.cuformate.collective_variables", [{"distance": ["N", "Xx"]}], "'Xx' is no chem"),
        ("datasets.cuformate.energy_range", [1.0, -1.0], "must rise"),
        ("datasets.cuformate.runs", [0, 5, 5], "must rise"),
        ("datasets.cuformate.runs", [1, 5], "the first run begins with frame 0"),
        ("datasets.cuformate.stretch", {"frames": [9, 2]}, "must rise"),
        ("datasets.mine", {"path": {"train": "a", "val": "a", "test": "b"}}, "the same file"),
        ("datasets.mine", {"path": "a", "sha256": "ab" * 32 + "\n"}, "does not match"),
        ("datasets.mine", {"download": {"url": "file:///a", "file": "a"}}, "begins with https://"),
        ("datasets.mine", {"download": {"url": "https://a", "file": "members"}}, "rename it"),
        ("datasets.mine", {"download": {"url": "https://a", "file": "a.part"}}, "rename it"),
        ("backbones.soap.options", {"species": ["Xx"]}, "'Xx' is no chemical symbol"),
        ("backbones.soap.options", {"speces": ["N"]}, "did you mean 'species'?"),
        ("backbones.soap.heatmap_layer", 2, "is none of `layers`"),
        ("backbones.soap.weights", {"path": "a"}, "family soap takes none"),
        ("backbones.mine", {"family": "mace", "layers": [1], "heatmap_layer": 1}, "`weights`"),
        ("backbones.diep.options", {"model": "a"}, "options.model: unknown key; known: none"),
        ("surrogates.d1-surrogate.system.adsorbate", "Xx2", "'Xx2' is no formula"),
        ("surrogates.d1-surrogate.system.adsorbate", "N3", "2 positions for N3, which has 3 atoms"),
        ("surrogates.d1-surrogate.runs.0.start", "side", "did you mean 'side-on'?"),
        ("surrogates.d1-surrogate.system.fixed_layers", 9, "the slab has 5 only"),
        ("surrogates.d2-surrogate.biases.metadynamics.widths", [0.1], "one for each"),
        ("study.splits", ["published"], "does not come divided into train, val and test"),
        ("heatmap.split", "published", "does not come divided"),
    ],
)
def test_refused_before_anything_runs(config, path, value, words):
    put(config, path, value)
    refused(config, ".".join(path.split(".")[:2]), words)


def test_two_networks_of_one_method(config):
    config["networks"]["wide"] = config["networks"]["schnet"]
    check_config(config)
    config["study"]["networks"] = ["schnet", "wide"]
    refused(config, "study.networks: schnet and wide have one method, 'SchNet'")


@pytest.mark.parametrize("registry", ["datasets", "backbones"])
def test_two_of_one_title(config, registry):
    name, other = list(config[registry])[:2]
    config["study"][registry] = [name, other]
    config["study"]["transfer"] = []
    config[registry][other]["title"] = config[registry][name]["title"]
    refused(config, f"study.{registry}: {name} and {other} have one title")


NAMES = {
    "NA": "a number or a missing value",
    "none": "a number or a missing value",
    "1e5": "a number or a missing value",
    "12": "a number or a missing value",
    "True": "a number or a missing value",
    "x.csv": "ends as files of results do",
    "x.safetensors": "ends as files of results do",
    "a" * 81: "up to 80 letters",
    "line\n": "up to 80 letters",
}


@pytest.mark.parametrize("name", [*NAMES, "gap-soap", "GAP-SOAP-forces", "Training-Mean", "SOAP"])
def test_names_that_results_could_not_tell_apart(config, name):
    config["backbones"][name] = config["backbones"]["soap"] | {"title": "another"}
    config["study"]["backbones"] = ["soap", name]
    words = NAMES.get(name, "differ only in case" if name == "SOAP" else "a fit of its own")
    refused(config, "backbones", words)


def test_pairs_that_paths_could_not_tell_apart(config):
    entry = {"path": "a"}
    for names in (("a", "b-to-c", "a-to-b", "c"), ("a", "b", "a-to-b")):
        config["datasets"] |= {name: entry for name in names}
        config["study"] |= {"datasets": list(names), "transfer": []}
        refused(config, "study.datasets: a-to-b", "rename a data set")


def test_transfer_to_the_same_file(config):
    config["datasets"]["again"] = config["datasets"]["d1-surrogate"] | {"title": "again"}
    config["study"]["datasets"].append("again")
    config["study"]["transfer"] = [["d1-surrogate", "again"]]
    refused(config, "study.transfer: d1-surrogate and again are the same file")


def test_members_that_would_be_one_file(config):
    member = {"train": "a/b", "val": "a b", "test": "c"}
    config["datasets"]["mine"] = {"download": {"url": "https://a", "file": "a", "member": member}}
    refused(config, "datasets.mine.download.member: 'a b' and 'a/b' would both be kept as a__b")


def test_time_order_of_heatmaps_and_ablations(config):
    config["datasets"]["d2-surrogate"]["time_ordered"] = False
    for part in ("heatmap", "ablation"):
        split, config[part]["split"] = config[part]["split"], "sequential"
        refused(config, f"{part}.split: sequential, but datasets.d2-surrogate.time_ordered")
        config[part]["split"] = split


def test_symbols_are_all_elements():
    assert list(SYMBOLS) == chemical_symbols[1:]


def test_paths_of_the_home_folder_and_of_variables(config, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("DATA", "/scratch/data")
    monkeypatch.delenv("NOWHERE", raising=False)
    parts = {"train": "$DATA/a", "val": "${DATA}/b", "test": "c$(d)"}
    config["datasets"] |= {"one": {"path": "~/a.xyz"}, "three": {"path": parts}}
    config["backbones"]["mine"] = {"weights": {"path": "$HOME/weights.pt"}}
    expand_paths(config)
    assert config["datasets"]["one"]["path"] == "/home/me/a.xyz"
    assert list(config["datasets"]["three"]["path"].values()) == [
        "/scratch/data/a",
        "/scratch/data/b",
        "c$(d)",
    ]
    assert config["backbones"]["mine"]["weights"]["path"] == "/home/me/weights.pt"
    for path in ("$NOWHERE/a", "${NOWHERE}/a"):
        config["datasets"]["one"]["path"] = path
        words = rf"datasets\.one\.path: {re.escape(path)}: the environment has no .* \$NOWHERE"
        with pytest.raises(ConfigError, match=words):
            expand_paths(config)


def test_code_in_a_configuration(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("__use_yte__: true\nstudy: {}\n")
    with pytest.raises(ConfigError, match="__use_yte__: no code runs in a configuration"):
        check_files([path])


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
    refused(changed, "backbones.soap.options.k\\", ": unknown key")
    config["study"]["datasets"] = [f"d1-surrogate{sign}"]
    refused(config, "study.datasets.0: ")


def test_any_printable_title_is_accepted(config):
    config["datasets"]["d1-surrogate"]["title"] = "</script> a|b $x_1$ {d} 金 👩\u200d🔬\u00a0é \\"
    check_config(config)
