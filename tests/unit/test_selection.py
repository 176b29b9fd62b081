"""Frames chosen for labelling: against dense covariances, planted frames, and other orders."""

from pathlib import Path

import ase.io
import numpy as np
import pytest
import tolerances as tol
from ase import Atoms
from repulsive import pulled

from mekrr import MEKRR, SparseMEKRR
from mekrr.choices import SELECTIONS
from mekrr.cli import main
from mekrr.errors import ConfigError, InputError
from mekrr.selection import FrameError, select_frames
from mekrr.selection.choose import CERTAIN, ENOUGH, KNOWN, NO_GAIN, NO_MORE

GIVEN = {"layers": [1, 2], "regularisation": 1.0, "sigma_energy": 1.0, "lengthscale": 2.0}


@pytest.fixture
def frames(rng):
    return [pulled(rng, symbols) for symbols in ["Cu4", "Cu3O"] * 15]


@pytest.fixture(params=[0.0, 0.5, 1.0])
def alpha(request):
    return request.param


@pytest.fixture
def fitted(registry, frames):
    """A model of the first ten frames."""

    def make(alpha=1.0, **parameters):
        given = GIVEN | {"backbone": "repulsive", "registry": registry, "inducing": 12}
        return SparseMEKRR(alpha=alpha, **given | parameters).fit(frames[:10])

    return make


def dense(model, frames):
    """Covariances (n, n) of energies per atom, (eV/atom)², in eV by one product after the other."""
    fit = model.model_
    potential = model.potential()
    backbone, layers = potential.backbone, potential.layers
    atoms, sums = [], []
    for frame in frames:
        output = backbone.forward(backbone.graph([frame]), layers, energy=False)
        features = np.hstack([output.layers[layer].numpy() for layer in layers])
        atoms.append((features, frame.numbers))
        sums.append(fit.basis.between(*atoms[-1]).sum(axis=0) / len(frame))
    sums = np.array(sums)
    alpha, kernel = fit.basis.alpha, fit.basis.kernel

    def between(a, b):
        total = 0.0
        for h, s in zip(*a, strict=True):
            for other, t in zip(*b, strict=True):
                for weight, scale in ((1 - alpha, fit.basis.shared), (alpha, None)):
                    if scale is None and s != t:
                        continue
                    scale = scale or fit.basis.own[int(s)]
                    apart = (h - other).astype(float) @ scale.along
                    total += weight * np.exp(-apart @ apart / (2 * kernel.lengthscale**2))
        return total / (len(a[1]) * len(b[1]))

    prior = np.array([[between(a, b) for b in atoms] for a in atoms])
    told = sums @ np.linalg.solve(fit.prior.T @ fit.prior, sums.T)
    known = sums @ np.linalg.solve(fit.triangle.T @ fit.triangle, sums.T)
    return (prior - told) / fit.regularisation + known


def conditioned(covariance, chosen, sigma):
    """The variances that are left once some frames are known."""
    block = covariance[np.ix_(chosen, chosen)] + sigma**2 * np.eye(len(chosen))
    cross = covariance[:, chosen]
    return np.diag(covariance - cross @ np.linalg.solve(block, cross.T))


def same(a, b):
    return len(a) == len(b) and all(x == y for x, y in zip(a, b, strict=True))


# Against dense algebra


def test_what_is_unknown_is_what_predictions_state(fitted, frames, alpha):
    model = fitted(alpha)
    found = select_frames(frames[10:], 1, model=model)
    _, std = model.predict(frames[10:], return_std=True)
    np.testing.assert_allclose(found.before, std / 4, rtol=tol.SELECTED_STD)
    (place,) = found.places
    np.testing.assert_allclose(found.energy_stds[0], std[place], rtol=tol.SELECTED_STD)


def test_what_is_left_is_the_dense_conditional_covariance(fitted, frames, alpha):
    model, others = fitted(alpha), frames[10:]
    known, candidates = others[:3], others[3:]
    found = select_frames(candidates, 5, model=model, labelled=known)
    fit = model.model_
    covariance = dense(model, others)
    chosen = [0, 1, 2]
    for place, std in zip(found.places, found.stds_when_chosen, strict=True):
        left = conditioned(covariance, chosen, fit.sigma_energy)
        assert left[3:].argmax() == place
        expected = fit.calibration[0] * np.sqrt(left[3 + place] + fit.sigma_energy**2)
        np.testing.assert_allclose(std, expected, rtol=tol.CONDITIONED)
        chosen.append(3 + place)
    left = conditioned(covariance, chosen, fit.sigma_energy)[3:]
    expected = fit.calibration[0] * np.sqrt(np.maximum(left, 0) + fit.sigma_energy**2)
    np.testing.assert_allclose(found.after, expected, rtol=tol.CONDITIONED)


def test_parts_of_atoms(fitted, frames):
    """Of a frame of which one atom counts, that atom's uncertainty is the frame's."""
    model = fitted()
    found = select_frames(frames[10:], 4, model=model, atoms={"index": [2]})
    sigma, factor = model.model_.sigma_energy, model.model_.calibration[0]
    for std, of_atoms in zip(found.stds, found.of_atoms, strict=True):
        assert np.isnan(of_atoms[[0, 1, 3]]).all()
        np.testing.assert_allclose(np.hypot(of_atoms[2], factor * sigma), std, rtol=1e-6)


def test_farthest_points_are_those_of_all_distances(fitted, frames):
    model, others = fitted(regularisation=1e-6), frames[10:]
    # All that is unknown of a kernel alone, as if no frame were fitted.
    found = select_frames(others[2:], 6, model=model, labelled=others[:2], method="fps")
    fit = model.model_
    features = [
        model.potential()
        .backbone.forward(model.potential().backbone.graph([a]), (1, 2), energy=False)
        .layers
        for a in others
    ]
    points = [
        (np.hstack([f[1].numpy(), f[2].numpy()]), a.numbers)
        for f, a in zip(features, others, strict=True)
    ]

    def k(a, b):
        total = 0.0
        for s in fit.basis.own:
            x, y = (fit.basis.own[s].apply(h[z == s], float) for h, z in (a, b))
            squares = ((x[:, None] - y[None]) ** 2).sum(-1)
            total += np.exp(-squares / (2 * fit.basis.kernel.lengthscale**2)).sum()
        return total / 16

    gram = np.array([[k(a, b) for b in points] for a in points])
    squares = np.diag(gram)[:, None] + np.diag(gram) - 2 * gram
    chosen = [0, 1]
    for _ in range(6):
        chosen.append(int(squares[:, chosen].min(axis=1).argmax()))
    assert (found.places + 2).tolist() == chosen[2:]


# What is chosen


@pytest.mark.parametrize("method", [name for name in SELECTIONS if name != "stride"])
@pytest.mark.parametrize("alone", [False, True])
def test_the_order_of_frames_does_not_matter(fitted, registry, frames, rng, method, alone):
    by = {"backbone": "repulsive", "registry": registry} if alone else {"model": fitted()}
    order = rng.permutation(20)
    candidates = frames[10:]
    first = select_frames(candidates, 6, method=method, **by)
    again = select_frames([candidates[k] for k in order], 6, method=method, **by)
    assert first.places.tolist() == order[again.places].tolist()
    assert select_frames(candidates, 6, method=method, **by).places.tolist() == list(first.places)


def test_of_frames_alike_one_is_chosen(fitted, frames):
    """Each twice, and those that are labelled not at all."""
    candidates = [*frames[10:16], *(atoms.copy() for atoms in frames[10:16])]
    found = select_frames(candidates, 5, model=fitted(), labelled=frames[10:11])
    assert len(set(found.places % 6)) == 5
    assert 0 not in found.places % 6


@pytest.mark.parametrize("alone", [False, True])
def test_planted_frames_are_found_first(fitted, registry, frames, rng, alone):
    """Three frames of another kind among sixty of one: random and stride miss some."""
    start = pulled(rng, "Cu4")
    common = []
    for _ in range(60):
        atoms = start.copy()
        atoms.positions += 0.01 * rng.normal(size=(4, 3))
        common.append(atoms)
    planted = [7, 30, 55]
    for k, factor in zip(planted, (1.2, 1.4, 1.6), strict=True):
        common[k].set_cell(factor * common[k].cell, scale_atoms=True)
    by = {"backbone": "repulsive", "registry": registry} if alone else {"model": fitted()}
    found = select_frames(common, 4, labelled=common[:5], **by)
    assert set(planted) <= set(found.places.tolist())
    last = found.left.groupby("method").last()["largest"]
    assert last["variance"] < 0.5 * min(last["random"], last["stride"])


def test_stride_and_random(fitted, frames):
    model = fitted()
    assert select_frames(frames, 5, model=model, method="stride").places.tolist() == [
        3, 9, 15, 21, 27
    ]  # fmt: skip
    draws = {
        tuple(select_frames(frames, 5, model=model, method="random", seed=seed).places)
        for seed in range(5)
    }
    assert len(draws) == 5


def test_isolated_atoms_are_passed_over(fitted, frames):
    alone = Atoms("Cu", info={"config_type": "IsolatedAtom"})
    found = select_frames([alone, *frames[10:]], 20, model=fitted(), labelled=[alone])
    assert found.candidates.tolist() == list(range(1, 21))


# When it ends


def test_why_it_ends(fitted, frames, rng):
    model, candidates = fitted(), frames[10:]
    assert select_frames(candidates, 3, model=model).ended == ENOUGH
    found = select_frames(candidates[:2], 3, model=model)
    assert (found.ended, len(found.places)) == (NO_MORE, 2)
    found = select_frames([frames[10]] * 9, 9, model=model)
    assert (found.ended, len(found.places)) == (KNOWN, 1)
    many = [frames[k] for k in rng.integers(10, 30, 400)]  # each some twenty times
    found = select_frames(many, 60, model=model)
    assert found.ended in (NO_GAIN, KNOWN)
    assert len(found.places) <= 20
    whole = select_frames(candidates, 20, model=model).left
    wanted = whole.loc[whole["method"].eq("variance") & whole["chosen"].eq(4), "largest"].item()
    found = select_frames(candidates, 20, model=model, max_std=1.0001 * wanted)
    assert found.ended == CERTAIN
    assert len(found.places) <= 4
    assert found.after.max() <= 1.0001 * wanted


# What is refused


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"n": 0}, ConfigError, "n=0: give 1 or more"),
        ({"model": None}, ConfigError, "a model or the name of a backbone"),
        ({"backbone": "repulsive"}, ConfigError, "a model or the name of a backbone"),
        ({"method": "best"}, ConfigError, "method='best' is unknown; known: variance, fps"),
        ({"atoms": "some"}, ConfigError, "atoms='some' is no rule"),
        ({"atoms": {"species": ["O"]}}, FrameError, "frame 0: no atom counts by"),
        ({"max_std": 1e-9}, ConfigError, "max_std=1e-09 eV/atom: the model expects labels"),
        ({"frames": []}, InputError, "no frame to choose from"),
        ({"frames": [Atoms("Au", [[0, 0, 0]])]}, FrameError, "frame 0: no training frame .* Au"),
        (
            {"labelled": [Atoms("Au", [[0, 0, 0]])]},
            FrameError,
            "labelled frame 0: .* Au;",
        ),
    ],
)
def test_what_cannot_be(fitted, frames, given, error, message):
    given = {"frames": frames[10::2], "n": 2, "model": fitted()} | given
    with pytest.raises(error, match=message) as raised:
        select_frames(given.pop("frames"), given.pop("n"), **given)
    assert str(raised.value).isprintable()


def test_max_std_needs_a_model(registry, frames):
    with pytest.raises(ConfigError, match="max_std is in eV/atom"):
        select_frames(frames, 2, backbone="repulsive", registry=registry, max_std=0.1)


def test_a_model_of_whole_frames_is_refused(registry, frames):
    model = MEKRR("repulsive", registry=registry).fit(frames)
    with pytest.raises(InputError, match="model is a MEKRR; frames are chosen by a sparse model"):
        select_frames(frames, 2, model=model)


# The command


@pytest.fixture
def folder(tmp_path, monkeypatch, fitted, frames):
    monkeypatch.chdir(tmp_path)
    model = fitted()
    model.save("model")
    ase.io.write("run.extxyz", frames[10:])
    ase.io.write("known.extxyz", frames[10:12])
    return model


def command(registry, *options):
    main(["select", *options, "--registry", str(registry), "--threads", "1"])


@pytest.mark.filterwarnings("default")
def test_the_command_is_the_function(folder, registry, frames, capsys):
    command(
        registry, "run.extxyz", "-n", "4", "--model", "model", "--labelled", "known.extxyz",
        "-o", "next.extxyz",
    )  # fmt: skip
    found = select_frames(frames[10:], 4, model=folder, labelled=frames[10:12])
    written = ase.io.read("next.extxyz", ":")
    assert [a.info["original_frame"] for a in written] == found.places.tolist()
    for atoms, std, of_atoms in zip(written, found.energy_stds, found.of_atoms, strict=True):
        original = frames[10 + atoms.info["original_frame"]]
        np.testing.assert_allclose(atoms.positions, original.positions, atol=1e-7)
        np.testing.assert_allclose(atoms.info["energy_std"], std, rtol=1e-6)
        np.testing.assert_allclose(atoms.arrays["atomic_uncertainty"], of_atoms, rtol=1e-5)
        assert atoms.info["max_atomic_uncertainty"] == pytest.approx(of_atoms.max(), rel=1e-6)
        assert atoms.info["energy_ref"] == pytest.approx(original.get_potential_energy())
        assert atoms.calc is None or "energy" not in atoms.calc.results
    table = np.genfromtxt("next.csv", delimiter=",", names=True)
    np.testing.assert_array_equal(table["original_frame"], found.places)
    printed = capsys.readouterr().out
    assert "candidates       20 frames" in printed
    assert f"chosen           4, by variance of model: {ENOUGH}" in printed
    for words in ("before", "as chosen", "as many by random", "as many by stride"):
        assert printed.count(f"meV/atom, {words}\n") == 1
    assert printed.endswith("written: next.extxyz, next.csv, next.png\n")
    assert Path("next.png").stat().st_size > 10_000


@pytest.mark.filterwarnings("default")
def test_several_files_and_a_backbone_alone(folder, registry, frames, capsys):
    command(
        registry, "known.extxyz", "run.extxyz@2:", "-n", "5", "--backbone", "repulsive",
        "-o", "next.extxyz",
    )  # fmt: skip
    found = select_frames(frames[10:], 5, backbone="repulsive", registry=registry)
    written = ase.io.read("next.extxyz", ":")
    places = [
        a.info["original_frame"] + (0 if a.info["original_file"] == "known.extxyz" else 2)
        for a in written
    ]
    assert places == found.places.tolist()
    assert "of an atom's spread, before" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-", "--model", "model"], "frames are read twice, which standard input is not"),
        (["run.extxyz", "--model", "run.extxyz"], "run.extxyz: "),
        (["none.extxyz", "--model", "model"], "none.extxyz: no such file"),
        (["run.extxyz", "--model", "model", "--labelled", "none.xyz"], "none.xyz: no such file"),
        (["run.extxyz", "--model", "model", "--atoms", "H"], "run.extxyz: frame 0: no atom counts"),
        (["run.extxyz", "--backbone", "repulsive", "--max-std", "1"], "max_std is in eV/atom"),
    ],
)
@pytest.mark.filterwarnings("default")
def test_errors_are_one_line(folder, registry, options, message):
    with pytest.raises(SystemExit, match=f"^mekrr: error: {message}"):
        command(registry, *options, "-n", "2", "-o", "next.extxyz")
    assert list(Path().glob("next*")) == []
