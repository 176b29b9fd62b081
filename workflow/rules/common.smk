"""What rules share: the checked configuration, wildcards, declared code, outputs for the report.

`targets` are files of the study, `entries` what jobs are told of the configuration, `resources`
what they ask for; see these modules of `mekrr.study`.
"""

import sys
from functools import partial

from mekrr.backbones.families import FROM_SCRATCH, families, module_of
from mekrr.data.strategies import STRATEGIES
from mekrr.errors import ConfigError
from mekrr.study.code import code_of
from mekrr.study.config import read_config
from mekrr.study.entries import Entries
from mekrr.study.methods import modules_of
from mekrr.study.resources import JobResources
from mekrr.study.targets import Targets

try:
    CONFIG = read_config(config)
except ConfigError as error:
    sys.exit(f"mekrr: error: config: {error}")

STUDY = CONFIG.study
KINDS = "mekrr.study.experiments.kinds"
POTENTIALS = "mekrr.study.experiments.potentials"

targets = Targets(CONFIG)
entries = Entries(CONFIG)
resources = JobResources(targets)


def one_of(names):
    """Constraint of a wildcard to some names, or to nothing if there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    dataset=one_of(STUDY.datasets),
    source=one_of(STUDY.datasets),
    target=one_of(STUDY.datasets),
    backbone=one_of(STUDY.backbones),
    network=one_of(STUDY.networks),
    strategy=one_of(STRATEGIES),
    seed=r"\d+",
    key="[0-9a-f]{12}",
    file="[^/]+",
    member="[^/]+",


def code(script, *modules):
    """Modules that a script imports: as inputs, a change of one makes its rule run again."""
    return code_of(f"workflow/scripts/{script}.py", *modules)


def kind_code(script, kind):
    """The same with those of one kind of models, but not of others."""
    return code(script, f"{KINDS}.{kind}", *modules_of(kind))


def transfer_code(wildcards):
    """The same of a transfer."""
    return kind_code("transfer", targets.transfer_kind(wildcards))


def transfer_recipes(wildcards):
    """Methods of a transfer."""
    return entries.recipes(targets.transferred(wildcards))


def adapter_module(wildcards):
    """Module of a backbone's adapter."""
    return module_of(families()[CONFIG.backbones[wildcards.backbone].family].adapter)


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


def figure(path, title, caption=None):
    """A figure: as SVG for the report, as PDF and PNG."""
    svg = report(
        f"results/figures/{path}.svg",
        caption=f"../report/{caption or path.rpartition('/')[2]}.rst",
        category="2 Figures",
        labels=partial(entries.labels, title),
    )
    return [svg, *(f"results/figures/{path}.{suffix}" for suffix in ("pdf", "png"))]


def page(name, title, category="1 Tables"):
    """The HTML page of a table, for the report."""
    return report(
        f"results/tables/{name}.html",
        caption=f"../report/{name}.rst",
        category=category,
        labels={"table": title},
    )
