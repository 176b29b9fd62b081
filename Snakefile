"""MEKRR: from raw frames to the tables and figures of Falk et al., NeurIPS 2023."""

from snakemake.utils import min_version

from mekrr.study.endings import watch_endings
from mekrr.study.scheduler import without_rate_limit

min_version("9.27")
watch_endings()


include: "workflow/rules/config_files.smk"


configfile: "config/config.yaml"
configfile: "config/datasets.yaml"
configfile: "src/mekrr/backbones/backbones.yaml"
configfile: "config/backbones.yaml"
configfile: "config/surrogates.yaml"
configfile: "config/networks.yaml"


# A GPU is counted per machine: one box runs one GPU job at a time, a cluster many.
resource_scopes:
    gpu="local",


report: "workflow/report/study.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/code.smk"
include: "workflow/rules/retrieval.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/directions.smk"
include: "workflow/rules/kernels.smk"
include: "workflow/rules/stretches.smk"
include: "workflow/rules/fits.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/forces.smk"
include: "workflow/rules/transfer.smk"
include: "workflow/rules/learning.smk"
include: "workflow/rules/ablation.smk"
include: "workflow/rules/molecular_dynamics.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/large.smk"
include: "workflow/rules/surrogates.smk"
include: "workflow/rules/targets.smk"


onstart:
    without_rate_limit(workflow)


localrules:
    all,
    features,
    fits,
    transfers,
    tables,
    figures,
    surrogates,


rule all:
    default_target: True
    input:
        rules.tables.input,
        rules.figures.input,
