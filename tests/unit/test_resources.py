"""What jobs ask for: numbers by hand, more for more data, more when tried again."""

from types import SimpleNamespace

import numpy as np
import pytest
from studies import default_config

from mekrr.study.config import check_config
from mekrr.study.resources import JobResources
from mekrr.study.targets import Targets


def resources(frames=400, atoms=47, **parts):
    """Of the default study on every frame, with some size of D1."""
    config = default_config()
    config["study"]["every"] = 1
    config["datasets"]["d1-surrogate"] |= {"frames": frames, "atoms": atoms}
    for part, changed in parts.items():
        config[part] |= changed
    return JobResources(Targets(check_config(config)))


PLACE = SimpleNamespace(
    strategy="random",
    dataset="d1-surrogate",
    backbone="sevennet-0",
    network="schnet",
    model="sevennet-0",
    gap="gap-soap",
)
ASKED = [name for name in vars(JobResources) if name.endswith(("_memory", "_minutes"))]


@pytest.mark.parametrize("name", ASKED)
def test_more_is_asked_for_more_data_and_at_each_attempt(name):
    small, large = (getattr(resources(frames, 100), name) for frames in (100, 40_000))
    assert large(PLACE, 1) >= small(PLACE, 1) > 0
    if name not in (
        "features_memory",
        "forces_minutes",
        "dynamics_minutes",
        "franken_memory",
        *(
            f"large_{step}"
            for step in ("memory", "settings_minutes", "merge_minutes", "fit_minutes")
        ),
    ):  # batches, some frames, matrices between inducing atoms
        assert large(PLACE, 1) > small(PLACE, 1)
    assert large(PLACE, 3) == pytest.approx(3 * large(PLACE, 1), rel=1e-3)
    assert isinstance(small(PLACE, 1), int)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("frames_memory", 1000 + 40),  # 0.004 MB for each of 10,000 atoms
        ("frames_minutes", 5),
        ("checking_memory", 1001),  # 0.9 MB
        ("features_memory", 4000 + 400),
        ("features_minutes", 10 + 3),  # 160 s
        ("directions_minutes", 2 * 2 * (10 + 3)),  # two directions
        ("sparse_memory", 2000 + 92),  # 82 MB of derivatives; matrices of 200 inducing atoms
        ("franken_memory", 2000 + 59_205),  # (100/52)² of 16 GB; matrices of 1,024²
        ("franken_minutes", 30 + 740),  # 80 frames of 555 s
        ("gap_memory", 1000 + 173),  # 1,201 numbers of each of 6,000 atoms, thrice
        ("baselines_memory", 2000 + 1 + 164),  # 10,000 vectors of 16 kB beside the kernels
        ("training_memory", 5000 + 40),
        ("training_minutes", 30 + 3),  # 200 steps of 0.8 s
        ("learning_minutes", 2 * (30 + 3 + 22)),
        ("dynamics_minutes", 10 + 8),  # 3 methods, 100 steps of 1.5 s each
        ("forces_minutes", 20 + 2),  # 6 frames of 100 atoms, 12 methods
    ],
)
def test_by_hand(name, expected):
    """100 frames of 100 atoms, 60 of them for training."""
    assert getattr(resources(100, 100), name)(PLACE, 1) == expected


def test_forces_of_gap_by_hand():
    """77 neighbours within 6 Å as in copper, three slopes of 1,201 numbers each."""
    learning = SimpleNamespace(dataset="d1-surrogate", gap="gap-soap-forces")
    slopes = 100 * 3 * 0.085 * 4 / 3 * np.pi * 6.0**3 * 1201  # of a frame of 100 atoms
    for frames, n_frames in (("all", 60), (20, 20), (80, 60)):
        made = resources(100, 100, gap={"forces": {"sigma": 0.1, "frames": frames}})
        memory, minutes = made.gap_memory(PLACE, 1), made.gap_minutes(PLACE, 1)
        assert made.gap_fit_memory(PLACE, 1) == memory
        assert made.gap_fit_minutes(PLACE, 1) == minutes
        more = 8e-6 * n_frames * slopes
        assert made.gap_fit_memory(learning, 1) == pytest.approx(memory + more, abs=1)
        more = 2.2e-9 * 100 * n_frames * slopes / 60
        assert made.gap_fit_minutes(learning, 1) == pytest.approx(minutes + more, abs=1)


def test_training_on_forces_by_hand():
    """Eight frames of 100 atoms a step."""
    learning = SimpleNamespace(dataset="d1-surrogate", network="schnet-forces")
    made = resources(100, 100)
    assert made.training_memory(learning, 1) == made.training_memory(PLACE, 1) + 8000
    assert made.training_minutes(learning, 1) == 30 + round(200 * 4 * 5.6 / 60)


def test_two_threads_for_long_jobs():
    short, long = resources(400, 47), resources(40_000, 47)
    assert short.gram_threads(PLACE) == short.fit_threads(PLACE) == 1
    assert long.gram_threads(PLACE) == long.fit_threads(PLACE) == 2


def test_a_transfer_takes_as_long_for_each_seed():
    one, three = (resources(), resources())
    one.targets.config.study.seeds[:] = [0]
    three.targets.config.study.seeds[:] = [0, 1, 2]
    for minutes in ("transfer", "sparse_transfer", "network_transfer"):
        asked = [getattr(each, f"{minutes}_minutes")(PLACE, 1) for each in (one, three)]
        assert asked[1] == 3 * asked[0] > 0


def test_a_transfer_is_as_large_as_the_larger_of_its_data_sets():
    pair = SimpleNamespace(source="d1-surrogate", target="d4-surrogate")
    assert resources(400, 47).data_size(pair) == (400, 74)
    assert resources(100, 99).data_size(pair) == (320, 99)


def test_an_unknown_size_is_taken_to_be_large():
    config = default_config()
    for key in ("frames", "atoms"):
        del config["datasets"]["d1-surrogate"][key]
    silent = JobResources(Targets(check_config(config)))
    assert silent.data_size(PLACE) == (config["kernels"]["block_frames"], 100)


def test_blocks_and_sampled_lengthscales_are_cheaper():
    whole = resources(8000, 50, kernels={"block_frames": 8000})
    blocks = resources(8000, 50, kernels={"block_frames": 2000})
    assert blocks.gram_minutes(PLACE, 1) < whole.gram_minutes(PLACE, 1) / 8
    sampled = resources(8000, 50, kernels={"lengthscale": "sampled-median"})
    assert sampled.lengthscale_minutes(PLACE, 1) < whole.lengthscale_minutes(PLACE, 1) / 8
