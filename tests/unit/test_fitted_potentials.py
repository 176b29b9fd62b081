"""What the study fits as potentials: energies are those that its fits predict."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from repulsive import Repulsive
from samples import Named, labelled
from small_gap import GAP, without_gap
from small_network import SETTINGS, SMALL
from tolerances import SAME_FIT, SCHNET_TABLE

from mekrr.data.frames import frame_table, write_frames
from mekrr.data.labels import forces_of
from mekrr.features.directions import directions_of, extract_directions_to
from mekrr.features.extract import extract_to
from mekrr.features.store import read_layer
from mekrr.kernels.atom import Gaussian
from mekrr.kernels.store import write_kernels
from mekrr.kernels.training import training_gram
from mekrr.models.network.states import write_states
from mekrr.models.problem import Problem
from mekrr.study.experiments.fits import write_fit
from mekrr.study.experiments.kinds import kind_of
from mekrr.study.experiments.kinds.network import network_of
from mekrr.study.experiments.potentials import backbones, of_fit, potentials
from mekrr.study.experiments.slopes import slopes_of
from mekrr.study.methods import methods_of

IN_MEMORY = ("kernel", "sparse", "network")  # those of learning curves
CPU = torch.device("cpu")
FILES = ("features", "directions", "kernels")
SPLIT = np.random.default_rng(3).permutation(np.repeat(["train", "val", "test"], [14, 5, 5]))
LABELS = {"dataset": "mine", "strategy": "random", "seed": "0"}
GRID = {
    "alpha": {"smallest": 0.05, "count": 4},
    "regularisation": {"smallest": 1e-4, "largest": 1e-2, "count": 3},
}


@pytest.fixture
def frames():
    """Cu4 and Cu3O, with energies by EMT, which no network here knows."""
    frames = labelled(24)
    for k, atoms in enumerate(frames):
        if k % 2:
            atoms.symbols[2] = "O"
        energy = EMT().get_potential_energy(atoms)
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=np.zeros((4, 3)))
        atoms.info["frame"] = 100 + k
    return frames


@pytest.fixture
def problem(frames):
    return Problem.of(frame_table(frames), SPLIT, "least-squares", "mine")


def step_of(folder, **params):
    """A step on files of ``folder``, as scripts of all kinds are told of it."""
    return Named(
        input=Named(
            frames=[],
            weights=[],
            choices=[folder / "choices.csv"],
            **{name: folder / name for name in (*FILES, "states", "model")},
        ),
        params=Named(
            reference_energy="least-squares", checkpoint=str(folder / "checkpoint"), **params
        ),
        wildcards=Named(LABELS, backbone="net", network="net"),
        log=Named(gap_fit=folder / "log"),
        threads=1,
    )


def constant(folder, frames, monkeypatch):
    methods = [method.recipe for method in methods_of("constants")]
    return step_of(folder, kind="constant", methods=methods), 1e-12


def extracted(folder, frames, monkeypatch):
    """Write features of a backbone that steps then open; return it, and how."""
    backbone = Repulsive("net")
    settings = {"batch_size": {"cpu": 4}, "atoms": "all", "source": "mine", "provenance": {}}
    settings["device"] = CPU
    monkeypatch.setattr(backbones, "load_backbone", lambda *_, **__: backbone)
    extract_to(folder / "features", backbone, frames, dtype="float32", **settings)
    return backbone, settings


def kernels(folder, frames, monkeypatch):
    extracted(folder, frames, monkeypatch)
    train = np.flatnonzero(SPLIT == "train")
    grams = {
        layer: training_gram(read_layer(folder / "features", layer), train, Gaussian(1.5))[0]
        for layer in (1, 2)
    }
    write_kernels(folder / "kernels", grams, train)
    methods = [method.recipe for method in methods_of("frozen")]
    given = {"layers": [1, 2], "grid": GRID, "atoms": "all", "backbone": {"family": "analytic"}}
    return step_of(folder, kind="kernel", methods=methods, **given), SAME_FIT


def sparse(folder, frames, monkeypatch):
    backbone, settings = extracted(folder, frames, monkeypatch)
    along = [directions_of(atoms, 3, None) for atoms in frames]
    extract_directions_to(folder / "directions", backbone, frames, along, [1, 2], **settings)
    write_frames(folder / "frames", frames)
    methods = [method.recipe for method in methods_of("sparse")]
    given = {"sparse": {"views": [[1, 2]], "inducing": 10}, "backbone": {"family": "analytic"}}
    step = step_of(folder, kind="sparse", methods=methods, atoms="all", **given)
    step.input["frames"] = folder / "frames"
    return step, SAME_FIT


def trained(folder, frames, method, model, tolerance):
    given = {"method": method, "model": model, "training": asdict(SETTINGS)}
    step = step_of(folder, kind="network", **given)
    write_states(folder / "states", network_of(step), frames, CPU, {})
    return step, tolerance


def from_scratch(folder, frames, monkeypatch):
    model = {"entry": {"architecture": SMALL}, "backbone": None}
    return trained(folder, frames, "SchNet", model, SCHNET_TABLE)


def fine_tuned(folder, frames, monkeypatch):
    model = {"entry": {"start": "net", "frozen": 4}, "backbone": {"family": "sevennet"}}
    return trained(folder, frames, "SevenNet-FT", model, SAME_FIT)


def gap(folder, frames, monkeypatch):
    write_frames(folder / "frames", frames)
    methods = [method.recipe for method in methods_of("gap-soap")]
    step = step_of(folder, kind="potential", methods=methods, settings=GAP)
    step.input["frames"] = folder / "frames"
    return step, 1e-8  # positions as the file has them


STEPS = [
    constant,
    kernels,
    sparse,
    from_scratch,
    fine_tuned,
    pytest.param(gap, marks=without_gap),
]


@pytest.mark.parametrize("make", STEPS)
def test_energies_are_those_that_the_fits_predict(make, problem, frames, tmp_path, monkeypatch):
    """Of fits in memory, and of the files that they leave."""
    step, tolerance = make(tmp_path, frames, monkeypatch)
    kind = kind_of(step.params.kind).open(step)
    fit = kind.fit(problem)
    chosen = fit.choices[fit.choices["chosen"]].reindex(columns=["method", "layer"])
    rows = fit.predictions.fillna({"layer": -1}).merge(chosen.fillna({"layer": -1}))
    expected = {m: own.set_index("index") for m, own in rows.groupby("method")}

    def compare(found):
        for method, potential in found:
            names.append(method)
            asked = expected[method].index  # GAP's are no training frames
            for k in (*asked[:2], *problem.members("test")[:2]):
                energy = potential.evaluate(frames[k]).energy
                assert abs(energy - expected[method].loc[k, "energy_pred"]) < 4 * tolerance, method

    names = []
    compare(of_fit(step, kind, problem, fit) if step.params.kind in IN_MEMORY else ())
    assert not names or set(names) == set(expected)
    if kind.model is not None:
        kind.model.save(tmp_path / "model")
    write_fit(fit, LABELS, {"choices": str(tmp_path / "choices.csv")})
    names.clear()
    compare(potentials(step.params.kind, step, problem))
    assert set(names) == set(expected)
    assert len(names) == len(expected)


@pytest.mark.parametrize("make", [kernels, sparse])
def test_forces_along_directions_are_those_of_the_potential(
    make, problem, frames, tmp_path, monkeypatch
):
    """Derivatives and standard deviations, along one at random and all components of an atom."""
    first, *others = problem.members("test").tolist()
    atoms = frames[first]
    labels = {"energy": atoms.get_potential_energy(), "forces": EMT().get_forces(atoms)}
    atoms.calc = SinglePointCalculator(atoms, **labels)
    frames[others[0]].calc = SinglePointCalculator(frames[others[0]], energy=0.0)
    step, _ = make(tmp_path, frames, monkeypatch)
    along = [
        directions_of(own, 1, {"index": [1]})[: 4 * (forces_of(own) is not None)] for own in frames
    ]
    settings = {"batch_size": {"cpu": 4}, "atoms": "all", "source": "mine", "provenance": {}}
    where = (tmp_path / "directions", backbones.load_backbone(), frames, along, [1, 2])
    extract_directions_to(*where, device=CPU, **settings)
    step.params["methods"] = step.params.methods[-2:]  # the first of each pair is not Δ
    kind = kind_of(step.params.kind).open(step)
    found = [(m, p) for m, p in of_fit(step, kind, problem, kind.fit(problem)) if p.has_std]
    slopes = slopes_of(found, problem, frames, tmp_path / "features", tmp_path / "directions")
    assert set(slopes["index"]) == {first, *others[1:]}
    assert len(slopes) == len(found) * 4 * (len(others))
    for method, potential in found:
        own = slopes[(slopes["method"] == method) & (slopes["index"] == first)]
        assert own["direction"].tolist() == [0, 1, 2, 3]
        assert set(own["frame"]) == {100 + first}
        forces = potential.evaluate(atoms).forces
        for column, of in (("slope_ref", labels["forces"]), ("slope_pred", forces)):
            expected = -np.einsum("qna,na->q", along[first], of)
            np.testing.assert_allclose(own[column], expected, rtol=1e-3, atol=1e-3)
        stds = potential.force_std(atoms)[1]
        np.testing.assert_allclose(own["slope_std"][1:], stds, rtol=1e-2)
