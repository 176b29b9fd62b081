"""UMA and eSEN models: tiny random ones, written and checked by fairchem-core itself."""

import copy
import os
import pickle

import numpy as np
import pytest
import tolerances as tol
import torch
import torch.distributed.checkpoint as dcp
from ase import Atoms
from ase.build import bulk, molecule
from fairchem.core import FAIRChemCalculator
from fairchem.core.calculate import pretrained_mlip
from fairchem.core.datasets.atomic_data import AtomicData, atomicdata_list_to_batch
from fairchem.core.models.base import HydraModel
from fairchem.core.units.mlip_unit import InferenceSettings, load_predict_unit
from fairchem.core.units.mlip_unit.mlip_unit import (
    convert_train_checkpoint_to_inference_checkpoint,
)
from fairchem.core.units.mlip_unit.utils import load_inference_model
from huggingface_hub.errors import LocalEntryNotFoundError
from hydra.errors import InstantiationException
from omegaconf import OmegaConf

from mekrr.backbones.fairchem import FairChem
from mekrr.errors import BackboneError
from mekrr.graphs import build_graph

pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed is disabled")

MODELS = "fairchem.core.models.uma"
NORMALIZATION = "fairchem.core.modules.normalization"
DATASETS = {name: name for name in ("oc20", "omat", "omol")}
BACKBONE = {
    "model": f"{MODELS}.escn_md.eSCNMDBackbone",
    "max_num_elements": 100,
    "sphere_channels": 16,
    "hidden_channels": 16,
    "edge_channels": 16,
    "num_distance_basis": 32,
    "num_layers": 2,
    "cutoff": 5.0,
    "max_neighbors": 300,
    "otf_graph": True,
    "direct_forces": False,
    "regress_forces": True,
    "regress_stress": True,
    "ff_type": "spectral",
    "use_dataset_embedding": False,
}
ESEN = {
    "_target_": "fairchem.core.models.base.HydraModel",
    "pass_through_head_outputs": True,
    "backbone": BACKBONE,
    "heads": {"efs": {"module": f"{MODELS}.escn_md.MLP_EFS_Head"}},
}
DIRECT = {
    "_target_": "fairchem.core.models.base.HydraModel",
    "backbone": BACKBONE | {"direct_forces": True, "regress_stress": False},
    "heads": {
        "energy": {"module": f"{MODELS}.escn_md.MLP_Energy_Head"},
        "forces": {"module": f"{MODELS}.escn_md.Linear_Force_Head"},
    },
}
UMA = {
    "_target_": "fairchem.core.models.base.HydraModel",
    "model_id": "UMA-S-1.2.1",
    "pass_through_head_outputs": True,
    "backbone": BACKBONE
    | {
        "model": f"{MODELS}.escn_moe.eSCNMDMoeBackbone",
        "num_experts": 4,
        "use_composition_embedding": True,
        "chg_spin_emb_type": "rand_emb",
        "charge_balanced_channels": [0, 1, 2],
        "use_dataset_embedding": True,
        "dataset_mapping": DATASETS,
    },
    "heads": {
        "efs": {
            "module": f"{MODELS}.escn_moe.DatasetSpecificMoEWrapper",
            "head_cls": f"{MODELS}.escn_md.MLP_EFS_Head",
            "head_kwargs": {"wrap_property": False},
            "dataset_mapping": DATASETS,
        }
    },
}


def energy_task(name, dataset):
    references = [-0.1 * z for z in range(100)]
    return {
        "_target_": "fairchem.core.units.mlip_unit.mlip_unit.Task",
        "name": name,
        "level": "system",
        "property": "energy",
        "loss_fn": {"_target_": "fairchem.core.modules.loss.MAELoss"},
        "out_spec": {"dim": [1], "dtype": "float32"},
        "normalizer": {
            "_target_": f"{NORMALIZATION}.normalizer.Normalizer",
            "mean": 0.0,
            "rmsd": "${rmsd}",
        },
        "element_references": {
            "_target_": f"{NORMALIZATION}.element_references.ElementReferences",
            "element_references": {"_target_": "torch.DoubleTensor", "_args_": [references]},
        },
        "datasets": [dataset],
        "metrics": ["mae"],
    }


ESEN_TASKS = [energy_task("energy", "oc20")]
UMA_TASKS = [energy_task(f"{name}_energy", name) for name in DATASETS]


def write_checkpoint(path, model, tasks, state=None):
    """An inference checkpoint by the library's own writer, from settings and random weights."""
    if state is None:
        torch.manual_seed(7)
        settings = copy.deepcopy(model)
        del settings["_target_"]
        trained = HydraModel(**settings)
        averaged = torch.optim.swa_utils.AveragedModel(trained).state_dict()
        state = {"model": {k: 0 * v for k, v in trained.state_dict().items()}, "ema": averaged}
    unit = {"model": model, "tasks": "${tasks}"}
    config = OmegaConf.create({"rmsd": 1.3, "tasks": tasks, "runner": {"train_eval_unit": unit}})
    sharded = path.with_suffix(".dcp")
    dcp.save({"unit_state": state, "config": config}, checkpoint_id=sharded, no_dist=True)
    convert_train_checkpoint_to_inference_checkpoint(sharded, path)
    return path


def state_of(path):
    """The weights of a checkpoint of ours, for another one."""
    checkpoint = torch.load(path, weights_only=False)
    return {"model": checkpoint.model_state_dict, "ema": checkpoint.ema_state_dict}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fairchem")
    return {
        "uma": write_checkpoint(folder / "uma.pt", UMA, UMA_TASKS),
        "esen": write_checkpoint(folder / "esen.pt", ESEN, ESEN_TASKS),
        "direct": write_checkpoint(folder / "direct.pt", DIRECT, ESEN_TASKS),
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
    path = write_checkpoint(tmp_path / "few.pt", few, ESEN_TASKS)
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


def test_position_gradients_are_finite_differences_in_float64(tiny, surface, rng):
    _, backbone = tiny
    backbone._model.double()
    atoms = surface[0]
    direction = torch.as_tensor(rng.normal(size=(len(atoms), 3)))

    def sums(step):
        graph = backbone.graph([atoms])
        graph.positions = (graph.positions + step * direction).requires_grad_()
        return graph.positions, {k: (h**2).sum() for k, h in backbone.forward(graph).layers.items()}

    positions, values = sums(0.0)
    ahead, behind = sums(1e-4)[1], sums(-1e-4)[1]
    for layer, value in values.items():
        (gradient,) = torch.autograd.grad(value, positions, retain_graph=True)
        slope = (gradient * direction).sum().item()
        difference = (ahead[layer] - behind[layer]).item() / 2e-4
        assert slope == pytest.approx(difference, rel=tol.GRADIENT, abs=1e-4), f"layer {layer}"


def test_rotation_translation_and_periodic_images(tiny, surface, rng):
    _, backbone = tiny
    turned, moved = ([atoms.copy() for atoms in surface] for _ in range(2))
    for atoms in turned:
        atoms.rotate(37, (1, 2, 3), rotate_cell=True)
    for atoms in moved:
        atoms.positions += rng.normal(size=3)
        atoms.positions += rng.integers(-1, 2, size=(len(atoms), 3)) @ atoms.cell.array
    output = run(backbone, surface)
    for other in (run(backbone, turned), run(backbone, moved)):
        for layer, features in output.layers.items():
            difference = (other.layers[layer] - features).abs().max()
            assert difference <= tol.INVARIANCE * features.abs().max()


def test_batch_equals_single(tiny, various):
    _, backbone = tiny
    batch = run(backbone, various)
    start = 0
    for k, atoms in enumerate(various):
        single = run(backbone, [atoms])
        assert abs(single.energy[0] - batch.energy[k]) <= tol.OWN_ENERGY * len(atoms)
        for layer, features in single.layers.items():
            rows = batch.layers[layer][start : start + len(atoms)]
            assert (rows - features).abs().max() <= tol.BATCH * features.abs().max()
        start += len(atoms)


def test_repeats_exactly_and_leaves_the_random_numbers_alone(tiny, various):
    _, backbone = tiny
    first = run(backbone, various)
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    second = run(backbone, various)
    assert torch.equal(torch.random.get_rng_state(), state)
    for layer, features in first.layers.items():
        assert torch.equal(second.layers[layer], features)


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
    path = write_checkpoint(tmp_path / "odd.pt", ESEN, ESEN_TASKS, state_of(checkpoints["direct"]))
    with pytest.raises(BackboneError, match="cannot build the model") as caught:
        FairChem("tiny", weights=path)
    assert "\n" not in str(caught.value)


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
    write_checkpoint(path, model, tasks, state_of(checkpoints["esen"]))
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
    path = write_checkpoint(
        tmp_path / "tuned.pt", settings, ESEN_TASKS, state_of(checkpoints["esen"])
    )
    tuned = run(FairChem("tiny", weights=path), various)
    assert not marker.exists()
    assert torch.equal(
        tuned.energy, run(FairChem("tiny", weights=checkpoints["esen"]), various).energy
    )
