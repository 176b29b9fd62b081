"""Private parts of other packages that this one uses: all of them, each with its reason.

An upgrade may take them away without notice. Each is looked up here, so that the test that fails
names it; `held` is the test that says whether it still does what it is used for. `PARTS` is
complete: the code is searched for others.
"""

import ast
import ctypes
from dataclasses import dataclass
from importlib import import_module

import pytest
from imported import imports, modules
from samples import ROOT

FOREIGN = ("ctypes", "unittest.mock")  # imported to reach into what others keep to themselves


@dataclass(frozen=True)
class Part:
    """A private part of another package.

    Attributes
    ----------
    user : module of this package that uses it, or a file of the workflow.
    name : as it stands there: an attribute, or what is imported.
    place : where it is found, ``module:attribute.attribute``; None if only `held` can tell.
    reason : why it is used.
    held : file and name of the test that holds what it does.
    """

    user: str
    name: str
    place: str | None
    reason: str
    held: str


SEVENNET = "test_backbones.py::test_sevennet_energy_is_that_of_its_own_calculator"
LAPACK = "test_ridge.py::test_tridiagonal_reduction"
MACE = "test_mace.py::test_features_energies_and_derivatives_are_those_of_its_own_calculator"
TRAINED = "test_training.py::test_predictions_are_those_of_the_best_epoch"
NO_COMPILER = "test_optimiser.py::test_a_training_loads_neither_the_compiler_nor_readers_of_files"

PARTS = [
    Part(
        "mekrr.engines.export",
        "_old_index_select",
        "torch_geometric.hash_tensor:_old_index_select",
        "torch's own function, in whose place torch_geometric puts what TorchScript refuses",
        "test_metatomic.py::test_results_are_those_of_the_calculator",
    ),
    Part(
        "mekrr.backbones.chgnet.adapter",
        "_compute",
        "chgnet.model.model:CHGNet._compute",
        "energies and features of a graph that is made here, in one pass, for many frames",
        "test_backbones.py::test_chgnet_features_and_energy_are_those_of_its_own_graph",
    ),
    Part(
        "mekrr.backbones.diep.adapter",
        "_ensure_grid",
        "diep.layers:DIEPIntegrator._ensure_grid",
        "makes its grid outside inference mode, or no gradient can be had later",
        "test_backbones.py::test_forces_and_virial_are_central_differences",
    ),
    Part(
        "mekrr.backbones.fairchem.adapter",
        "_MODEL_CKPTS",
        "fairchem.core.calculate.pretrained_mlip:_MODEL_CKPTS.checkpoints",
        "which models its download knows, for a message and for the path of one",
        "test_fairchem.py::test_registered_model",
    ),
    *(
        Part(
            "mekrr.backbones.mace.adapter",
            name,
            f"torch.nn:Module.__init__:{name}",
            "a pickled model is read without running it: its tensors are found by torch's names",
            MACE,
        )
        for name in ("_parameters", "_buffers", "_non_persistent_buffers_set")
    ),
    *(
        Part(
            f"mekrr.backbones.sevennet.{module}",
            "sevenn._keys",
            "sevenn._keys:NODE_FEATURE",
            "keys of the dictionary that goes through SevenNet's layers",
            SEVENNET,
        )
        for module in ("adapter", "finetune", "scripted")
    ),
    Part(
        "mekrr.backbones.sevennet.quick_import",
        "unittest.mock.patch",
        "torch.compiler:disable",
        "start-up only: e3nn's mark `torch.compiler.disable` would load the compiler, a second "
        "for each of many short jobs",
        NO_COMPILER,
    ),
    Part(
        "mekrr.backbones.soap.adapter",
        "featomic._c_api.featomic_pair_t",
        "featomic._c_api:featomic_pair_t",
        "hands over pairs of atoms that were found here",
        "test_soap.py::test_kernel_is_that_of_featomics_power_spectrum",
    ),
    Part(
        "mekrr.models.lapack",
        "ctypes",
        "scipy.linalg.cython_lapack:__pyx_capi__",
        "tridiagonal reduction without Python's lock, so that the threads of a sweep do not wait",
        LAPACK,
    ),
    Part(
        "mekrr.models.network.loop",
        "_foreach_lerp_",
        "torch:_foreach_lerp_",
        "average of all weights in one call, as torch's own optimisers do it",
        TRAINED,
    ),
    Part(
        "mekrr.models.network.loop",
        "_foreach_copy_",
        "torch:_foreach_copy_",
        "copy of all weights in one call, as torch's own optimisers do it",
        TRAINED,
    ),
    Part(
        "mekrr.models.network.memory",
        "ctypes",
        None,
        "mallopt of glibc: large arrays of a step are kept, not given back and cleared anew",
        "test_private_parts.py::test_the_c_library_keeps_what_is_freed",
    ),
    Part(
        "mekrr.study.scheduler",
        "job_rate_limiter",
        "snakemake.scheduling.job_scheduler:JobScheduler.__init__:job_rate_limiter",
        "on one machine the limit takes a core for itself (Snakemake's issue 2967)",
        "test_private_parts.py::test_every_workflow_chooses_its_jobs_alike",
    ),
]
# Named as if they were public.
UNLIKE_PRIVATE = [("mekrr.study.scheduler", "job_rate_limiter")]


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def names_of(tree):
    """Names of all attributes."""
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


@pytest.fixture(scope="module")
def trees():
    return {module: ast.parse(path.read_text("utf-8")) for module, path in modules().items()}


@pytest.fixture(scope="module")
def own(trees):
    """Private names that this package defines itself."""
    names = set()
    for node in (node for tree in trees.values() for node in ast.walk(tree)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def test_the_list_is_complete(trees, own):
    found = set()
    for module, tree in trees.items():
        for name in imports(module):
            reached = any(map(is_private, name.split(".")))
            if not name.startswith("mekrr") and (reached or name.startswith(FOREIGN)):
                found.add((module, name))
        attributes = names_of(tree)
        found |= {(module, name) for name in attributes - own if is_private(name)}
    found |= {(user, name) for user, name in UNLIKE_PRIVATE if name in names_of(trees[user])}
    assert found == {(part.user, part.name) for part in PARTS}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part.user}-{part.name}")
def test_the_part_is_there(part):
    if part.place is None:
        return
    module, _, path = part.place.partition(":")
    path, _, made = path.partition(":")  # by a function, as an attribute of what it gets
    found = import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    if made:
        assert made in {*found.__code__.co_names, *found.__code__.co_consts}


@pytest.mark.parametrize("held", sorted({part.held for part in PARTS}))
def test_what_it_does_is_held_by_a_test(held):
    file, _, name = held.partition("::")
    (path,) = (ROOT / "tests").rglob(file)
    assert f"\ndef {name}(" in path.read_text("utf-8")


def test_the_c_library_keeps_what_is_freed():
    """mallopt answers 1 where it has understood."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        pytest.skip("not glibc")
    from mekrr.models.network.memory import KEEP, M_TRIM_THRESHOLD

    assert mallopt(M_TRIM_THRESHOLD, KEEP) == 1


def test_every_workflow_chooses_its_jobs_alike():
    for path in (ROOT / "Snakefile", *(ROOT / "workflow").glob("*.smk")):
        assert "\nonstart:\n    without_rate_limit(workflow)\n" in path.read_text(), path
