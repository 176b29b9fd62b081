"""Exported potentials: what metatomic makes of them is what the calculator says."""

import sys
from functools import cache

import numpy as np
import pytest
import torch
from ase import units
from exported import CHOSEN, alloy, fitted, kinds
from model_files import record_of, seal, small_models, small_sparse_model, tensors_of
from samples import labelled
from tolerances import EXPORT, EXPORT_FLOAT32

from mekrr import MEKRR, Calculator, SparseMEKRR
from mekrr.cli import main
from mekrr.engines.export import export, own_index_select
from mekrr.errors import BackboneError, InputError, OutputError

# Energies of alloys of which training says nothing.
pytestmark = pytest.mark.filterwarnings("ignore:.*no training frame has this composition")
with own_index_select():  # other tests have torch_geometric imported
    metatomic = pytest.importorskip("metatomic.torch", reason="needs the extra metatomic")
    mts = pytest.importorskip("metatensor.torch")
    metatomic_ase = pytest.importorskip("metatomic_ase")

REACH = {"direct": 10.0, "delta": 25.0, "copper": 10.0}  # Å: layer 1 is of two convolutions


@pytest.fixture(autouse=True)
def as_written():
    """Do not have torch optimise the code for each frame, which takes longer than to run it."""
    with torch.jit.optimized_execution(False):
        yield


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Fit a model by its name, once."""
    registry = tmp_path_factory.mktemp("registry") / "registry.yaml"
    entry = "{family: sevennet, options: {norms: true}, layers: [0, 1]}"
    registry.write_text(f"backbones: {{sevennet-0: {entry}}}")
    settings = {
        "direct": {"target": "energy", "alpha": 1.0},
        "delta": {"target": "delta", "alpha": 0.4, "layers": [2, 1], "kernel": "matern3"},
        "copper": {
            "target": "energy",
            "alpha": 0.0,
            "kernel": "matern5",
            "layers": [0, 1],
            "atoms": {"species": ["Cu"]},
            "reference_energy": "none",
            "registry": registry,
        },
    }
    return cache(lambda name: fitted(**settings[name]))


@pytest.fixture(scope="module", params=REACH)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def model(models, name):
    return models(name)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """The model in float64, as ASE's calculator of metatomic has it."""
    path = tmp_path_factory.mktemp("exported") / "model.pt"
    export(model, path, dtype="float64")
    return opened(path)


def opened(path):
    return metatomic_ase.MetatomicCalculator(
        path, check_consistency=True, device="cpu", uncertainty_threshold=None
    )


def results(atoms, calculator):
    """Energy, energies of atoms, forces and, if there is one, stress."""
    atoms = atoms.copy()
    atoms.calc = calculator
    found = [atoms.get_potential_energy(), atoms.get_potential_energies(), atoms.get_forces()]
    return found + ([atoms.get_stress()] if atoms.pbc.all() else [])


def assert_same(found, expected, tolerance, kind=""):
    for one, other in zip(found, expected, strict=True):
        largest = max(np.abs(other).max(), 1e-3)  # forces may be 0
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * largest, err_msg=kind)


def ask(calculator, atoms, name, kind, selected=None, unit="eV"):
    """The block that the model returns."""
    output = metatomic.ModelOutput(unit=unit, sample_kind=kind)
    return calculator.run_model(atoms, {name: output}, selected)[name].block()


def selection(*pairs):
    return mts.Labels(["system", "atom"], torch.tensor(pairs, dtype=torch.int32))


def test_results_are_those_of_the_calculator(model, exported):
    own = Calculator(model, dtype="float64", warn_above=None)
    for kind, atoms in kinds().items():
        assert_same(results(atoms, exported), results(atoms, own), EXPORT, kind)


def test_standard_deviations_are_those_of_the_calculator(model, exported):
    own = Calculator(model, dtype="float64", warn_above=None)
    frames = [*kinds().values()]
    found = ask(exported, frames, "energy_uncertainty", "system")
    assert found.samples.values.tolist() == [[k] for k in range(len(frames))]
    for value, atoms in zip(found.values[:, 0].tolist(), frames, strict=True):
        own.get_potential_energy(atoms)
        assert value == pytest.approx(own.results["energy_std"], rel=EXPORT)


def test_the_standard_deviation_of_an_atom_is_that_of_a_frame_of_it(model, exported):
    atoms = alloy(6)
    found = ask(exported, atoms, "energy_uncertainty", "atom").values[:, 0].numpy()
    potential = model.potential("float64")
    with torch.no_grad():
        output = potential.backbone.forward(potential.backbone.graph([atoms]), potential.layers)
    h = np.hstack([output.layers[layer] for layer in potential.layers])
    fit, selected = potential.model, potential._selected(atoms)
    for k, value in enumerate(found):
        some = slice(k, k + int(selected[k]))
        variance = fit.energy_variance(h[some], atoms.numbers[some], 1)
        assert value == pytest.approx(np.sqrt(variance), rel=EXPORT)


def test_frames_of_a_batch_and_selected_atoms(exported):
    frames = [*kinds().values()]
    whole = ask(exported, frames, "energy", "atom")
    places = {tuple(pair): k for k, pair in enumerate(whole.samples.values.tolist())}
    selected = selection((5, 0), (0, 3), (0, 1), (4, 2))
    some = ask(exported, frames, "energy", "atom", selected)
    assert some.samples.values.tolist() == selected.values.tolist()
    expected = whole.values[[places[tuple(pair)] for pair in selected.values.tolist()]]
    torch.testing.assert_close(some.values, expected, rtol=1e-12, atol=1e-12)
    sums = ask(exported, frames, "energy", "system", selected)
    assert sums.samples.values.tolist() == [[0], [4], [5]]
    assert sums.values[:, 0].tolist() == pytest.approx(
        [expected[1:3].sum().item(), expected[3].item(), expected[0].item()]
    )
    of_frame = ask(exported, frames, "energy_uncertainty", "atom", selected)
    alone = ask(exported, frames, "energy_uncertainty", "atom")
    torch.testing.assert_close(
        of_frame.values, alone.values[[places[tuple(p)] for p in selected.values.tolist()]]
    )


def test_a_frame_of_the_batch_is_as_alone(exported):
    frames = [*kinds().values()]
    together = ask(exported, frames, "energy", "system").values[:, 0].tolist()
    alone = [ask(exported, atoms, "energy", "system").values.item() for atoms in frames]
    assert together == pytest.approx(alone, rel=1e-12)


def test_units_are_the_engines_own(exported):
    atoms = alloy(6)
    per_mole = ask(exported, atoms, "energy", "system", unit="kJ/mol").values.item()
    expected = ask(exported, atoms, "energy", "system").values.item()
    assert per_mole * units.kJ / units.mol == pytest.approx(expected, rel=1e-6)
    model = exported.model()
    assert model.capabilities().length_unit == "angstrom"
    assert model.capabilities().outputs["energy"].unit == "eV"


def test_elements_and_reach(name, exported):
    capabilities = exported.model().capabilities()
    assert capabilities.interaction_range == REACH[name]
    assert sorted(capabilities.atomic_types) == [29, 79]
    assert {*capabilities.outputs} == {"energy", "energy_uncertainty"}


def test_the_model_is_left_as_it_was(models, tmp_path):
    model, atoms = models("direct"), alloy(6)
    export(model, tmp_path / "model.pt", std=False)
    assert [*opened(tmp_path / "model.pt").model().capabilities().outputs] == ["energy"]
    model.save(tmp_path / "model")
    again = SparseMEKRR.load(tmp_path / "model")
    np.testing.assert_array_equal(model.predict([atoms]), again.predict([atoms]))


# The command


def test_the_command_writes_what_the_calculator_has_in_float32(models, tmp_path, capsys):
    model = models("delta")
    model.save(tmp_path / "model")
    main(["export", str(tmp_path / "model"), "-o", str(tmp_path / "model.pt")])
    told = capsys.readouterr().out
    assert "energy_uncertainty of atoms of Cu, Au; pairs up to 5 Å, neighbours up to 25 Å" in told
    exported, own = opened(tmp_path / "model.pt"), Calculator(model, warn_above=None)
    for kind in ("sheared", "molecule", "slab"):
        atoms = kinds()[kind]
        assert_same(results(atoms, exported), results(atoms, own), EXPORT_FLOAT32, kind)


def refused(*arguments):
    with pytest.raises(SystemExit) as stop:
        main(["export", *map(str, arguments)])
    (line,) = str(stop.value.code).splitlines()
    return line


def test_a_file_of_another_version_is_refused(tmp_path):
    path = small_sparse_model(tmp_path)
    seal(path, record_of(path) | {"format": 99}, tensors_of(path))
    line = refused(path, "-o", tmp_path / "model.pt")
    assert "format 99" in line
    assert not (tmp_path / "model.pt").exists()


def test_a_model_between_frames_is_refused(tmp_path):
    path = small_models(tmp_path)["features"]
    assert "fit a SparseMEKRR" in refused(path, "-o", tmp_path / "model.pt")


def test_the_models_own_file_is_not_overwritten(tmp_path):
    path = small_sparse_model(tmp_path)
    assert "is an input" in refused(path, "-o", path)


# What cannot be exported


def test_a_network_that_does_not_compile_is_refused(tmp_path):
    path = small_sparse_model(tmp_path)
    model = SparseMEKRR.load(path, registry=tmp_path / "sparse.yaml")
    with pytest.raises(BackboneError, match="'mine' cannot be compiled for engines"):
        export(model, tmp_path / "model.pt")


@pytest.mark.parametrize("rule", [{"index": [0]}, {"within": 3.0, "of": ["Cu"]}])
def test_rules_beyond_species_are_refused(rule, analytic, tmp_path):
    model = SparseMEKRR("analytic", atoms=rule, registry=analytic.registry, **CHOSEN)
    with pytest.raises(InputError, match="more of an atom than its species"):
        export(model.fit(labelled(4)), tmp_path / "model.pt")


def test_a_missing_package_is_named(models, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "mekrr.engines.metatomic", raising=False)
    monkeypatch.setitem(sys.modules, "metatensor.torch", None)
    with pytest.raises(OutputError, match=r"pip install .*'metatomic-torch>="):
        export(models("direct"), tmp_path / "model.pt")


def test_mekrr_of_features_is_refused(tmp_path, ragged, rng):
    model = MEKRR(alpha=0.3, regularisation=1e-3).fit(ragged, rng.normal(size=len(ragged)))
    with pytest.raises(InputError, match="frame with all training frames"):
        export(model, tmp_path / "model.pt")
