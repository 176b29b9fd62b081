"""Extracting, storing and joining features."""

import json
import logging
import weakref

import numpy as np
import pytest
import tolerances as tol
import torch
from ase import Atoms
from ase.constraints import FixAtoms
from repulsive import Repulsive
from safetensors.numpy import load_file
from samples import labelled

from mekrr import environment
from mekrr.backbones.analytic.adapter import AnalyticBackbone
from mekrr.data.frames import load_frames, write_frames
from mekrr.errors import BackboneError, DataError
from mekrr.features.atoms import selected, selected_if_any
from mekrr.features.extract import choose_device, extract, extract_to, fitting_batch, gather
from mekrr.features.store import (
    feature_writer,
    merge_shards,
    read_gnn_energy,
    read_layer,
    read_provenance,
    shard_bytes,
)

CPU = torch.device("cpu")
RECORD = {"backbone": "b", "weights_sha256": "w", "dtype": "float32", "device": "CPU"}


def write(path, layers, species, pointer, energy=None, dtype="float32", **record):
    with feature_writer(
        path,
        {layer: h.shape[1] for layer, h in layers.items()},
        np.asarray(species),
        np.asarray(pointer),
        has_energy=energy is not None,
        dtype=dtype,
        provenance=RECORD | {"dtype": dtype} | record,
    ) as writer:
        for layer, features in layers.items():
            for row in features:  # row by row, as batches would come
                writer.append(f"layer{layer}", row[None])
        if energy is not None:
            writer.append("gnn_energy", np.asarray(energy))
    return path


@pytest.fixture
def layers(rng):
    return {1: rng.normal(size=(5, 3)).astype(np.float32), 2: np.ones((5, 4), np.float32)}


@pytest.fixture
def stored(tmp_path, layers):
    return write(
        tmp_path / "f.safetensors", layers, [29, 1, 29, 8, 1], [0, 2, 5], [-1.0, -2.0], extra="x"
    )


def test_round_trip(stored, layers):
    frames = read_layer(stored, 1)
    np.testing.assert_array_equal(frames.features, layers[1])
    assert frames.species.tolist() == [29, 1, 29, 8, 1]
    assert frames.n_atoms.tolist() == [2, 3]
    assert read_gnn_energy(stored).tolist() == [-1.0, -2.0]
    assert read_provenance(stored)["extra"] == "x"


def test_features_are_read_as_a_memory_map(stored):
    assert isinstance(read_layer(stored, 2).features, np.memmap)


def test_file_is_what_the_safetensors_library_reads(stored, layers):
    tensors = load_file(stored)
    np.testing.assert_array_equal(tensors["layer1"], layers[1])
    np.testing.assert_array_equal(tensors["layer2"], layers[2])
    assert tensors["gnn_energy"].dtype == np.float64
    assert tensors["pointer"].tolist() == [0, 2, 5]


def test_half_precision_halves_the_file_and_keeps_three_digits(tmp_path, rng):
    layers = {1: rng.normal(size=(400, 64)).astype(np.float32)}
    sizes = {}
    for dtype in ("float32", "float16"):
        path = write(tmp_path / dtype, layers, [1] * 400, [0, 400], dtype=dtype)
        sizes[dtype] = path.stat().st_size
        read = read_layer(path, 1).features
        assert read.dtype == dtype
        np.testing.assert_allclose(read, layers[1], rtol=tol.HALF, atol=tol.HALF)
    assert sizes["float16"] < 0.55 * sizes["float32"]


def test_select_keeps_the_order_asked_for(stored):
    frames = read_layer(stored, 1).select([1, 0])
    assert frames.species.tolist() == [29, 8, 1, 29, 1]
    assert frames.pointer.tolist() == [0, 3, 5]


def test_unknown_layer_is_named(stored):
    with pytest.raises(DataError, match="has no layer 3, only 1, 2"):
        read_layer(stored, 3)


def test_damaged_file_is_named(stored):
    stored.write_bytes(stored.read_bytes()[:-7])
    with pytest.raises(DataError, match=r"damaged file .*; delete it and run again"):
        read_layer(stored, 1)


def test_a_file_with_missing_rows_never_appears(tmp_path, layers):
    path = tmp_path / "f.safetensors"
    with (
        pytest.raises(ValueError, match="not all of layer2"),
        feature_writer(
            path,
            {1: 3, 2: 4},
            np.ones(5),
            np.array([0, 5]),
            has_energy=False,
            dtype="float32",
            provenance=RECORD,
        ) as writer,
    ):
        writer.append("layer1", layers[1])
    assert list(tmp_path.iterdir()) == []


def test_merged_shards_are_the_whole(tmp_path, layers, stored, monkeypatch):
    monkeypatch.setattr("mekrr.tensors.BLOCK", 8)
    one = write(tmp_path / "0", {k: h[:2] for k, h in layers.items()}, [29, 1], [0, 2], [-1.0])
    two = write(tmp_path / "1", {k: h[2:] for k, h in layers.items()}, [29, 8, 1], [0, 3], [-2.0])
    merge_shards(tmp_path / "all", [one, two])
    for layer in layers:
        for name, values in vars(read_layer(stored, layer)).items():
            np.testing.assert_array_equal(
                getattr(read_layer(tmp_path / "all", layer), name), values
            )
    assert read_gnn_energy(tmp_path / "all").tolist() == [-1.0, -2.0]


@pytest.mark.parametrize(
    ("change", "named"),
    [({"weights_sha256": "other"}, "weights_sha256"), ({"atoms": "mobile"}, "atoms")],
)
def test_shards_of_other_making_are_refused(tmp_path, layers, stored, change, named):
    other = write(tmp_path / "1", layers, [29, 1, 29, 8, 1], [0, 5], [-1.0], **change)
    with pytest.raises(DataError, match=f"made with other {named} than"):
        merge_shards(tmp_path / "all", [stored, other])
    fewer = write(tmp_path / "2", {1: layers[1]}, [29, 1, 29, 8, 1], [0, 5], [-1.0])
    with pytest.raises(DataError, match="made with other layers than"):
        merge_shards(tmp_path / "all", [stored, fewer])


def test_shards_cover_the_file(tmp_path):
    frames = labelled(11)
    for number, atoms in enumerate(frames):
        atoms.info["frame"] = number
    offsets = write_frames(tmp_path / "f.extxyz", frames)
    found = [
        atoms.info["frame"]
        for shard in range(3)
        for atoms in load_frames(tmp_path / "f.extxyz", *shard_bytes(offsets, shard, 3))
    ]
    assert found == list(range(11))


def everything(backbone, frames, size):
    batches = list(extract(backbone, frames, {"cpu": size}, CPU))
    assert sum(batch.n_frames for batch in batches) == len(frames)
    return {k: np.concatenate([b.layers[k] for b in batches]) for k in backbone.layers}


def test_batch_size_changes_nothing():
    frames, backbone = labelled(7), AnalyticBackbone("a")
    many = everything(backbone, frames, 5)
    for layer, features in everything(backbone, frames, 1).items():
        assert features.dtype == np.float32
        assert features.shape[0] == 28
        np.testing.assert_allclose(many[layer], features, atol=tol.BATCH)


def test_a_backbone_is_asked_for_what_is_wanted_alone(monkeypatch):
    backbone, asked = Repulsive("r"), []
    forward = backbone.forward
    monkeypatch.setattr(backbone, "forward", lambda *args: asked.append(args[1:]) or forward(*args))
    settings = {"batch_size": {"cpu": 2}, "device": CPU, "atoms": "all", "source": "d"}
    found, energies = gather(backbone, labelled(3), [2], energy=False, **settings)
    assert asked == [([2], False)] * 2
    assert energies is None
    np.testing.assert_array_equal(found[2].features, everything(backbone, labelled(3), 2)[2])
    _, energies = gather(backbone, labelled(3), [2], **settings)
    assert energies.shape == (3,)


@torch.jit.script
def too_much(x):
    """Fails in the allocator; TorchScript hides the type of the error."""
    return torch.zeros([x.size(0), 1 << 45])


def no_memory_left(_x):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


class Small(AnalyticBackbone):
    """A backbone whose machine has memory for ``capacity`` frames only."""

    cpu_batch = 3

    def __init__(self, capacity, allocate=no_memory_left):
        super().__init__("small")
        self.capacity, self.allocate = capacity, allocate
        self.tried, self.of_last_pass = [], lambda: None

    def forward(self, graph, layers=None, energy=True):
        assert self.of_last_pass() is None, "tensors of a pass that failed take memory"
        self.tried.append(len(graph.n_atoms))
        output = super().forward(graph)
        if len(graph.n_atoms) > self.capacity:
            self.of_last_pass = weakref.ref(output.layers[1])
            self.allocate(graph.positions)
        return output


@pytest.mark.parametrize("allocate", [no_memory_left, too_much])
def test_batches_that_do_not_fit_are_halved_with_a_warning(caplog, allocate):
    frames = labelled(9)
    small = Small(2, allocate)
    features = everything(small, frames, 8)
    assert small.tried == [8, 4, 2, 2, 2, 2, 1]
    assert "batches of 2 frames" in caplog.text
    for layer, h in everything(AnalyticBackbone("a"), frames, 1).items():
        np.testing.assert_allclose(features[layer], h, atol=tol.BATCH)


def test_a_frame_that_does_not_fit_is_named():
    frames = labelled(2)
    with pytest.raises(BackboneError, match=r"frame 0: 4 atoms do not fit into the memory of cpu"):
        everything(Small(0), frames, 4)
    frames[0].info["frame"] = 2000  # the first of a shard
    with pytest.raises(BackboneError, match=r"frame 2000: .*; run fewer jobs at once"):
        everything(Small(0), frames, 4)


def test_weights_that_do_not_fit_are_named(monkeypatch):
    monkeypatch.setattr(Small, "to", lambda self, device: no_memory_left(device))
    with pytest.raises(BackboneError, match=r"frame 0: 4 atoms do not fit into the memory of cpu"):
        everything(Small(9), labelled(2), 4)


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    def fail(_x):
        raise RuntimeError("index 7 is out of bounds")

    with pytest.raises(RuntimeError, match="index 7"):
        everything(Small(0, fail), labelled(2), 2)


def test_on_a_cpu_the_backbone_knows_its_batch_size():
    small = Small(9)
    frames = [atoms.repeat((2, 2, 1)) for atoms in labelled(7)]
    everything(small, frames, "auto")
    assert small.tried == [3, 3, 1]


def test_on_a_cpu_small_frames_share_a_pass():
    """As many as have no more atoms than cost little; one that does not fit is tried by halves."""
    small, frames = Small(99), labelled(30)
    features = everything(small, frames, "auto")
    assert small.tried == [12, 12, 6]
    for layer, h in everything(AnalyticBackbone("a"), frames, 1).items():
        np.testing.assert_allclose(features[layer], h, atol=tol.BATCH)
    small = Small(9)
    everything(small, frames[:14], "auto")
    assert small.tried == [12, 6, 6, 2]


def test_the_next_batch_is_under_way_when_one_is_used():
    """So a GPU computes while results are stored."""
    small = Small(9)
    seen = [list(small.tried) for _ in extract(small, labelled(5), {"cpu": 2}, CPU)]
    assert seen == [[2, 2], [2, 2, 1], [2, 2, 1]]


@pytest.mark.parametrize(
    ("free", "needed", "expected"),
    [
        (1e9, 1e8, 6),  # 0.6 of the free memory
        (1e9, 1e10, 1),
        (1e12, 1e6, 8192 // 4),  # main memory bounds it too
    ],
)
def test_batches_are_sized_to_the_free_memory(monkeypatch, free, needed, expected):
    """Of the GPU, whose numbers are made up here; the weights take 5 MB of it."""
    small = Small(9)
    memory = {
        "empty_cache": lambda: None,
        "reset_peak_memory_stats": lambda _device: None,
        "mem_get_info": lambda _device: (free, 2e12),
        "memory_allocated": lambda _device: 5e6,
        "max_memory_allocated": lambda _device: 5e6 + needed,
    }
    for name, function in memory.items():
        monkeypatch.setattr(torch.cuda, name, function)

    def forward(batch):
        return small.forward(small.graph(batch))

    assert fitting_batch(forward, labelled(1)[0], CPU) == expected
    assert small.tried == [1, 1], "a first pass, which is not measured, and one that is"


def test_without_a_gpu_the_cpu_computes_with_a_notice(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device() == CPU
    assert "no CUDA device: features are computed on the CPU" in caplog.text


def test_a_backbone_without_a_gpu_path_runs_on_the_cpu_with_a_notice(monkeypatch, caplog, tmp_path):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(AnalyticBackbone, "runs_on_gpu", False)
    settings = {"atoms": "all", "dtype": "float32", "provenance": RECORD, "source": "d"}
    sizes = {"cpu": 2, "cuda": "auto"}
    path, cuda = tmp_path / "f", torch.device("cuda")
    extract_to(path, AnalyticBackbone("a"), labelled(3), batch_size=sizes, device=cuda, **settings)
    assert caplog.text.count("a has no GPU path: its features are computed on the CPU") == 1
    assert read_provenance(path)["device"] == "cpu"
    assert len(read_layer(path, 1)) == 3


def test_selected_atoms_alone_are_stored(tmp_path):
    frames = labelled(5)
    for atoms in frames:
        atoms.symbols[0] = "O"
    backbone = AnalyticBackbone("a")
    settings = {"batch_size": {"cpu": 2}, "device": CPU, "dtype": "float32", "source": "d"}
    paths = {}
    for name, rule in (("all", "all"), ("some", {"species": ["Cu"]})):
        paths[name] = tmp_path / name
        record = RECORD | {"atoms": json.dumps(rule)}
        extract_to(paths[name], backbone, frames, atoms=rule, provenance=record, **settings)
    whole, part = (read_layer(paths[name], 2) for name in ("all", "some"))
    assert part.n_atoms.tolist() == [3] * 5
    assert set(part.species) == {29}
    np.testing.assert_array_equal(part.features, whole.features[whole.species == 29])


SLAB = Atoms(
    "Cu4NO",
    positions=[[0, 0, 0], [2.5, 0, 0], [0, 0, 2.0], [2.5, 0, 2.0], [0, 0, 3.8], [9.5, 0, 3.8]],
    cell=[10, 10, 12],
    pbc=True,
    constraint=FixAtoms([0, 1]),
)


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("all", [0, 1, 2, 3, 4, 5]),
        ("mobile", [2, 3, 4, 5]),
        ({"species": ["N", "O"]}, [4, 5]),
        ({"within": 2.0, "of": ["N"]}, [2, 4, 5]),  # O across the boundary
        ({"index": [5, 0, 9]}, [0, 5]),
    ],
)
def test_rules_of_selection(rule, kept):
    assert np.flatnonzero(selected(SLAB, rule, "d")).tolist() == kept


def test_fixed_atoms_survive_the_checked_file(tmp_path):
    write_frames(tmp_path / "f.extxyz", [SLAB])
    assert selected(load_frames(tmp_path / "f.extxyz")[0], "mobile", "d").sum() == 4


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("mobile", "marks no atom as fixed"),
        ({"species": ["Fe"]}, "no atom is selected"),
        ({"within": 3.0, "of": ["Fe"]}, "no atom of Fe"),
        ({"index": [4]}, "no atom is selected"),
    ],
)
def test_empty_selection_is_named(rule, why):
    atoms = labelled(1)[0]
    atoms.info["frame"] = 7
    with pytest.raises(DataError, match=rf"d: frame 7: .*{why}.*choose other `atoms`"):
        selected(atoms, rule, "d")
    assert not selected_if_any(atoms, rule).any()


def test_provenance_names_what_decides_the_numbers():
    record = environment.collect()
    for key in ("mekrr", "torch", "sevenn", "chgnet", "python", "git", "cpu"):
        assert record[key]
        assert record[key] != "not installed"
