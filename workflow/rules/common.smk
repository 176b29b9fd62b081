"""What rules share: the checked configuration, wildcards, outputs for the report.

`targets` and `large` are files of the study, `entries` what jobs are told of the configuration, `resources`
what they ask for; see these modules of `mekrr.study`.
"""

import sys
from functools import partial

from snakemake.settings.types import DeploymentMethod

from mekrr.data.strategies import STRATEGIES
from mekrr.errors import ConfigError
from mekrr.study.config import read_config
from mekrr.study.entries import Entries
from mekrr.study.franken.environment import MAKE, interpreter
from mekrr.study.large_targets import LargeTargets
from mekrr.study.resources import JobResources
from mekrr.study.targets import Targets

try:
    CONFIG = read_config(config)
except ConfigError as error:
    sys.exit(f"mekrr: error: config: {error}")

# With conda, Snakemake makes the environment itself.
if CONFIG.franken.backbones and not (
    interpreter() or DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
):
    CONFIG = CONFIG.without_franken()
    if workflow.is_main_process:
        print(
            f"mekrr: warning: franken is left out, as it is not installed; {MAKE}", file=sys.stderr
        )

STUDY = CONFIG.study

targets = Targets(CONFIG)
if targets.large and workflow.is_main_process:
    print(f"mekrr: {targets.told_of_large()}", file=sys.stderr)
large = LargeTargets(targets)
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
    gap=one_of(targets.gaps),
    strategy=one_of(STRATEGIES),
    seed=r"\d+",
    key="[0-9a-f]{12}",
    file="[^/]+",
    member="[^/]+",


def transfer_recipes(wildcards):
    """Methods of a transfer."""
    return entries.recipes(targets.transferred(wildcards))


def gap_recipes(wildcards):
    """The method of a GAP."""
    return entries.recipes(wildcards.gap)


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
