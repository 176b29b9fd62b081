"""Files of SchNets that this project pre-trained."""

import json

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import load_file, save_file

from mekrr.backbones.graph import build_graph
from mekrr.backbones.schnet.adapter import SchNet
from mekrr.backbones.schnet.finetune import FineTunedSchNet
from mekrr.backbones.schnet.layers import SchNetLayers
from mekrr.backbones.schnet.own import KEY, Record, read_own, write_own
from mekrr.cli import main
from mekrr.errors import BackboneError

ARCHITECTURE = {
    "hidden_channels": 12,
    "num_filters": 8,
    "num_interactions": 3,
    "num_gaussians": 20,
    "cutoff": 5.0,
}
REFERENCES = {"Cu": -3.5, "O": -4.25, "C": -7.0, "H": -3.0}
RECORD = Record(
    architecture=ARCHITECTURE,
    factor=0.5,
    references=REFERENCES,
    provenance={"set": "frames", "epochs": 3},
)


@pytest.fixture
def state():
    torch.manual_seed(2)
    return {n: w.numpy().copy() for n, w in SchNetLayers(**ARCHITECTURE).state_dict().items()}


@pytest.fixture
def path(tmp_path, state):
    write_own(tmp_path / "own.safetensors", state, RECORD)
    return tmp_path / "own.safetensors"


def energy_of(network, frames):
    with torch.no_grad():
        return network.forward(network.graph(frames))


def test_energies_have_the_references_of_their_atoms(path, state, surface):
    """Those of the layers, scaled; the sum over atoms is the frame's."""
    backbone = SchNet("own", path, exact=True)
    output = energy_of(backbone, surface)
    model = SchNetLayers(**ARCHITECTURE)
    model.load_state_dict({n: torch.from_numpy(w) for n, w in state.items()})
    h = output.layers[3]
    atomic = model.lin2(model.act(model.lin1(h)))[:, 0].double() * 0.5
    symbols = [s for atoms in surface for s in atoms.symbols]
    atomic = atomic + torch.tensor([REFERENCES[s] for s in symbols])
    torch.testing.assert_close(output.atomic_energy, atomic, rtol=1e-6, atol=1e-5)
    first = len(surface[0])
    assert output.energy[0].item() == pytest.approx(output.atomic_energy[:first].sum().item())
    assert backbone.layers == (1, 2, 3)
    assert backbone.species == {1, 6, 8, 29}


def test_all_neighbours_within_the_cutoff_count(path, surface):
    backbone = SchNet("own", path)
    assert len(backbone.graph(surface).centre) == len(build_graph(surface, 5.0).centre)


def test_the_table_is_close_to_the_filters(path, surface):
    table, exact = (energy_of(SchNet("own", path, exact=e), surface) for e in (False, True))
    for layer, features in exact.layers.items():
        torch.testing.assert_close(table.layers[layer], features, rtol=1e-3, atol=1e-4)


def test_fine_tuning_starts_with_its_energy(path, surface):
    network = FineTunedSchNet("ft", "own", 1, path)
    expected = energy_of(SchNet("own", path, exact=True), surface).energy
    with torch.no_grad():
        for k, atoms in enumerate(surface):
            graph = network.graph([atoms])
            for energy in (
                network.head(network.trunk(graph)),
                network.energy(graph),
                network.energy_to_learn(graph),
            ):
                assert energy.item() == pytest.approx(expected[k].item(), abs=2e-3)


def test_provenance(path):
    assert read_own(path).provenance == {"set": "frames", "epochs": 3}
    assert SchNet("own", path).provenance == read_own(path).provenance


def test_provenance_is_shown_without_what_steers_a_terminal(tmp_path, state, capsys):
    path, registry = tmp_path / "own.safetensors", tmp_path / "mine.yaml"
    provenance = {"set": "mine \x1b[2J", "frames": {"training": 7}}
    write_own(path, state, RECORD.model_copy(update={"provenance": provenance}))
    entry = {"family": "schnet", "weights": {"path": str(path)}, "layers": [2], "heatmap_layer": 2}
    registry.write_text(yaml.safe_dump({"backbones": {"own": entry}}))
    main(["backbones", "--registry", str(registry)])
    told = capsys.readouterr().out
    assert "  provenance:\n    set: " in told
    assert "\n      training: 7\n" in told
    assert "\x1b" not in told


def damaged(path, change):
    """The file with its record or its tensors changed."""
    tensors, record = load_file(path), json.loads(RECORD.model_dump_json())
    change(tensors, record)
    save_file(tensors, path, metadata={KEY: json.dumps(record)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, r: t.pop("lin2.bias"), r"lacks lin2\.bias"),
        (lambda t, r: t["lin2.bias"].fill(np.nan), "not finite"),
        (lambda t, r: r["architecture"].update(hidden_channels=16), "shape"),
        (lambda t, r: r["architecture"].update(hidden_channels=10**9), "hidden_channels"),
        (lambda t, r: r.pop("factor"), "factor"),
        (lambda t, r: r["references"].update(Xx=1.0), "Xx"),
        (lambda t, r: r.update(other=1), "other"),
    ],
)
def test_damage_is_named(path, change, message):
    damaged(path, change)
    with pytest.raises(BackboneError, match=message) as caught:
        SchNet("own", path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_files_that_are_none(path, tmp_path):
    with pytest.raises(BackboneError, match="no such file"):
        SchNet("own", tmp_path / "absent.safetensors")
    save_file({"a": np.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(BackboneError, match="no SchNet of this project"):
        SchNet("own", tmp_path / "other.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(path.read_bytes()[:2000])
    with pytest.raises(BackboneError, match="damaged"):
        SchNet("own", tmp_path / "cut.safetensors")
