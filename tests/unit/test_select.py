"""The choice of α and λ: against refits by brute force, on what it may see, and by species."""

import numpy as np
import pandas as pd
import pytest
import tolerances as tol
from toy import (
    SPECIES,
    of_atoms,
    toy_features,
    toy_gram,
    toy_network_energy,
    toy_problem,
    with_energy,
)

from mekrr.errors import SolveError
from mekrr.models.ridge import KernelRidge
from mekrr.models.select import (
    COLUMNS,
    LEAVE_ONE_OUT,
    ROBUST,
    VALIDATION,
    Choice,
    Search,
    alpha_grid,
    choose,
    descend,
    regularisation_grid,
    select,
    sweep,
)

ALPHAS, LAMBDAS = alpha_grid(0.01, 5), regularisation_grid(1e-8, 1e-2, 4)


@pytest.fixture
def features(rng):
    return toy_features(rng)


@pytest.fixture
def problem(features):
    return toy_problem(features)


@pytest.fixture
def gram(features):
    return toy_gram(features)


@pytest.fixture
def delta(problem, rng):
    """What a network leaves."""
    return problem.beyond(toy_network_energy(problem, rng), "least-squares", "mine")


@pytest.fixture
def of_hydrogen(problem, features):
    """The energy is that of the hydrogen atom, which the whole frame's kernel hardly sees."""
    return with_energy(problem, of_atoms(features)[:, 5] @ [1.0, -2.0, 0.5])


def selected(gram, *searches, regularisations=LAMBDAS):
    return select(gram, searches, regularisations, threads=2)[0]


def by_validation(gram, problem, alpha, regularisation):
    """RMSE (meV/atom) on validation frames, by a dense solve."""
    train, val = problem.members("train"), problem.members("val")
    kernel = gram.at(alpha)
    model = KernelRidge(regularisation).fit(kernel[train], problem.residual[train])
    errors = (model.predict(kernel[val]) - problem.residual[val]) / problem.n_atoms[val]
    return 1000.0 * np.sqrt(np.mean(errors**2))


def refit_errors(gram, problem, alpha, regularisation):
    """Errors (meV/atom), every training frame in turn predicted by a dense solve without it."""
    train = problem.members("train")
    residual, square = problem.residual[train], gram.at(alpha)[train]
    standard, n = (residual - residual.mean()) / residual.std(), len(train)
    errors = []
    for i in range(n):
        others = np.arange(n) != i
        shift = n * regularisation * np.eye(n - 1)
        c = np.linalg.solve(square[np.ix_(others, others)] + shift, standard[others])
        errors.append((square[i, others] @ c - standard[i]) * residual.std())
    return 1000.0 * np.array(errors) / problem.n_atoms[train]


ERRORS = {
    VALIDATION: by_validation,
    LEAVE_ONE_OUT: lambda *fit: np.sqrt(np.mean(np.square(refit_errors(*fit)))),
    ROBUST: lambda *fit: np.mean(np.abs(refit_errors(*fit))),
}


@pytest.mark.parametrize("criterion", ERRORS)
@pytest.mark.parametrize("baseline", ["references", "delta"])
def test_choice_and_sweep_equal_refits(gram, problem, delta, criterion, baseline):
    """Of every criterion with every baseline; on Δ leave-one-out was a KeyError once."""
    problem = delta if baseline == "delta" else problem
    expected = {
        (alpha, regularisation): ERRORS[criterion](gram, problem, alpha, regularisation)
        for alpha in ALPHAS
        for regularisation in LAMBDAS
    }
    (choice,), (table,) = select(gram, [Search(problem, ALPHAS, criterion)], LAMBDAS, threads=2)
    best = min(expected, key=expected.get)
    assert (choice.alpha, choice.regularisation) == best
    assert choice.error(criterion) == pytest.approx(expected[best], rel=tol.SELECTION)
    found = table.set_index(["alpha", "regularisation"])[COLUMNS[criterion]]
    assert len(found) == len(expected)
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=tol.SELECTION)


@pytest.mark.parametrize("criterion", ERRORS)
@pytest.mark.parametrize("baseline", ["references", "delta"])
def test_choice_by_species_equals_refits(gram, of_hydrogen, criterion, baseline):
    """By leave-one-out too, which chose by validation frames in silence once."""
    problem = of_hydrogen
    if baseline == "delta":
        energy = problem.energy - np.sin(problem.energy)
        problem = problem.beyond(energy, "least-squares", "mine")
    (choice,) = selected(gram, Search(problem, ALPHAS, criterion, by_species=True))
    assert tuple(choice.alpha) == SPECIES
    assert set(choice.alpha.values()) <= set(ALPHAS)
    expected = ERRORS[criterion](gram, problem, choice.alpha, choice.regularisation)
    assert choice.error(criterion) == pytest.approx(expected, rel=tol.SELECTION)
    (single,) = selected(gram, Search(problem, ALPHAS, criterion))
    assert choice.error(criterion) < 0.95 * single.error(criterion)


@pytest.mark.parametrize("by_species", [False, True])
def test_choice_by_leave_one_out_never_sees_validation_energies(gram, problem, by_species):
    spoiled = problem.energy.copy()
    spoiled[problem.members("val")] += 1000.0 * np.arange(12)
    choices = [
        selected(gram, Search(p, ALPHAS, LEAVE_ONE_OUT, by_species))[0]
        for p in (problem, with_energy(problem, spoiled))
    ]
    first, second = ((c.alpha, c.regularisation, c.leave_one_out_rmse) for c in choices)
    assert first == second


@pytest.mark.parametrize("criterion", ERRORS)
@pytest.mark.parametrize("by_species", [False, True])
def test_choice_never_sees_test_energies(gram, problem, criterion, by_species):
    spoiled = problem.energy.copy()
    spoiled[problem.members("test")] += 1000.0
    first, second = (
        selected(gram, Search(p, ALPHAS, criterion, by_species))[0]
        for p in (problem, with_energy(problem, spoiled))
    )
    assert repr(first) == repr(second)  # NaN is not itself


@pytest.mark.parametrize("criterion", ERRORS)
@pytest.mark.parametrize("by_species", [False, True])
def test_an_error_is_named_by_how_it_was_found(gram, problem, criterion, by_species):
    """A leave-one-out error is never one of validation frames, nor the reverse."""
    (choice,) = selected(gram, Search(problem, ALPHAS, criterion, by_species))
    at = (gram, problem, choice.alpha, choice.regularisation)
    for each, error in ERRORS.items():
        found = choice.error(each)
        assert np.isnan(found) or found == pytest.approx(error(*at), rel=tol.SELECTION)
    assert np.isfinite(choice.error(criterion))


def test_without_validation_frames_leave_one_out_chooses_alone(gram, problem):
    """As the estimator does, which takes all frames for training."""
    train = problem.members("train")
    alone = problem.part("train")
    searches = [Search(alone, ALPHAS, LEAVE_ONE_OUT, by_species) for by_species in (False, True)]
    expected = selected(
        gram, *(Search(problem, ALPHAS, LEAVE_ONE_OUT, s.by_species) for s in searches)
    )
    found = selected(gram.rows(train), *searches)
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours.alpha, ours.regularisation) == (theirs.alpha, theirs.regularisation)
        assert ours.leave_one_out_rmse == pytest.approx(theirs.leave_one_out_rmse)
        assert np.isnan(ours.validation_rmse)


def test_searches_together_are_those_of_each(gram, problem, delta):
    searches = [
        Search(problem, np.zeros(1)),
        Search(problem, ALPHAS, LEAVE_ONE_OUT),
        Search(delta, ALPHAS[:3]),
        Search(delta, ALPHAS, by_species=True),
    ]
    together, tables = select(gram, searches, LAMBDAS, threads=2)
    for search, ours, table in zip(searches, together, tables, strict=True):
        (alone,), (own,) = select(gram, [search], LAMBDAS)
        assert (ours.alpha, ours.regularisation) == (alone.alpha, alone.regularisation)
        assert ours.error(search.criterion) == pytest.approx(alone.error(search.criterion))
        table = table[table["alpha"].isin(search.alphas)].reset_index(drop=True)
        pd.testing.assert_frame_equal(table[own.columns], own, rtol=tol.SELECTION)
    assert together[0].alpha == 0.0
    assert together[2].alpha in ALPHAS[:3]


def test_leave_one_out_is_found_for_those_that_ask(gram, problem, delta):
    for_first, for_second = (
        sweep(gram, [problem, delta], ALPHAS, LAMBDAS, leave_one_out=wanted)
        for wanted in ([True, False], [False, True])
    )
    for tables, asked in ((for_first, 0), (for_second, 1)):
        for place, table in enumerate(tables):
            assert ("leave_one_out_rmse" in table) == (place == asked)


def test_descent_never_loses_and_finds_the_species_that_decides(gram, of_hydrogen):
    search = Search(of_hydrogen, ALPHAS)
    (start,) = selected(gram, search)
    found = descend(gram, search, start, LAMBDAS, threads=2)
    assert found.validation_rmse < 0.9 * start.validation_rmse
    assert found.alpha[1] > max(found.alpha[8], found.alpha[29])


@pytest.mark.parametrize("criterion", ERRORS)
def test_descent_stays_where_nothing_is_better(gram, problem, criterion):
    best = Choice(0.1, 1e-4, 0.0, 0.0)
    search = Search(problem, np.array([0.0, 0.1, 1.0]), criterion)
    found = descend(gram, search, best, LAMBDAS)
    assert found.alpha == dict.fromkeys(SPECIES, 0.1)
    assert found.regularisation == 1e-4


def test_species_that_no_training_frame_has_gets_no_alpha(gram, problem):
    """Of frames outside the training frames alone: nothing could choose it."""
    gram.shares[47] = np.zeros_like(gram.k0)
    (choice,) = selected(gram, Search(problem, ALPHAS, by_species=True))
    assert tuple(choice.alpha) == SPECIES


def test_alpha_grid_holds_both_ends():
    grid = alpha_grid(1e-4, 21)
    assert len(grid) == 21
    assert grid[0] == 0.0
    assert grid[1] == pytest.approx(1e-4)
    assert grid[-1] == pytest.approx(1.0)
    assert (np.diff(grid) > 0).all()


@pytest.mark.parametrize(
    ("criterion", "column"), [(VALIDATION, "rmse"), (LEAVE_ONE_OUT, "leave_one_out_rmse")]
)
def test_choose_passes_over_indefinite_points(criterion, column):
    table = pd.DataFrame({"alpha": 0.0, "regularisation": [1e-9, 1e-8], column: [np.nan, 2.0]})
    assert choose(table, criterion).regularisation == 1e-8
    with pytest.raises(SolveError, match="extend it upwards"):
        choose(table.assign(**{column: np.nan}), criterion)
