"""GAP-SOAP: gap_fit, predictions against the equations, the file of a model, bad input."""

import re
import stat
import sys
import tarfile

import ase.io
import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc111
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from samples import Named
from studies import default_config
from tolerances import GAP_EQUATION, GAP_INVARIANCE

from mekrr.errors import ConfigError, DataError
from mekrr.models import gap
from mekrr.models.gap import Gap, GapError, GapFile, fit_gap, predict_gap
from mekrr.models.problem import Problem
from mekrr.study.config import check_config
from mekrr.study.experiments.kinds.potential import Models as Potentials
from mekrr.study.experiments.transfer import Transfer
from mekrr.study.methods import GAPS

pytest.importorskip("quippy", reason="no wheel of quippy-ase for this platform")

SETTINGS = {
    "n_max": 4,
    "l_max": 3,
    "cutoff": 4.5,
    "cutoff_transition_width": 1.0,
    "atom_sigma": 0.5,
    "zeta": 4,
    "delta": 0.2,
    "n_sparse": 60,
    "sparse_method": "random",
    "default_sigma": 0.001,
}


def slab(rng, layers=2, size=(2, 2)):
    """Copper with a nitrogen atom above it, and its EMT energy, in eV, as ``info["emt"]``."""
    atoms = fcc111("Cu", (*size, layers), a=3.6, vacuum=6.0, periodic=True)
    add_adsorbate(atoms, "N", 1.6, "fcc")
    atoms.positions += 0.08 * rng.normal(size=atoms.positions.shape)
    atoms.calc = EMT()
    atoms.info = {"emt": atoms.get_potential_energy()}
    atoms.calc = None
    return atoms


def table(frames):
    return pd.DataFrame(
        {
            "index": range(len(frames)),
            "frame": range(len(frames)),
            "n_atoms": [len(atoms) for atoms in frames],
            "formula": [atoms.get_chemical_formula() for atoms in frames],
            "energy": [atoms.info["emt"] for atoms in frames],
        }
    )


@pytest.fixture(scope="module")
def frames():
    rng = np.random.default_rng(7)
    return [slab(rng) for _ in range(50)]


@pytest.fixture(scope="module")
def energy(frames):
    return np.array([atoms.info["emt"] for atoms in frames])


@pytest.fixture(scope="module")
def fitted(frames, energy, tmp_path_factory):
    """Path of a model of the first 40 frames."""
    folder = tmp_path_factory.mktemp("gap")
    model = folder / "model.tar.gz"
    fit_gap(model, frames[:40], energy[:40], SETTINGS, seed=0, log=folder / "gap_fit.log")
    assert "Bye-Bye" in (folder / "gap_fit.log").read_text()
    return model


def test_training_energies_are_recovered_and_new_ones_predicted(fitted, frames, energy):
    error = predict_gap(fitted, frames) - energy
    noise = SETTINGS["default_sigma"] * len(frames[0])
    assert np.sqrt(np.mean(error[:40] ** 2)) < 2 * noise
    assert np.sqrt(np.mean(error[40:] ** 2)) < 0.3 * np.std(energy)


def test_energies_follow_the_equation(fitted, frames, tmp_path):
    """The sum over representative atoms, with descriptors computed apart."""
    from quippy.descriptors import Descriptor

    with tarfile.open(fitted) as archive:
        archive.extractall(tmp_path, filter="data")
    text = (tmp_path / "gap.xml").read_text()
    offset = {int(z): float(e) for z, e in re.findall(r'<e0 Z="(\d+)" value="([^"]+)"', text)}
    expected = np.zeros(3)
    for block in re.findall(r"<gpCoordinates.*?</gpCoordinates>", text, re.DOTALL):
        file = re.search(r'sparseX_filename="([^"]+)"', block)[1]
        alpha = np.array(re.findall(r'alpha="([^"]+)"', block), dtype=float)
        sparse = np.loadtxt(tmp_path / file).reshape(len(alpha), -1)
        descriptor = Descriptor(re.search(r"<descriptor>(.*?)</descriptor>", block)[1].strip())
        for index, atoms in enumerate(frames[40:43]):
            vectors = np.asarray(descriptor.calc(atoms)["data"])
            kernel = 0.2**2 * (vectors @ sparse.T) ** SETTINGS["zeta"]
            expected[index] += (kernel @ alpha).sum() + len(vectors) * offset[atoms.numbers.min()]
    assert set(re.findall(r' n_sparseX="(\d+)"', text)) == {"40", "60"}, "as many as there are"
    np.testing.assert_allclose(predict_gap(fitted, frames[40:43]), expected, atol=GAP_EQUATION)


def test_energy_is_invariant_and_extensive(fitted, frames, rng):
    atoms = frames[45]
    moved = atoms.copy()
    moved.rotate(37.0, (1.0, 2.0, 0.5), rotate_cell=True)
    moved.translate([0.3, -4.0, 1.1])
    permuted = moved[rng.permutation(len(moved))]
    once, same, twice = predict_gap(fitted, [atoms, permuted, atoms.repeat((2, 1, 1))])
    assert abs(same - once) < GAP_INVARIANCE
    assert abs(twice - 2 * once) < GAP_INVARIANCE


def test_frames_without_a_cell(rng, tmp_path):
    """As in a box so large that no atom sees an image; gap_fit alone would fit a constant."""
    clusters = [
        Atoms("Cu4N", np.vstack([2.6 * np.eye(4)[:, :3], [[1, 1, 1]]]) + 0.1 * rng.normal(size=3))
        for _ in range(30)
    ]
    for atoms in clusters:
        atoms.positions += 0.1 * rng.normal(size=(5, 3))
    boxed = [Atoms(a.symbols, a.positions, cell=[40.0] * 3, pbc=True) for a in clusters]
    energy = np.array([a.get_distance(0, 4) + a.get_distance(1, 2) for a in clusters])
    for name, group in (("free", clusters), ("boxed", boxed)):
        model, log = tmp_path / name, tmp_path / "log"
        fit_gap(model, group, energy, SETTINGS, seed=0, log=log)
    free = predict_gap(tmp_path / "free", clusters)
    assert np.std(free - energy) < 0.5 * np.std(energy)
    np.testing.assert_allclose(free, predict_gap(tmp_path / "boxed", boxed), atol=GAP_INVARIANCE)


def test_references_are_taken_off_and_put_back(fitted, frames, energy, tmp_path):
    """With a reference on top of each energy, the same potential is learnt."""
    reference = np.linspace(-300.0, 100.0, 50)
    split = np.repeat(["train", "test"], [40, 10])
    shifted = table(frames).assign(energy=energy + reference)
    kind = Potentials(frames, Gap(SETTINGS, 0, tmp_path / "log"), "GAP-SOAP")
    fit = kind.fit(Problem(shifted, split, reference))
    assert set(fit.predictions["method"]) == {"GAP-SOAP"}
    assert fit.predictions["index"].tolist() == [*range(40, 50)], "no training frames"
    assert set(fit.predictions["backbone"]) == {"none"}
    assert fit.predictions["energy_std"].isna().all()
    assert fit.choices.to_dict("records") == [
        {"method": "GAP-SOAP", "backbone": "none", "chosen": True}
    ]
    np.testing.assert_allclose(
        fit.predictions["energy_pred"] - reference[40:], predict_gap(fitted, frames[40:]), atol=1e-6
    )
    assert 1e-4 < fit.costs["prediction_seconds"].item() < 10


def test_same_fit_gives_the_same_bytes(fitted, frames, energy, tmp_path):
    for name, seed in (("again", 0), ("other", 1)):
        log = tmp_path / "log"
        fit_gap(tmp_path / name, frames[:40], energy[:40], SETTINGS, seed=seed, log=log)
    assert (tmp_path / "again").read_bytes() == fitted.read_bytes()
    assert (tmp_path / "other").read_bytes() != fitted.read_bytes()


def test_transfer_to_another_number_of_atoms(fitted, frames, rng, tmp_path):
    target = [slab(rng, layers=3) for _ in range(4)]
    ase.io.write(tmp_path / "frames.xyz", target, format="extxyz")
    split = np.repeat(["train", "test"], [40, 10])
    source = Problem(table(frames), split, np.zeros(50))
    parts = np.array(["train", "val", "test", "test"])
    files = Named(frames=tmp_path / "frames.xyz", models=[fitted])
    step = Named(input=files, params=Named(methods=[GAPS["gap-soap"].recipe]))
    goal = Problem(table(target), parts, np.zeros(4))
    (found,) = Potentials.transfer(step, [Transfer(source, goal, "none", ("a", "b"))])
    assert found["index"].tolist() == [2, 3]
    assert found["n_atoms"].tolist() == [13, 13]
    assert "split" not in found
    expected = predict_gap(fitted, target[2:])
    np.testing.assert_allclose(found["energy_pred"], expected, atol=GAP_INVARIANCE)
    np.testing.assert_array_equal(found["energy_ref"], [a.info["emt"] for a in target[2:]])
    other = [a.copy() for a in target]
    for atoms in other:
        atoms.symbols[0] = "Pd"
    goal = Problem(table(other), parts, np.zeros(4))
    with pytest.raises(DataError, match="no training frame of a has Pd"):
        next(Potentials.transfer(step, [Transfer(source, goal, "none", ("a", "b"))]))


@pytest.fixture(scope="module")
def with_forces(frames):
    """The first frames with their EMT forces, but for one that has none."""
    labelled = []
    for k, atoms in enumerate(frames[:9]):
        copy = atoms.copy()
        copy.calc = EMT()
        found = {"energy": copy.info["emt"]} | ({"forces": copy.get_forces()} if k else {})
        copy.calc = SinglePointCalculator(copy, **found)
        labelled.append(copy)
    return labelled


def force_rmse(model, frames):
    file = GapFile(model)
    errors = [file.evaluate(atoms).forces - atoms.get_forces() for atoms in frames]
    return np.sqrt(np.mean(np.square(errors)))


def test_forces_are_learnt(with_forces, energy, tmp_path):
    """Of frames that were not trained on, far better than from energies alone."""
    train, test = with_forces[:6], with_forces[6:]
    known = {
        name: SETTINGS | ({"forces": {"sigma": 0.05, "frames": count}} if count else {})
        for name, count in (("energies", None), ("some", 3), ("all", "all"))
    }
    error = {}
    for name, settings in known.items():
        fit_gap(tmp_path / name, train, energy[:6], settings, seed=0, log=tmp_path / f"{name}.log")
        error[name] = force_rmse(tmp_path / name, test)
    assert error["all"] < error["some"] < 0.8 * error["energies"]
    slopes = {
        name: sum(map(int, re.findall(r"partial derivatives of descriptors: (\d+)", text)))
        for name in known
        for text in [(tmp_path / f"{name}.log").read_text()]
    }
    assert slopes["energies"] == 0
    assert slopes["some"] == pytest.approx(slopes["all"] * 3 / 5, rel=0.05)  # one frame has none


def test_forces_that_no_frame_has(frames, tmp_path):
    settings = SETTINGS | {"forces": {"sigma": 0.1, "frames": "all"}}
    with pytest.raises(DataError, match="no training frame has forces to be learnt; fit to ener"):
        fit_gap(tmp_path / "m", frames[:2], np.zeros(2), settings, seed=0, log=tmp_path / "l")


def test_forces_for_which_there_is_no_memory(with_forces, without_quippy, tmp_path):
    """By the estimate of gap_fit, which then is not run."""
    program = without_quippy / "gap_fit"
    program.write_text(
        "#!/bin/sh\ncase $* in *dryrun=T*) ;; *) echo run >&2; exit 1;; esac\n"
        "echo 'PEAK  35 GB'; echo 'Total system memory 25 GB'\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    settings = SETTINGS | {"forces": {"sigma": 0.1, "frames": "all"}}
    words = "would need 35 GB to learn these forces, and there are 25; learn those of fewer frames"
    refused(tmp_path, with_forces, settings, words)
    program.write_text("#!/bin/sh\n")
    refused(tmp_path, with_forces, settings, "gap_fit does not tell its PEAK")


def test_unknown_species(fitted, frames):
    atoms = frames[0].copy()
    atoms.symbols[0] = "Pd"
    with pytest.raises(DataError, match="frame 1: the potential was fitted without Pd"):
        predict_gap(fitted, [frames[0], atoms])


def refused(tmp_path, frames, settings, *words):
    """The fit fails with one line that holds every word, and leaves the log alone behind."""
    with pytest.raises(GapError) as caught:
        fit_gap(
            tmp_path / "model", frames, np.zeros(len(frames)), settings, seed=0, log=tmp_path / "l"
        )
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} <= {"l", "bin"}


def test_failing_gap_fit_shows_its_own_message(frames, tmp_path):
    uniform = SETTINGS | {"sparse_method": "uniform"}
    message = "gap_fit failed: select_uniform: Descriptor is too large"
    refused(tmp_path, frames, uniform, message, f"see {tmp_path / 'l'}")
    assert "SYSTEM ABORT" in (tmp_path / "l").read_text()


@pytest.fixture
def without_quippy(monkeypatch, tmp_path):
    """No package, and a PATH of one folder, which is given."""
    monkeypatch.setattr(gap.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin"


def test_missing_gap_fit(without_quippy, frames, tmp_path):
    refused(tmp_path, frames, SETTINGS, "gap_fit not found", "quippy-ase")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo fine; echo 'SYSTEM ABORT: no such thing' >&2; echo STOP 1 >&2; exit 1", "no such"),
        ("echo 'Error parsing value 7'; exit 1", "failed: Error parsing value 7"),
        ("exit 1", "failed: without a message"),
        ("exit 0", "failed: without a message"),
        ("kill -9 $$", "ended by signal 9, as if memory ran out"),
    ],
)
def test_own_build_on_the_path_fails(without_quippy, frames, tmp_path, script, words):
    program = without_quippy / "gap_fit"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    refused(tmp_path, frames, SETTINGS, words, str(tmp_path / "l"))


def test_missing_quippy(fitted, frames, monkeypatch):
    monkeypatch.setitem(sys.modules, "quippy.potential", None)
    with pytest.raises(GapError, match="quippy cannot be imported"):
        predict_gap(fitted, frames[:1])


def test_damaged_model(fitted, frames, tmp_path):
    model = tmp_path / "model.tar.gz"
    whole = fitted.read_bytes()
    with tarfile.open(tmp_path / "empty.tar.gz", "w:gz"):
        pass
    empty = (tmp_path / "empty.tar.gz").read_bytes()
    (tmp_path / "gap.xml").write_text("<Potential/>")
    with tarfile.open(tmp_path / "bare.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "gap.xml", "gap.xml")
    bare = (tmp_path / "bare.tar.gz").read_bytes()
    for content in (whole[:-100], whole[:2000], b"no archive", empty, bare):
        model.write_bytes(content)
        with pytest.raises(GapError, match=r"model.tar.gz: .*fit it anew"):
            predict_gap(model, frames[:1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nmax": 12}, "gap.nmax: unknown key, did you mean 'n_max'?"),
        ({"n_sparse": 0}, "gap.n_sparse: 0 is not valid"),
        ({"default_sigma": 0.0}, "gap.default_sigma: 0.0 is not valid"),
        ({"sparse_method": "uniform"}, "gap.sparse_method: 'uniform' is not valid"),
        ({"cutoff": "6"}, "gap.cutoff: '6' should be of type number"),
    ],
)
def test_schema(change, words):
    config = default_config()
    check_config(config)
    config["gap"] |= change
    with pytest.raises(ConfigError, match=re.escape(words)):
        check_config(config)
