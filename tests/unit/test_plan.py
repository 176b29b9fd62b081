"""What a fit of sparse models to many frames costs: the laws, and the command that prints them."""

from dataclasses import replace

import pytest

from mekrr.cli import main
from mekrr.models.sparse.cost import Size
from mekrr.models.sparse.merging import fan_in, levels

SIZE = Size(
    frames=100_000,
    atoms=20,
    species=2,
    directions=4,
    width=100,
    inducing=1000,
    settings=3,
    methods=4,
    shard_frames=1000,
)


def steps(size):
    return {step.name: step for step in size.steps()}


def test_all_grows_with_the_frames_but_what_does_not_know_them():
    once, twice = steps(SIZE), steps(replace(SIZE, frames=2 * SIZE.frames))
    for name in ("features", "directions", "rows", "test"):
        assert twice[name].seconds == pytest.approx(2 * once[name].seconds), name
        assert twice[name].jobs == 2 * once[name].jobs
        assert twice[name].memory == once[name].memory
    for name in ("settings", "fit"):
        assert twice[name] == once[name]
    assert twice["merge"].seconds == pytest.approx(2 * once["merge"].seconds, rel=0.02)


def test_what_is_on_disk_is_what_files_hold():
    found = steps(SIZE)
    atoms = SIZE.frames * SIZE.atoms
    assert found["features"].disk == pytest.approx(1e-9 * atoms * 100 * 4)
    assert found["directions"].disk == pytest.approx(1e-9 * atoms * 4 * (100 * 4 + 3 * 8))
    triangles = 100 * 3 * 4 * 1000 * 1001 / 2 * 8
    assert found["rows"].passing == pytest.approx(1e-9 * triangles, rel=2e-3)


@pytest.mark.parametrize("inducing", [10, 1000, 3000, 5000, 20_000])
@pytest.mark.parametrize("n_parts", [1, 2, 17, 1000])
def test_a_tree_of_merges_ends_in_one(n_parts, inducing):
    found = levels(n_parts, inducing)
    assert found[-1] == 1
    for below, above in zip([n_parts, *found], found, strict=False):
        assert (above - 1) * fan_in(inducing) < below <= above * fan_in(inducing)


def test_the_plan_is_printed(capsys):
    main(["plan", "--frames", "25422", "--atoms", "21", "--shard-frames", "1000", "--cores", "2"])
    printed = capsys.readouterr().out
    assert "25,422 frames of 21 atoms in 26 shards" in printed
    for name in ("features", "directions", "settings", "rows", "merge", "fit", "test", "all"):
        assert f"\n{name} " in printed
    assert "on a GPU unmeasured" in printed


@pytest.mark.parametrize("given", ["0", "-3", "1.5", "many"])
def test_no_plan_of_no_frames(capsys, given):
    with pytest.raises(SystemExit) as stopped:
        main(["plan", "--frames", given])
    assert stopped.value.code == 2
    assert "--frames" in capsys.readouterr().err
