"""The code that rules declare as inputs: a change of a module makes what it computed run again.

A script's modules are found by its imports, see `mekrr.study.code`; modules that it imports by
name are added here.
"""

from mekrr.backbones.families import FROM_SCRATCH, families, module_of
from mekrr.study.code import code_of
from mekrr.study.methods import modules_of

KINDS = "mekrr.study.experiments.kinds"
POTENTIALS = "mekrr.study.experiments.potentials"
LARGE_STEPS = "mekrr.study.experiments.large"


def code(script, *modules):
    """Modules that a script imports: as inputs, a change of one makes its rule run again."""
    return code_of(f"workflow/scripts/{script}.py", *modules)


def kind_code(script, kind):
    """The same with those of one kind of models, but not of others."""
    return code(script, f"{KINDS}.{kind}", *modules_of(kind))


def transfer_code(wildcards):
    """The same of a transfer."""
    return kind_code("transfer", targets.transfer_kind(wildcards))


def family(wildcards):
    """Family of a backbone."""
    return families()[CONFIG.backbones[wildcards.backbone].family]


def adapter_module(wildcards):
    """Module of a backbone's adapter."""
    return module_of(family(wildcards).adapter)


def adapter_environment(wildcards):
    """Environment that a backbone's adapter runs in."""
    return f"../../envs/{family(wildcards).environment}.yaml"


def network_module(wildcards):
    """Module of a network that is trained."""
    start = CONFIG.backbone_of(wildcards.network)
    return module_of(families()[start.family].network if start else FROM_SCRATCH)


def adapter_code(script):
    """The same with the adapter of the backbone's family, but not with those of others."""

    def files(wildcards):
        return code(script, adapter_module(wildcards))

    return files


def network_code(script, fitted=True):
    """The same with what trains networks of one family, but not of others."""

    def files(wildcards):
        more = [f"{KINDS}.network"] if fitted else []
        return code(script, network_module(wildcards), *more)

    return files


def potential_code(script, kind, module=None):
    """The same with one kind of potentials, and with the network of a job, whose module is given."""

    def files(wildcards):
        network = [module(wildcards)] if module else []
        return code(script, f"{POTENTIALS}.{kind}", *modules_of(kind), *network)

    return files


def plot_code(name):
    """Modules that draw a figure."""
    return code("figure", f"mekrr.study.plots.{name}")


def table_code(name):
    """Modules that write a table."""
    return code("table", f"mekrr.study.tables.{name}")


def large_code(module):
    """Modules of a step of the fits to large data sets."""
    return code("large", f"{LARGE_STEPS}.{module}")


def listed_code(wildcards):
    """Modules of a list."""
    return code(wildcards.script, wildcards.module)


def listing(script, module):
    """The list of the modules of a script and of one more, which depends on the job."""

    def file(wildcards):
        return f"results/code/{script}/{module(wildcards)}.txt"

    return file


def large_listing(module):
    """The same of a step of the fits to large data sets."""
    return f"results/code/large/{LARGE_STEPS}.{module}.txt"
