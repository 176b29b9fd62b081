"""UMA and eSEN models: tiny random ones, written and checked by fairchem-core itself."""

import copy
import os
import pickle

import numpy as np
import pytest
import tolerances as tol
import torch
from ase import Atoms
from ase.build import bulk, molecule
from checkpoints import (
    BACKBONE,
    DIRECT,
    ESEN,
    ESEN_TASKS,
    UMA,
    esen_checkpoint,
    fairchem_checkpoint,
    uma_checkpoint,
)
from fairchem.core import FAIRChemCalculator
from fairchem.core.calculate import pretrained_mlip
from fairchem.core.datasets.atomic_data import AtomicData, atomicdata_list_to_batch
from fairchem.core.units.mlip_unit import InferenceSettings, load_predict_unit
from fairchem.core.units.mlip_unit.utils import load_inference_model
from huggingface_hub.errors import LocalEntryNotFoundError
from hydra.errors import InstantiationException

from mekrr.backbones.fairchem.adapter import FairChem
from mekrr.backbones.graph import build_graph
from mekrr.errors import BackboneError


def state_of(path):
    """The weights of a checkpoint of ours, for another one."""
    checkpoint = torch.load(path, weights_only=False)
    return {"model": checkpoint.model_state_dict, "ema": checkpoint.ema_state_dict}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fairchem")
    return {
        "uma": uma_checkpoint(folder / "uma.pt"),
        "esen": esen_checkpoint(folder / "esen.pt"),
        "direct": fairchem_checkpoint(folder / "direct.pt", DIRECT, ESEN_TASKS),
    }


@pytest.fixture(params=["uma", "esen"])
def tiny(request, checkpoints):
    """A model's checkpoint and our backbone on it."""
    path = checkpoints[request.param]
    return path, FairChem("tiny", weights=path, task="oc20")


@pytest.fixture
def various(rng):
    """Frames of different composition, cell and size."""
    frames = [bulk("Cu", cubic=True) * (2, 1, 1), bulk("Fe", cubic=True), molecule("CH3OH")]
    for atoms in frames:
        atoms.positions += 0.08 * rng.normal(size=atoms.positions.shape)
    return frames


def run(backbone, frames):
    with torch.inference_mode():
        return backbone.forward(backbone.graph(frames))


def own_calculator(path, task="oc20", **settings):
    settings = InferenceSettings(activation_checkpointing=False, **settings)
    unit = load_predict_unit(path, inference_settings=settings, device="cpu")
    return FAIRChemCalculator(unit, task_name=task)


def assert_own_energies(output, frames, path, **settings):
    calculator = own_calculator(path, **settings)
    for atoms, energy in zip(frames, output.energy.tolist(), strict=True):
        expected = calculator.get_potential_energy(atoms.copy())  # it writes into atoms.info
        assert energy == pytest.approx(expected, abs=tol.OWN_ENERGY * len(atoms))


@pytest.mark.parametrize(("kind", "task"), [("uma", "oc20"), ("uma", "omol"), ("esen", "oc20")])
def test_energy_is_that_of_its_own_calculator(checkpoints, various, kind, task):
    backbone = FairChem("tiny", weights=checkpoints[kind], task=task)
    assert_own_energies(run(backbone, various), various, checkpoints[kind], task=task)


def test_direct_force_model(checkpoints, various):
    output = run(FairChem("tiny", weights=checkpoints["direct"]), various)
    assert_own_energies(output, various, checkpoints["direct"])


def test_features_are_those_of_its_own_graph(tiny, various):
    path, backbone = tiny
    model = own_calculator(path).predictor.model.module
    batch = atomicdata_list_to_batch(
        [AtomicData.from_ase(atoms, task_name="oc20") for atoms in various]
    )
    own = model.backbone(batch)["node_embedding"][:, 0].detach()
    ours = run(backbone, various).layers[2]
    torch.testing.assert_close(ours, own, rtol=0, atol=tol.BATCH * own.abs().max().item())


def test_layers_are_taken_after_the_charge_is_balanced(checkpoints, various):
    """UMA 1.2 shifts some channels after each block so that they sum to the total charge."""
    backbone = FairChem("tiny", weights=checkpoints["uma"], task="oc20")
    channels = run(backbone, various).layers[1][:, UMA["backbone"]["charge_balanced_channels"]]
    sums = [frame.sum(dim=0) for frame in channels.split([len(atoms) for atoms in various])]
    torch.testing.assert_close(torch.stack(sums), torch.zeros(3, 3), rtol=0, atol=1e-4)


def test_batch_of_mixed_composition_has_each_frames_own_experts(checkpoints, various):
    output = run(FairChem("tiny", weights=checkpoints["uma"], task="oc20"), various)
    for atoms, energy in zip(various, output.energy.tolist(), strict=True):
        merged = own_calculator(checkpoints["uma"], merge_mole=True)  # for one composition
        expected = merged.get_potential_energy(atoms.copy())
        assert energy == pytest.approx(expected, abs=tol.OWN_ENERGY * len(atoms))


@pytest.mark.parametrize("version", [1, 2])
def test_max_neighbors_as_the_library_counts_them(tmp_path, various, version):
    few = ESEN | {"backbone": BACKBONE | {"max_neighbors": 9}}
    path = fairchem_checkpoint(tmp_path / "few.pt", few, ESEN_TASKS)
    backbone = FairChem("tiny", weights=path)
    graph = backbone.graph(various)
    assert len(graph.centre) < len(build_graph(various, BACKBONE["cutoff"]).centre)
    assert torch.bincount(graph.centre).max() >= 9
    output = run(backbone, various)
    assert_own_energies(output, various, path, internal_graph_gen_version=version)


def test_gradient_of_the_energy_is_the_librarys_force(tiny, various):
    path, backbone = tiny
    graph = backbone.graph(various)
    graph.positions.requires_grad_()
    output = backbone.forward(graph)
    (gradient,) = torch.autograd.grad(output.energy.sum(), graph.positions, retain_graph=True)
    calculator = own_calculator(path, predict_untrained_forces={"oc20"})
    own = np.concatenate([calculator.get_forces(atoms.copy()) for atoms in various])
    np.testing.assert_allclose(-gradient.numpy(), own, atol=tol.INVARIANCE * np.abs(own).max())
    for layer in output.layers.values():
        assert torch.autograd.grad(layer.sum(), graph.positions, retain_graph=True)[0].any()


def test_frames_without_edges(tiny):
    _, backbone = tiny
    lone, boxed = Atoms("Cu"), Atoms("O", cell=[20] * 3, pbc=True)
    for frames in ([lone], [lone, boxed], [boxed, molecule("CO"), lone]):
        output = run(backbone, frames)
        assert torch.isfinite(output.energy).all()
        assert all(torch.isfinite(features).all() for features in output.layers.values())


def test_task(checkpoints, various):
    surface, molecules = (
        run(FairChem("tiny", weights=checkpoints["uma"], task=task), various)
        for task in ("oc20", "omol")
    )
    assert (surface.layers[1] - molecules.layers[1]).abs().max() > 1e-2
    FairChem("tiny", weights=checkpoints["esen"])  # has only one
    for task in (None, "oc22"):
        with pytest.raises(BackboneError, match=f"task is {task!r}; the model offers oc20, omat"):
            FairChem("tiny", weights=checkpoints["uma"], task=task)


def test_charged_frame_is_named(checkpoints):
    backbone = FairChem("tiny", weights=checkpoints["uma"], task="omol")
    neutral = molecule("CO")
    neutral.info = {"charge": 0, "spin": 1}
    charged = molecule("CO")
    charged.info = {"charge": 1}
    backbone.check_species([neutral], "mine.xyz")
    with pytest.raises(BackboneError, match=r"mine\.xyz: frame 1: charge 1, .* only charge 0"):
        backbone.check_species([neutral, charged], "mine.xyz")


# Where the weights come from


def test_registered_model(checkpoints, monkeypatch):
    asked = []

    def hub(**file):
        asked.append((file["repo_id"], file["filename"]))
        return str(checkpoints["uma"])

    monkeypatch.setattr(pretrained_mlip, "hf_hub_download", hub)
    fetched = FairChem("uma", model="uma-s-1p1", task="oc20")
    assert asked == [("facebook/UMA", "uma-s-1p1.pt")]
    local = FairChem("uma", weights=checkpoints["uma"], task="oc20")
    assert fetched.weights_sha256 == local.weights_sha256


def test_unreachable_download_says_what_to_do(monkeypatch):
    def hub(**_file):
        raise LocalEntryNotFoundError("cannot reach the hub\nand much more")

    monkeypatch.setattr(pretrained_mlip, "hf_hub_download", hub)
    with pytest.raises(BackboneError) as caught:
        FairChem("uma", model="uma-s-1p1", task="oc20")
    message = str(caught.value)
    assert "\n" not in message
    for part in ("cannot reach the hub", "huggingface.co/facebook/UMA", "hf auth login", "weights"):
        assert part in message


def test_unknown_model_is_named():
    with pytest.raises(BackboneError, match="no model 'uma-xl'; choose from uma-s-1p2p1, "):
        FairChem("uma", model="uma-xl")


@pytest.mark.parametrize("source", [{}, {"weights": "a.pt", "model": "uma-s-1p1"}])
def test_exactly_one_source(source):
    with pytest.raises(BackboneError, match="give either weights"):
        FairChem("uma", **source)


def test_unusable_files_are_named(checkpoints, tmp_path):
    files = {name: tmp_path / f"{name}.pt" for name in ("none", "half", "text", "other")}
    whole = checkpoints["uma"].read_bytes()
    files["half"].write_bytes(whole[: len(whole) // 2])
    files["text"].write_text("model: uma\n")
    torch.save({"state_dict": {}}, files["other"])
    for path in files.values():
        with pytest.raises(BackboneError, match=r"\.pt: .*give an inference checkpoint") as caught:
            FairChem("tiny", weights=path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_weights_of_another_model_are_refused(tmp_path, checkpoints):
    weights = state_of(checkpoints["direct"])
    path = fairchem_checkpoint(tmp_path / "odd.pt", ESEN, ESEN_TASKS, weights)
    with pytest.raises(
        BackboneError,
        match=r"odd\.pt: .*cannot build the model \(state_dict lacks output_heads\.efs\..* and 3 "
        r"more and has unexpected output_heads\.energy\..* and 5 more\)",
    ) as caught:
        FairChem("tiny", weights=path)
    assert "\n" not in str(caught.value)
    wide = ESEN | {"backbone": BACKBONE | {"edge_channels": 17}}
    path = fairchem_checkpoint(
        tmp_path / "wide.pt", wide, ESEN_TASKS, state_of(checkpoints["esen"])
    )
    with pytest.raises(BackboneError, match=r"wide\.pt: .* of shape .* settings make"):
        FairChem("tiny", weights=path)


# A file from outside runs no code


class Payload:
    """Runs a command when unpickled."""

    def __init__(self, marker):
        self.command = f"touch {marker}"

    def __reduce__(self):
        return os.system, (self.command,)


def assert_refused(path, marker, match="refused"):
    with pytest.raises(BackboneError, match=match) as caught:
        FairChem("tiny", weights=path)
    assert "\n" not in str(caught.value)
    assert not marker.exists()


@pytest.mark.parametrize("scan", [True, False])
def test_pickled_code_does_not_run(tmp_path, monkeypatch, scan):
    path, marker = tmp_path / "evil.pt", tmp_path / "ran"
    torch.save({"weights": Payload(marker)}, path)
    if not scan:  # torch's look ahead names what it finds; its loader refuses by itself
        monkeypatch.setattr(
            torch.serialization, "get_unsafe_globals_in_checkpoint", lambda _path: []
        )
    assert_refused(path, marker, "system" if scan else "refused")
    torch.load(path, weights_only=False)
    assert marker.exists()  # a live payload


def test_bare_pickle_does_not_run(tmp_path):
    path, marker = tmp_path / "evil.pt", tmp_path / "ran"
    path.write_bytes(pickle.dumps(Payload(marker)))
    assert_refused(path, marker, "cannot be read")


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("target", "os.system"),
        ("backbone", "os.system"),
        ("head", "os.system"),
        ("normalizer", "fairchem.core.common.utils.os.system"),
        ("interpolation", "os.system"),
    ],
)
def test_settings_that_name_code_are_refused(tmp_path, checkpoints, place, name):
    path, marker = tmp_path / "evil.pt", tmp_path / "ran"
    model, tasks = copy.deepcopy(ESEN), copy.deepcopy(ESEN_TASKS)
    command = f"touch {marker}"
    if place == "target":
        model["backbone"]["act"] = {"_target_": name, "command": command}
    elif place == "backbone":
        model["backbone"] = {"model": name, "command": command}
    elif place == "head":
        model["heads"]["efs"] = {"module": name, "command": command}
    elif place == "normalizer":
        tasks[0]["normalizer"] = {"_target_": name, "command": command}
    else:
        call = f"{{_target_: {name}, command: {command}}}"
        tasks[0]["normalizer"] = f"${{oc.create:'{call}'}}"
    fairchem_checkpoint(path, model, tasks, state_of(checkpoints["esen"]))
    assert_refused(path, marker, f"its settings name {name}")
    if place == "backbone":
        with pytest.raises(InstantiationException):
            load_inference_model(str(path))
        assert marker.exists()  # a live payload: the library calls what the name says


def test_no_other_file_is_opened(tmp_path, checkpoints, various):
    """finetune_config makes the library unpickle the file that it names."""
    evil, marker = tmp_path / "evil.pt", tmp_path / "ran"
    torch.save(Payload(marker), evil)
    settings = ESEN | {"finetune_config": {"starting_checkpoint": str(evil)}}
    path = fairchem_checkpoint(
        tmp_path / "tuned.pt", settings, ESEN_TASKS, state_of(checkpoints["esen"])
    )
    tuned = run(FairChem("tiny", weights=path), various)
    assert not marker.exists()
    assert torch.equal(
        tuned.energy, run(FairChem("tiny", weights=checkpoints["esen"]), various).energy
    )
