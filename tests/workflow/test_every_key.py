"""A study in which every key of the configuration has a value of its own, run to the end."""

import ase.io
import pandas as pd
import pytest
import yaml
from ase.calculators.singlepoint import SinglePointCalculator
from samples import ROOT, labelled
from studies import tiny_network

from mekrr.files import sha256
from mekrr.study.config import StudyConfig

SCHEMA = StudyConfig.model_json_schema()
DEFAULTS = yaml.safe_load((ROOT / "config/config.yaml").read_text())
TARGETS = (
    *(f"results/tables/{name}.csv" for name in ("transfer", "learning", "ablation", "clusters")),
    "results/tables/ablation_sparse.csv",
    "results/tables/largest_errors.csv",
    "results/data/mine/checks.csv",
    "results/data/mine/variables.csv",
)
# Keys that need what is not here, with the tests that give it to them.
ELSEWHERE = {
    "study.gap": "not beside the keys of `gap`: every other study of these tests",
    "features.batch_size.cuda": "a GPU: tests/gpu",
    "datasets.*.download": "a server: test_downloads.py",
    "datasets.*.path.train": "three files: test_parts.py",
    "datasets.*.path.val": "three files: test_parts.py",
    "datasets.*.path.test": "three files: test_parts.py",
    "datasets.*.published_as": "no data set beside `surrogate_for`: test_parts.py",
    "features.atoms.species": "not beside `within`: test_shards.py",
    "features.atoms.index": "not beside `within`: tests of the rule in tests/unit",
    "datasets.*.reactive.species": "not beside `within`: test_sparse_kind.py",
    "datasets.*.reactive.index": "not beside `within`: tests of the rule in tests/unit",
    "backbones.*.weights": "weights of a network: test_schnet.py, test_registry.py",
    "backbones.*.options.exact": "weights of a network: test_schnet.py",
    "backbones.*.options.checkpoint": "weights of 50 MB: test_backbones.py",
    "backbones.*.options.norms": "a pretrained network: test_sevennet_gradient.py",
    "backbones.*.options.model": "weights under a licence: test_fairchem.py",
    "backbones.*.options.task": "weights under a licence: test_fairchem.py",
    "backbones.*.options.head": "another environment: test_mace.py",
    "datasets.*.mean_atoms": "not beside `atoms`: test_large.py",
    "datasets.*.group_key": "no column of a small data set's tables: test_preparation.py",
    "large": "a data set that is large: test_large.py",
    "franken": "another environment: test_franken_jobs.py",
    "molecular_dynamics": "a surrogate and DIEP: test_dynamics_jobs.py",
    "networks.*.frozen": "a pretrained start: test_training.py",
    "networks.*.training": "the keys of `training`, which are given there",
    "surrogates": "dynamics of minutes: test_surrogate.py",
}


def names(schema, path=()):
    """Dotted names of all keys below a schema; `*` stands for a name, and lists are not named."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    for key, entry in schema.get("properties", {}).items():
        yield ".".join([*path, key])
        if entry is not False:
            yield from names(entry, (*path, key))
    inner = [schema[word] for word in ("items", "then") if word in schema]
    for entry in (*inner, *schema.get("allOf", []), *schema.get("anyOf", [])):
        yield from names(entry, path)
    for entry in schema.get("patternProperties", {}).values():
        yield from names(entry, (*path, "*"))


def given(config, defaults, path=()):
    """Dotted names of the keys whose values are no defaults."""
    if isinstance(config, list):
        for entry in config:
            yield from given(entry, None, path)
    elif isinstance(config, dict):
        for key, value in config.items():
            default = defaults.get(key) if isinstance(defaults, dict) else None
            named = len(path) == 1 and path[0] in ("datasets", "backbones", "networks")
            here = (*path, "*" if named else str(key))
            if value != default:
                yield ".".join(here)
            yield from given(value, default, here)


def everything(project):
    """Give every key but those of `ELSEWHERE` a value that is not its default."""
    frames = labelled(48)
    for atoms in frames:
        results = {"my_energy": atoms.get_potential_energy(), "my_forces": atoms.get_forces()}
        atoms.info["my_energy"] = results["my_energy"]
        atoms.arrays["my_forces"] = results["my_forces"]
        atoms.calc = None
    ase.io.write(project.data, frames, format="extxyz")
    larger = []
    for small in labelled(24, seed=1):
        atoms = small.repeat((2, 1, 1))
        forces = small.repeat((2, 1, 1)).positions * 0 + 0.1
        atoms.calc = SinglePointCalculator(
            atoms, energy=2 * small.get_potential_energy(), forces=forces
        )
        atoms.info["run"] = small.info["run"]
        larger.append(atoms)
    ase.io.write(project.folder / "large.extxyz", larger, format="extxyz")
    facts = dict.fromkeys(("title", "system", "licence", "citation", "theory"), "a fact")
    project.config = {
        "study": {
            "datasets": ["mine", "large"],
            "every": 2,
            "backbones": ["soap-small"],
            "networks": ["tiny"],
            "splits": ["run"],
            "seeds": [4],
            "gap": True,
            "transfer": [["mine", "large"]],
        },
        "split": {"fractions": {"train": 0.5, "val": 0.25, "test": 0.25}},
        "features": {
            "batch_size": {"cpu": 5},
            "shard_frames": 16,
            "atoms": {"within": 3.0, "of": ["Cu"]},
            "dtype": "float16",
        },
        "kernels": {"atom": "matern5", "lengthscale": "sampled-median", "block_frames": 18},
        "grid": {
            "alpha": {"smallest": 0.02, "count": 3},
            "regularisation": {"smallest": 1.0e-8, "largest": 1.0e-2, "count": 2},
        },
        "gap": {
            "n_max": 3,
            "l_max": 2,
            "cutoff": 4.0,
            "cutoff_transition_width": 0.8,
            "atom_sigma": 0.6,
            "zeta": 2,
            "delta": 0.3,
            "n_sparse": 20,
            "sparse_method": "kmeans",
            "default_sigma": 2.0e-3,
            "forces": {"sigma": 0.2, "frames": 8},
        },
        "sparse": {
            "backbones": ["soap-small"],
            "skip": ["large"],
            "directions": {"random": 3, "reactive": True},
            "layers": "choose",
            "inducing": 8,
        },
        "tables": {"largest_errors": 2},
        "forces": {"frames": 3, "splits": 2, "seeds": 2},
        "learning": {"n_train": [6], "skip": ["large"]},
        "ablation": {
            "split": "run",
            "seeds": [4],
            "skip": ["large"],
            "lengthscales": [3.0],
            "sparse": ["mine"],
        },
        "heatmap": {"split": "run", "seed": 4, "skip": []},
        "training": {
            "epochs": 3,
            "least_steps": 1,
            "validate_every": 1,
            "patience": 2,
            "batch_size": 4,
            "lr": 2.0e-3,
            "schedule": "constant",
            "amsgrad": True,
            "weight_decay": 1.0e-4,
            "average": 0.5,
            "clip": 5.0,
            "shuffle": False,
            "force_weight": 0.5,
        },
        "datasets": {
            "mine": facts
            | {
                "path": project.data.name,
                "sha256": sha256(project.data),
                "format": "extxyz",
                "energy_key": "my_energy",
                "forces_key": "my_forces",
                "frames": 48,
                "atoms": 4,
                "runs": list(range(0, 48, 4)),
                "energy_range": [-30.0, -20.0],
                "time_ordered": True,
                "surrogate_for": "D1",
                "reference_energy": {"Cu": -25.0},
                "collective_variables": [
                    {"distance": ["Cu", "Cu"]},
                    {"coordination": [0, 1], "radius": 2.5},
                ],
                "stretch": {"run": 1, "first": 0, "count": 10},
                "event": {"above": 2.35},
                "reactive": {"within": 0.5, "of": ["Cu"]},
            },
            "large": {
                "path": "large.extxyz",
                "frames": 24,
                "atoms": 8,
                "collective_variables": [{"distance": [0, 1]}],
                "stretch": {"frames": [0, 22]},
            },
        },
        "backbones": {
            "soap-small": {
                "family": "soap",
                "title": "SOAP",
                "training_data": "none",
                "licence": "none",
                "reference": "none",
                "layers": [1],
                "heatmap_layer": 1,
                "options": {"species": ["Cu"], "n_max": 3, "l_max": 2, "cutoff": 4.0, "sigma": 0.6},
            },
        },
        "networks": {
            "tiny": tiny_network()["tiny"]
            | {
                "method": "SchNet-forces",
                "training": {"epochs": 2},
                "published_transfer": {"epochs": 2},
            },
        },
    }
    return project


def test_every_key_has_a_value_in_the_study(project):
    schema = set(names(SCHEMA))
    assert {"grid.alpha.count", "datasets.*.event.above", "surrogates.*.runs.seed"} <= schema
    own = set(given(everything(project).config, DEFAULTS))
    known = {key for key in schema if not any(f"{key}.".startswith(f"{e}.") for e in ELSEWHERE)}
    assert known - own == set()


@pytest.mark.faults
def test_the_study_of_every_key_runs(project):
    result = everything(project).run(*TARGETS)
    assert result.returncode == 0, result.stdout + result.stderr
    table = pd.read_csv(project.folder / "results/tables/metrics.csv")
    rows = {"SchNet-forces", "GAP-SOAP", "GAP-SOAP-forces", "MEKRR", "MEKRR-sparse-forces"}
    assert rows <= set(table["method"])
    transfers = pd.read_csv(project.folder / "results/tables/transfer.csv")
    assert {"SchNet-forces", "GAP-SOAP-forces", "MEKRR-sparse"} <= set(transfers["method"])
