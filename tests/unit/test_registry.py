"""Registries of backbones given to the library or the command: one line for what is wrong."""

import os

import pytest
import yaml
from samples import ROOT
from studies import default_config

from mekrr.backbones.families import families
from mekrr.backbones.registry import registered
from mekrr.errors import ConfigError

PACKAGED = ["sevennet-0", "chgnet-0.3.0", "sevennet-l3i5", "diep", "schnet-catalysis"]
GOOD = "backbones:\n  mine: {family: schnet, layers: [1], weights: {path: ~/w.pt}}\n"


def test_a_registry_adds_to_those_in_packages_and_comes_first(tmp_path):
    assert list(registered()) == PACKAGED
    for entry in registered().values():
        own = entry.weights is not None and entry.weights.packaged is not None
        assert own or families()[entry.family].weights == "none"
    path = tmp_path / "a.yaml"
    path.write_text(GOOD + "  diep: {family: analytic, layers: [1]}\n")
    assert list(registered(path)) == [*PACKAGED, "mine"]
    assert registered(path)["diep"].given() == {"family": "analytic", "layers": [1]}


def test_the_folder_one_works_in_names_no_registry(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/backbones.yaml").write_text("other: of another program")
    assert list(registered()) == PACKAGED


def test_the_studys_registry_repeats_none_of_those_in_packages():
    own = yaml.safe_load((ROOT / "config/backbones.yaml").read_text())["backbones"]
    assert not own.keys() & set(PACKAGED)
    assert default_config()["backbones"] == {n: e.given() for n, e in registered().items()} | own


def test_weights_that_mekrr_brings(tmp_path, monkeypatch):
    """They are named from the folder in which one works, so that records name no place."""
    monkeypatch.chdir(ROOT)
    weights = registered()["schnet-catalysis"].weights
    assert weights.file == "src/mekrr/backbones/pretrained/schnet-catalysis.safetensors"
    path = tmp_path / "a.yaml"
    path.write_text(GOOD.replace("path: ~/w.pt", "packaged: ../w.pt"))
    with pytest.raises(ConfigError, match=r"mine\.weights\.packaged: String should match"):
        registered(path)


def test_paths_of_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    path = tmp_path / "a.yaml"
    path.write_text(GOOD)
    assert registered(path)["mine"].weights.file == "/home/me/w.pt"
    path.write_text(GOOD.replace("~", "$NOWHERE"))
    monkeypatch.delenv("NOWHERE", raising=False)
    with pytest.raises(ConfigError, match=r"a\.yaml: backbones\.mine\.weights\.path: .*\$NOWHERE"):
        registered(path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("backbones:", "bakcbones:", "backbones: Field required"),
        ("layers: [1]", "layers: []", r"backbones\.mine\.layers: List should have at least 1"),
        (
            "layers: [1]",
            "layers: [1.0]",
            r"backbones\.mine\.layers\.0: Input should be a valid int",
        ),
        ("layers: [1]", "layers: [true]", r"layers\.0: Input should be a valid integer"),
        ("layers: [1]", "layers: [-1]", r"layers\.0: Input should be greater than"),
        ("layers: [1]", "layers: 1", "layers: Input should be a valid list"),
        ("family: schnet", "family: 3", "family: Input should be a valid string"),
        ("{path: ~/w.pt}", "null", "weights: Input should be"),
        ("{path: ~/w.pt}", "{}", "give either `path` or `download`"),
        ("weights", "weigths", r"mine\.weigths: unknown key, did you mean 'weights'"),
        (
            "{path: ~/w.pt}",
            "{download: {url: 'https://a', file: ../b}}",
            "file: String should match",
        ),
        ("  mine:", "  mine: {}\n  mine:", "line 3: key `mine` is on line 2 already"),
        ("  mine:", "  ? [1]\n  :", "unhashable key"),
    ],
)
def test_what_is_no_registry(tmp_path, old, new, words):
    path = tmp_path / "a.yaml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigError, match=words) as caught:
        registered(path)
    assert str(caught.value).isprintable()


def test_places_that_are_no_registry(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place in ("/dev/zero", tmp_path / "pipe", tmp_path):
        with pytest.raises(ConfigError, match="is no regular file"):
            registered(place)
