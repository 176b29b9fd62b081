"""The command line end to end, on a small file and a backbone without weights."""

import os
import signal
import subprocess
import sys

import ase.io
import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from samples import labelled
from tolerances import SUMMED

from mekrr import MEKRR, Calculator, SparseMEKRR, load_model
from mekrr.backbones import registry
from mekrr.cli import main
from mekrr.data.frames import frame_table, read_frames
from mekrr.data.splits import split_frames

# Warnings are lines that the command prints.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a registry, frames, and the same frames without energies."""
    monkeypatch.chdir(tmp_path)
    frames = labelled(20)
    ase.io.write("frames.extxyz", frames)
    ase.io.write("plain.extxyz", [atoms.copy() for atoms in frames[:3]])
    entries = {"analytic": {"family": "analytic", "layers": [1, 2]}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"backbones": entries}))
    return tmp_path


def fit(*options):
    given = ("--backbone", "analytic", "--registry", "mine.yaml", "--threads", "1")
    main(["fit", "frames.extxyz", *given, "-o", "model", *options])


def predict(frames, output, *options):
    main(["predict", "model", frames, "--registry", "mine.yaml", "-o", output, *options])


def test_fit_predict_info(folder, capsys):
    fit("--alpha", "chosen")
    printed = capsys.readouterr().out
    assert "training frames  20, 80 atoms: Cu" in printed
    assert "form             extensive" in printed
    assert printed.count("(chosen by mean leave-one-out errors)") == 3
    assert "leave-one-out    RMSE" in printed

    predict("frames.extxyz", "out.extxyz", "--std")
    printed = capsys.readouterr().out
    frames, written = (ase.io.read(f"{name}.extxyz", ":") for name in ("frames", "out"))
    energies, stds = MEKRR.load("model", registry="mine.yaml").predict(frames, return_std=True)
    np.testing.assert_allclose([a.get_potential_energy() for a in written], energies)
    np.testing.assert_allclose([a.info["energy_std"] for a in written], stds)
    reference = [a.get_potential_energy() for a in frames]
    np.testing.assert_allclose([a.info["energy_ref"] for a in written], reference)
    assert [a.info["run"] for a in written] == [a.info["run"] for a in frames]
    error = 1000 * np.sqrt(np.mean((energies - reference) ** 2)) / 4
    assert f"RMSE {error:.2f}" in printed
    assert "(20 frames with energies)" in printed

    main(["info", "model"])
    printed = capsys.readouterr().out
    for word in ("analytic", "weights_sha256", "torch", "reference energies"):
        assert word in printed


def test_frames_without_energies(folder, capsys):
    fit("--layer", "1", "--alpha", "0", "--regularisation", "1e-6")
    assert capsys.readouterr().out.count("(given)") == 3
    predict("plain.extxyz", "out.extxyz.gz")
    printed = capsys.readouterr().out
    assert "RMSE" not in printed
    assert "no frame has an energy to compare with (--energy-key names its key)\n" in printed
    written = ase.io.read("out.extxyz.gz", ":")
    assert len(written) == 3
    assert not {"energy_std", "energy_ref"} & set(written[0].info)


def test_labels_under_other_keys_are_named(folder, capsys):
    """In place of errors: by the keys of a frame that look like the labels and could be them."""
    fit("--layer", "1", "--alpha", "0", "--regularisation", "1e-6")
    frames = ase.io.read("frames.extxyz", ":3")
    for atoms in frames:
        results, atoms.calc = atoms.calc.results, None
        atoms.info |= {"energy_unit": "eV", "REF_energy": results["energy"]}
        atoms.arrays["REF_forces"] = results["forces"]
    ase.io.write("other.extxyz", frames)
    capsys.readouterr()
    predict("other.extxyz", "out.extxyz", "--forces")
    none = "none: no frame has"
    assert (
        f"errors           {none} an energy to compare with, but REF_energy may be; if so, name it "
        f"(--energy-key REF_energy)\nforce errors     {none} forces to compare with, but "
        "REF_forces may be; if so, name it (--forces-key REF_forces)\n"
    ) in capsys.readouterr().out
    keys = ("--energy-key", "REF_energy", "--forces-key", "REF_forces")
    predict("other.extxyz", "out.extxyz", "--forces", *keys)
    printed = capsys.readouterr().out
    assert none not in printed
    assert printed.count("(3 frames with") == 2


def test_forces_and_stress(folder, capsys):
    """What is written is what the calculator says; the energies are the same without forces."""
    fit("--layer", "1", "--regularisation", "1e-2")
    frames = ase.io.read("frames.extxyz", ":")
    frames[3].set_pbc(False)
    frames[3].cell[:] = 0.0
    frames[5].calc.results.pop("forces")
    frames[7].symbols[0] = "O"
    ase.io.write("other.extxyz", frames)
    with pytest.raises(SystemExit, match=r"other.extxyz: frame 7: no training frame has O"):
        predict("other.extxyz", "out.extxyz", "--forces", "--float64")
    frames[7].symbols[0] = "Cu"
    ase.io.write("frames.extxyz", frames)
    predict("frames.extxyz", "plain.extxyz", "--std")
    capsys.readouterr()
    predict("frames.extxyz", "out.extxyz", "--std", "--forces", "--stress")
    printed = capsys.readouterr()
    assert printed.err.count("no stress of 1 frames: frame 3 has no cell of three vectors") == 1
    written = ase.io.read("out.extxyz", ":")
    calculator = Calculator(MEKRR.load("model", registry="mine.yaml"), warn_above=None)
    errors = []
    for k, (atoms, old) in enumerate(zip(written, frames, strict=True)):
        old = old.copy()
        old.calc = calculator
        np.testing.assert_allclose(atoms.get_forces(), old.get_forces(), atol=1e-6)
        np.testing.assert_allclose(atoms.get_potential_energies(), old.get_potential_energies())
        assert ("stress" in atoms.calc.results) == (k != 3)
        if k != 3:
            np.testing.assert_allclose(atoms.get_stress(), old.get_stress(), atol=1e-8)
        assert ("forces_ref" in atoms.arrays) == (k != 5)
        if k != 5:
            errors.append(atoms.get_forces() - atoms.arrays["forces_ref"])
    rmse, mae = 1000 * np.sqrt(np.mean(np.square(errors))), 1000 * np.mean(np.abs(errors))
    told = f"RMSE {rmse:.1f}, MAE {mae:.1f} meV/Å"
    assert (
        f"force errors     {told} (19 frames with forces)\n  Cu             {told}" in printed.out
    )
    for atoms, plain in zip(written, ase.io.read("plain.extxyz", ":"), strict=True):
        assert atoms.get_potential_energy() == plain.get_potential_energy()
        assert atoms.info["energy_std"] == plain.info["energy_std"]
        assert set(plain.calc.results) == {"energy"}
    predict("frames.extxyz", "precise.extxyz", "--std", "--float64")
    for atoms, precise in zip(written, ase.io.read("precise.extxyz", ":"), strict=True):
        energies = atoms.get_potential_energy(), precise.get_potential_energy()
        assert energies[0] == pytest.approx(energies[1], abs=SUMMED * len(atoms))
        assert atoms.info["energy_std"] == pytest.approx(precise.info["energy_std"], rel=1e-3)


QUICK = ("--regularisation", "100", "--sigma-energy", "3", "--inducing", "5,50")


def test_a_sparse_potential(folder, capsys):
    """Fitted, told of, used; what is printed is what the model says."""
    fit("--forces", "4", "--force-atoms", "0,2", "--layer", "1,2", "--split", "random", *QUICK)
    printed = capsys.readouterr().out
    model = load_model("model", registry="mine.yaml")
    assert isinstance(model, SparseMEKRR)
    assert model.force_atoms == {"index": [0, 2]}
    n = len(model.model_.basis)
    energy, force = model.errors_
    spread = model.spreads_["energy"]
    for line in (
        "training frames  12, of Cu",
        f"directions       {12 * (4 + 6)}, along which forces are learnt",
        f"target           energy (chosen; spread of energy {spread:.3g} meV/atom)",
        "layers           1, 2 (given)",
        f"inducing atoms   {n} of at most 5, 50 (chosen by 4 validation frames): Cu {n}",
        "alpha            1 (given)",
        f"lengthscale      {model.model_.basis.kernel.lengthscale:g} of whitened features (chosen",
        "regularisation   100 (given)",
        "sigma            3 meV/atom (given), 50 meV/Å",
        f"held out         RMSE {energy:.2f} meV/atom, {force:.1f} meV/Å along directions (4 valid",
    ):
        assert f"\n{line}" in f"\n{printed}"
    table = frame_table(frames := read_frames("frames.extxyz"))
    split = split_frames(table, "random", (0.6, 0.2, 0.2), 0, "frames")["split"]
    test = [frames[k] for k in np.flatnonzero(split == "test")]
    reference = np.array([atoms.get_potential_energy() for atoms in test])
    off = 250.0 * (model.predict(test) - reference)
    told = f"RMSE {np.sqrt(np.mean(off**2)):.2f}, MAE {np.abs(off).mean():.2f} meV/atom"
    assert f"test             {told} (4 frames, split random)\n" in printed
    potential = model.potential()
    off = np.array([potential.evaluate(a).forces - a.get_forces() for a in test])
    told = f"RMSE {1000 * np.sqrt(np.mean(off**2)):.1f}, MAE {1000 * np.abs(off).mean():.1f} meV/Å"
    assert f"force errors     {told} (4 frames with forces)\n  Cu             {told}\n" in printed

    main(["info", "model"])
    told = capsys.readouterr().out
    assert told.startswith(printed[: printed.index("test  ")])
    assert "force_atoms      {'index': [0, 2]}" in told
    predict("frames.extxyz", "out.extxyz", "--std", "--forces", "--stress")
    energies, stds = model.predict(frames, return_std=True)
    written = ase.io.read("out.extxyz", ":")
    np.testing.assert_allclose([a.get_potential_energy() for a in written], energies)
    np.testing.assert_allclose([a.info["energy_std"] for a in written], stds)
    found = potential.evaluate(frames[5])
    np.testing.assert_allclose(written[5].get_forces(), found.forces, atol=1e-6)
    np.testing.assert_allclose(written[5].get_stress(), found.stress, atol=1e-8)
    assert written[5].get_potential_energies().sum() == pytest.approx(energies[5], abs=1e-4)


def test_a_sparse_potential_of_energies_alone(folder, capsys):
    """And frames without forces are told of once."""
    frames = labelled(12)
    frames[3].calc.results.pop("forces")
    ase.io.write("frames.extxyz", frames)
    fit("--forces", "2", "--layer", "1", *QUICK)
    assert capsys.readouterr().err.count("have no forces") == 1
    fit("--forces", "0", "--layer", "1", *QUICK)
    printed = capsys.readouterr().out
    held = next(line for line in printed.splitlines() if line.startswith("held out"))
    assert held.endswith("meV/atom (5 folds of the training frames)")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--forces 4 --form extensive", "--form is not of a sparse potential"),
        ("--forces 4 --alpha chosen", "--alpha chosen is not of a sparse potential"),
        ("--inducing 9 --alpha by-species", "--alpha by-species is not of a sparse potential"),
        ("--inducing 9 --kernel linear", "--kernel linear is not of a sparse potential"),
        ("--metric plain", "--metric goes with --forces or --inducing"),
        ("--sigma-energy 1", "--sigma-energy goes with --forces or --inducing"),
        ("--force-atoms Cu", "--force-atoms goes with --forces or --inducing"),
        ("--target auto", "--target auto goes with --forces or --inducing"),
        ("--layer 1,2", "--layer 1,2 goes with --forces or --inducing"),
        ("--forces 2 --force-atoms C;O", "'C;O' is none of all, mobile, nor species"),
        ("--forces 2 --force-atoms 90", "force_atoms={'index': [90]} selects no atom"),
        ("--forces 2 --layer 1,7", "backbone 'analytic' has no layer 7; it has 1, 2"),
        ("--forces 2 --layer 1,", "argument --layer: invalid integer value: '1,'"),
        ("--forces -1", "argument --forces: -1 should be from 0"),
        ("--inducing 0", "argument --inducing: 0 should be from 1"),
    ],
)
def test_options_of_each_kind(folder, capsys, options, message):
    with pytest.raises(SystemExit) as stop:
        fit(*options.split())
    assert message in f"{stop.value}{capsys.readouterr().err}"
    assert not (folder / "model").exists()


@pytest.mark.parametrize("fault", [np.nan, np.inf])
def test_forces_that_are_no_numbers_are_not_compared(folder, capsys, fault):
    fit("--layer", "1", "--regularisation", "1e-4")
    frames = labelled(3)
    frames[1].calc.results["forces"][0] = fault
    ase.io.write("frames.extxyz", frames)
    predict("frames.extxyz", "out.extxyz", "--forces")
    printed = capsys.readouterr()
    assert "forces of 1 frames are not compared: frame 1: that of atom 0 is (" in printed.err
    assert "(2 frames with forces)" in printed.out


@pytest.mark.parametrize("split", ["random", "run"])
def test_split(folder, capsys, split):
    fit("--form", "intensive", "--split", split, "--layer", "1", "--seed", "1")
    printed = capsys.readouterr().out
    assert "training frames  12," in printed
    assert "form             intensive" in printed
    assert "alpha            0 (given)" in printed
    assert "(chosen by 4 validation frames)" in printed
    assert f"(4 frames, split {split})" in printed


def test_a_composition_that_was_never_seen(folder, capsys):
    """A vacancy's energy is said to be in doubt; isolated atoms and given energies are taken."""
    frames, vacancy = labelled(20), labelled(3, seed=1)
    for atoms in (*frames, *vacancy):
        atoms.symbols[0] = "O"
    ase.io.write("vacancy.extxyz", [atoms[:3] for atoms in vacancy])
    alone = [Atoms(s, cell=[12.0] * 3, pbc=True) for s in ("Cu", "O")]
    for atoms in alone:
        atoms.info["config_type"] = "IsolatedAtom"
        atoms.calc = SinglePointCalculator(atoms, energy=-1.5)
    ase.io.write("frames.extxyz", [*frames, *alone])
    for rule in ("isolated-atoms", "Cu=-1.5,O=-1.5"):
        fit("--reference-energy", rule, "--split", "random")
        model = MEKRR.load("model")
        assert model.references_ == {"Cu": -1.5, "O": -1.5}
        assert len(model.train_) == 12
        for options in ([], ["--forces"], ["--float64"], ["--forces", "--float64"]):
            capsys.readouterr()
            predict("vacancy.extxyz", "out.extxyz", "--std", *options)
            warned = capsys.readouterr().err
            assert warned.count("mekrr: warning: frames 0, 1, 2 of Cu2 O1: no training frame") == 1
            # Bound by 25 eV an atom, of which the kernel knows nothing.
            assert min(a.info["energy_std"] for a in ase.io.read("out.extxyz", ":")) > 10.0


def test_reference_energies_are_refused_before_the_work(folder, capsys, monkeypatch):
    monkeypatch.setattr(registry, "open_backbone", None)
    rules = {"foo": "none of least-squares", "Ni=-1": "species Cu without energy in", "Cu=x": "Cu="}
    for rule, message in rules.items():
        with pytest.raises(SystemExit) as stop:
            fit("--reference-energy", rule)
        assert message in f"{stop.value}{capsys.readouterr().err}"


def test_backbones(folder, capsys, monkeypatch):
    """Those in packages, whose weights would take seconds, and no more of where it is started."""
    monkeypatch.setattr(registry, "PACKAGED", folder / "mine.yaml")
    (folder / "config").mkdir()
    (folder / "config/backbones.yaml").write_text("not: for us")
    main(["backbones"])
    assert "layers and widths: 1: 16, 2: 16" in capsys.readouterr().out


PREDICT = ["predict", "-o", "out.extxyz", "model"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "absent", "--backbone", "analytic", "-o", "m"], "absent: no such file"),
        (["fit", "frames.extxyz", "--backbone", "none", "-o", "m"], "unknown backbone 'none'"),
        (["fit", "frames.extxyz", "--backbone", "b", "-o", "./frames.extxyz"], "is an input"),
        (["info", "frames.extxyz"], "frames.extxyz: damaged model file"),
        (["predict", "model", "model", "-o", "out.extxyz"], "model: frame 0: cannot be read"),
        ([*PREDICT, "bad.extxyz", "--registry", "mine.yaml"], "bad.extxyz: frame 1: no train"),
        ([*PREDICT, "plain.extxyz"], "'analytic' is none of the package's and in no registry"),
        (["predict", "model", "plain.extxyz", "-o", "plain.extxyz"], "is an input"),
        (["predict", "model", "plain.extxyz", "-o", "model"], "is an input"),
    ],
)
def test_errors_are_one_line(folder, capsys, arguments, message):
    if "model" in arguments:
        fit("--layer", "1")
        bad = ase.io.read("plain.extxyz", ":")
        bad[1].symbols[2] = "Ni"
        ase.io.write("bad.extxyz", bad)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code.startswith("mekrr: error: ")
    assert message in error.value.code
    assert "\n" not in error.value.code
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_split_by_run_needs_runs(folder):
    frames = labelled(12)
    for atoms in frames:
        del atoms.info["run"]
    ase.io.write("frames.extxyz", frames)
    with pytest.raises(SystemExit, match=r"split 'run' leaves .* empty"):
        fit("--split", "run")


def test_a_reader_that_leaves_is_no_error():
    """`mekrr backbones | head`: silence, and the status of a program that met SIGPIPE."""
    read, write = os.pipe()
    os.close(read)
    code = "from mekrr.cli import main; main(['backbones'])"
    done = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def run(arguments, **options):
    """The command in a process of its own, with what it says and its status."""
    command = [sys.executable, "-m", "mekrr", *arguments]
    return subprocess.run(command, capture_output=True, text=True, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", ""], "the name of the file to write is empty"),
        (["-o", "."], "is a folder"),
        (["-o", "link"], "is an input"),
        (["-o", "mine.yaml"], "is an input"),
        (["-o", "mine.yaml/model"], "cannot be written"),
    ],
)
def test_output_is_refused_before_the_work(folder, monkeypatch, arguments, message):
    """Hard links too, and the registry, which is read before the model is written."""
    os.link("frames.extxyz", "link")
    monkeypatch.setattr(MEKRR, "fit", lambda *_: pytest.fail("the work began"))
    with pytest.raises(SystemExit, match=message):
        fit(*arguments)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--threads", "0"),
        ("--threads", "100000"),
        ("--threads", "two"),
        ("--seed", "-1"),
        ("--seed", "0.0"),
        ("--layer", "-1"),
        ("--layer", "1.5"),
        ("--alpha", "2"),
        ("--alpha", "nan"),
        ("--regularisation", "inf"),
        ("--regularisation", "-1e-9"),
        ("--regularisation", "small"),
    ],
)
def test_numbers_out_of_range(folder, capsys, option, value):
    with pytest.raises(SystemExit) as error:
        fit(option, value)
    assert error.value.code == 2
    assert f"mekrr fit: error: argument {option}: " in capsys.readouterr().err


def test_output_to_a_link_a_fifo_and_in_other_formats(folder):
    fit("--layer", "1")
    os.symlink("real.xyz", "link.xyz")
    predict("frames.extxyz", "link.xyz")
    assert os.path.islink("link.xyz")
    os.mkfifo("pipe")
    reader = subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE, text=True)
    predict("frames.extxyz", "pipe")
    text, _ = reader.communicate(timeout=60)
    assert text == (folder / "real.xyz").read_text()
    assert not os.path.isfile("pipe")
    with pytest.raises(SystemExit, match="cif is no format to write"):
        predict("frames.extxyz", "out.cif")
    predict("frames.extxyz", "out.traj")
    assert len(ase.io.read("out.traj", ":")) == 20


def test_labels_of_the_input_are_references(folder):
    """Forces are kept, and an older model's results are not passed on as this one's."""
    fit("--layer", "1")
    frames = labelled(3)
    for atoms in frames:
        atoms.info |= {"energy_std": 9.0, "energy_ref": 8.0}
    ase.io.write("old.extxyz", frames)
    predict("old.extxyz", "new.extxyz")
    for atoms, old in zip(ase.io.read("new.extxyz", ":"), frames, strict=True):
        assert "energy_std" not in atoms.info
        assert atoms.info["energy_ref"] == old.get_potential_energy()
        np.testing.assert_allclose(atoms.arrays["forces_ref"], old.get_forces(), atol=1e-7)


def test_units_of_what_predictions_are_compared_with(folder, capsys):
    """In a frame's own run, whatever it is called."""
    fit("--layer", "1")
    frames = labelled(1) * 24
    for k, atoms in enumerate(frames):
        frames[k] = atoms.copy()
        shift = 0.02 * np.sin(k + np.arange(12.0)).reshape(4, 3)
        frames[k].positions += shift
        frames[k].info["run"] = f"md {k // 12}"
        results = {"energy": np.sum(shift**2), "forces": -2 * shift / 51.4221}
        frames[k].calc = SinglePointCalculator(frames[k], **results)
    ase.io.write("bohr.traj", frames)
    capsys.readouterr()
    predict("bohr.traj", "out.extxyz")
    assert "bohr.traj: energies change 51.42 × as much as forces say" in capsys.readouterr().err


def test_standard_output(folder):
    """What is written is there alone; what is told goes to standard error."""
    fit("--layer", "1")
    arguments = ["predict", "model", "plain.extxyz", "--registry", "mine.yaml", "-o", "-"]
    done = run(arguments, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("4\nLattice=")
    assert len(done.stdout.splitlines()) == 3 * 6
    assert "(3 frames)" in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_help_on_a_terminal_of_few_characters(encoding):
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = run(["fit", "--help"], env=environment, encoding=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--regularisation" in done.stdout


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-"])
def test_closed_streams(folder, closed):
    """The model holds nothing of what is printed."""
    command = f"exec {sys.executable} -m mekrr fit frames.extxyz --layer 1 -o model {closed}"
    command += " --backbone analytic --registry mine.yaml"
    assert subprocess.run(command, shell=True).returncode == 0
    assert MEKRR.load("model").layer_ == 1


def test_ctrl_c_is_quiet(folder, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(MEKRR, "fit", interrupted)
    with pytest.raises(SystemExit) as error:
        fit()
    assert error.value.code == 130
    assert capsys.readouterr() == ("", "")
    assert not (folder / "model").exists()
