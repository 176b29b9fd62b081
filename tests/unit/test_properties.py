"""Properties that hold whatever the frames: kernels, splits, references, what is read back."""

import os
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import tolerances as tol
from hypothesis import given, settings
from hypothesis import strategies as st

from mekrr.choices import PARTS
from mekrr.data.references import References
from mekrr.data.splits import split_frames
from mekrr.data.strategies import STRATEGIES
from mekrr.errors import DataError
from mekrr.features.store import FrameFeatures
from mekrr.files import write_csv
from mekrr.kernels.atom import KERNELS
from mekrr.kernels.engine import plan
from mekrr.kernels.gram import self_gram, species_gram, train_gram
from mekrr.models.select import Choice
from mekrr.study.experiments.kernel_fits import choice_columns, read_alpha

cases = settings(max_examples=25 * int(os.environ.get("MEKRR_FUZZ", "1")), deadline=None)
SPECIES = (1, 8, 29)
SYMBOLS = ("H", "C", "O", "Cu")
FINITE = {"allow_nan": False, "allow_infinity": False}
alphas = st.floats(0.0, 1.0, **FINITE)


@st.composite
def frames(draw, least=1, most=8):
    """Features of a few frames of one to six atoms, rows of which may be the same."""
    compositions = draw(
        st.lists(
            st.lists(st.sampled_from(SPECIES), min_size=1, max_size=6),
            min_size=least,
            max_size=most,
        )
    )
    species = np.concatenate([np.array(c) for c in compositions])
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    few = rng.normal(size=(draw(st.integers(1, 5)), draw(st.integers(1, 7))))
    features = few[rng.integers(len(few), size=len(species))]
    features = features + draw(st.sampled_from([0.0, 0.3])) * rng.normal(size=features.shape)
    pointer = np.cumsum([0, *map(len, compositions)])
    return FrameFeatures(features.astype(np.float32), species, pointer)


@st.composite
def atom_kernels(draw):
    sigma = draw(st.floats(0.3, 5.0))
    return draw(st.sampled_from(list(KERNELS.values())))(sigma)


def gram(rows, kernel, columns=None, **options):
    return species_gram(rows, columns, kernel, dtype=np.float64, **options)


def matrices(kernels):
    """K_0 and every species' share, by name."""
    return {"k0": kernels.k0, **kernels.shares}


def same(found, expected, **tolerances):
    assert matrices(found).keys() == matrices(expected).keys()
    for name, matrix in matrices(expected).items():
        np.testing.assert_allclose(matrices(found)[name], matrix, err_msg=str(name), **tolerances)


def close(found, expected):
    """Equal to rounding, relative to the largest entry: features may be far from zero."""
    largest = max(np.abs(matrix).max() for matrix in matrices(expected).values())
    same(found, expected, rtol=0, atol=tol.GRAM_FLOAT64 * max(largest, 1.0))


@cases
@given(frames(), atom_kernels(), alphas)
def test_kernels_are_symmetric_and_positive(data, kernel, alpha):
    kernels = gram(data, kernel)
    for matrix in matrices(kernels).values():
        np.testing.assert_allclose(matrix, matrix.T, rtol=tol.GRAM_FLOAT64, atol=1e-15)
    for matrix in (*matrices(kernels).values(), kernels.at(alpha)):
        least = np.linalg.eigvalsh(matrix).min()
        assert least >= -tol.GRAM_FLOAT64 * max(np.trace(matrix), 1.0)


@cases
@given(frames(), atom_kernels(), alphas, alphas, alphas)
def test_the_kernel_is_linear_in_alpha(data, kernel, one, other, part):
    kernels = gram(data, kernel)
    between = part * one + (1 - part) * other
    line = part * kernels.at(one) + (1 - part) * kernels.at(other)
    scale = max(np.abs(kernels.k0).max(), np.abs(kernels.k1).max(), 1.0)
    np.testing.assert_allclose(kernels.at(between), line, rtol=0, atol=tol.GRAM_FLOAT64 * scale)
    by_species = kernels.at(dict.fromkeys(kernels.shares, between))
    np.testing.assert_allclose(by_species, line, rtol=0, atol=tol.GRAM_FLOAT64 * scale)


@cases
@given(frames(), atom_kernels(), st.integers(1, 12), st.sampled_from([2**8, 2**11, 2**26]))
def test_kernels_do_not_depend_on_the_cut(data, kernel, strip_atoms, memory):
    """Threads and memory change no bit; the tiles round otherwise."""
    expected = gram(data, kernel)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "STRIP_ATOMS", strip_atoms)
        one = gram(data, kernel)
        same(gram(data, kernel, threads=2, memory=memory), one, rtol=0, atol=0)
    close(one, expected)


@cases
@given(frames(least=2), atom_kernels(), st.data())
def test_kernels_with_training_frames_are_columns_of_the_whole(data, kernel, draw):
    every = st.permutations(range(len(data)))
    train = np.array(draw.draw(every)[: draw.draw(st.integers(1, len(data)))])
    whole = gram(data, kernel)
    found = train_gram(data, train, kernel, dtype=np.float64)
    close(found, type(whole)(whole.k0[:, train], {s: k[:, train] for s, k in whole.shares.items()}))


@cases
@given(frames(), atom_kernels())
def test_a_frame_with_itself_is_on_the_diagonal(data, kernel):
    whole = gram(data, kernel)
    diagonal = type(whole)(np.diag(whole.k0), {s: np.diag(k) for s, k in whole.shares.items()})
    close(self_gram(data, kernel), diagonal)


@cases
@given(frames(), atom_kernels(), st.randoms(use_true_random=False))
def test_the_order_of_atoms_in_a_frame_does_not_matter(data, kernel, random):
    order = []
    for begin, end in pairwise(data.pointer):
        members = list(range(begin, end))
        random.shuffle(members)
        order += members
    shuffled = FrameFeatures(data.features[order], data.species[order], data.pointer)
    close(gram(shuffled, kernel), gram(data, kernel))


# Splits.


@st.composite
def tables(draw):
    """A table of frames in runs, which may come divided."""
    lengths = draw(st.lists(st.integers(1, 12), min_size=1, max_size=9))
    runs = np.repeat(np.arange(len(lengths)), lengths)
    parts = draw(st.lists(st.sampled_from(PARTS), min_size=len(runs), max_size=len(runs)))
    return pd.DataFrame({"run": runs, "part": parts})


@st.composite
def fractions(draw):
    shares = np.array([draw(st.floats(0.05, 1.0)) for _ in PARTS])
    return tuple(shares / shares.sum())


@pytest.mark.parametrize("strategy", STRATEGIES)
@cases
@given(table=tables(), shares=fractions(), seed=st.integers(0, 2**32 - 1))
def test_splits_partition_the_frames(strategy, table, shares, seed):
    try:
        division = split_frames(table, strategy, shares, seed, "made")
    except DataError as error:
        if "leaves" not in str(error):  # … a part empty
            raise
        return
    assert division["index"].tolist() == list(range(len(table)))
    assert set(division["split"]) == set(PARTS)  # one part for each frame, and none empty
    again = split_frames(table, strategy, shares, seed, "made")
    pd.testing.assert_frame_equal(again, division)
    if strategy == "run":
        assert division["split"].groupby(table["run"]).nunique().eq(1).all()
    elif strategy == "published":
        assert division["split"].tolist() == table["part"].tolist()
    else:
        sizes = [int((division["split"] == part).sum()) for part in PARTS]
        bounds = np.round(np.cumsum(shares)[:2] * len(table)).astype(int)
        assert sizes == np.diff([0, *bounds, len(table)]).tolist()
    if strategy == "sequential":
        assert division["split"].tolist() == sorted(division["split"], key=PARTS.index)


# References.


@cases
@given(
    st.lists(
        st.dictionaries(st.sampled_from(SYMBOLS), st.integers(1, 40), min_size=1),
        min_size=1,
        max_size=12,
    ),
    st.fixed_dictionaries(dict.fromkeys(SYMBOLS, st.floats(-5e3, 0.0, **FINITE))),
)
def test_references_are_exact_on_data_made_from_them(compositions, energies):
    formulas = ["".join(f"{s}{n}" for s, n in counts.items()) for counts in compositions]
    made = np.array([sum(n * energies[s] for s, n in counts.items()) for counts in compositions])
    found = References.fit(formulas, made, "least-squares", "made")
    np.testing.assert_allclose(found.of(formulas, "made"), made, rtol=1e-10, atol=tol.REFERENCE)
    assert not found.undetermined(formulas).any()
    given_by_hand = References.fit(formulas, made, energies, "made")
    np.testing.assert_allclose(given_by_hand.of(formulas, "made"), made, rtol=1e-12)


# What a step of the workflow reads of another's.


def read_back(choice, path):
    """What a later step finds of a choice in the table that a fit wrote."""
    write_csv(path, pd.DataFrame([choice_columns(choice, 1.0)]))
    (row,) = pd.read_csv(path).to_dict("records")
    return read_alpha(row), row["regularisation"]


@cases
@given(
    alphas | st.dictionaries(st.sampled_from(SPECIES), alphas, min_size=1),
    st.floats(1e-12, 1e3, **FINITE),
)
def test_choices_are_read_back_exactly(tmp_path_factory, alpha, regularisation):
    path = tmp_path_factory.getbasetemp() / "choices.csv"
    choice = Choice(alpha, regularisation, 1.0)
    assert read_back(choice, path) == (alpha, regularisation)
