"""The pre-training of a SchNet on adsorbates on metals: a set of frames is made, networks trained on it.

    snakemake --snakefile workflow/pretraining.smk --cores all

takes hours. It goes on where it was interrupted: the set shard by shard, a training from its checkpoint.
Other code makes neither the set nor a training anew, as it does in the study: half a day is not lost
for the wording of a message. Delete what is to be made again.

in:   the weights of the network that labels
out:  results/pretraining/{name}/frames.extxyz, frames.csv, dropped.csv
      results/pretraining/{name}/{network}.safetensors (weights of a backbone)
      results/pretraining/{name}/{network}/model.safetensors, history.csv, errors.csv
      results/pretraining/{name}/contents.*, errors.*, learning.* (tables and a figure)
"""

import sys

from snakemake.utils import min_version

from mekrr.errors import ConfigError
from mekrr.study.code import code_of
from mekrr.study.config.pretraining import read_pretraining
from mekrr.study.scheduler import without_rate_limit

min_version("9.27")

# A file of one's own is whole: it replaces this one and does not change it key by key.
if "pretraining" not in config:

    configfile: "config/pretraining.yaml"


try:
    PRETRAINING = read_pretraining(config)
except ConfigError as error:
    sys.exit(f"mekrr: error: config: {error}")

ROOT = f"results/pretraining/{PRETRAINING.name}"
LOGS = f"results/logs/pretraining/{PRETRAINING.name}"
BENCHMARKS = f"results/benchmarks/pretraining/{PRETRAINING.name}"
SHARDS = range(PRETRAINING.shards)
NETWORK = {
    "name": PRETRAINING.name,
    "title": PRETRAINING.title,
    "seed": PRETRAINING.seed,
    "architecture": PRETRAINING.architecture.given(),
}


def step_code(module):
    """Modules of a step."""
    return code_of("workflow/scripts/pretraining.py", f"mekrr.study.pretraining.{module}")


def shown(name, caption, title):
    """A file for the report."""
    return report(
        f"{ROOT}/{name}",
        caption=f"report/{caption}.rst",
        category="Pre-training",
        labels={"result": title},
    )


wildcard_constraints:
    shard=r"\d+",
    network="|".join(PRETRAINING.networks),


onstart:
    without_rate_limit(workflow)


localrules:
    pretraining,


rule pretraining:
    default_target: True
    input:
        expand(f"{ROOT}/{{network}}.safetensors", network=PRETRAINING.networks),
        f"{ROOT}/contents.html",
        f"{ROOT}/errors.html",
        f"{ROOT}/learning.svg",


rule pretraining_sample:
    """The frames of some runs, labelled."""
    input:
        code=ancient(step_code("sample")),
    output:
        frames=f"{ROOT}/shards/{{shard}}.extxyz",
        facts=f"{ROOT}/shards/{{shard}}.csv",
        dropped=f"{ROOT}/shards/{{shard}}-dropped.csv",
    log:
        f"{LOGS}/sample/{{shard}}.log",
    benchmark:
        f"{BENCHMARKS}/sample/{{shard}}.tsv"
    conda:
        "../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=30,
        gpu=1,
    params:
        step="sample.write",
        runs=PRETRAINING.runs,
        backbone=PRETRAINING.backbone,
        registry=PRETRAINING.registry,
        recipe={
            "seed": PRETRAINING.seed,
            "metals": {
                symbol: (metal.structure, metal.a) for symbol, metal in PRETRAINING.metals.items()
            },
            "adsorbates": PRETRAINING.adsorbates,
            "excluded": PRETRAINING.excluded,
            "kinds": PRETRAINING.kinds.given(),
            "limits": PRETRAINING.limits.given(),
        },
    script:
        "scripts/pretraining.py"


use rule pretraining_sample as pretraining_gather with:
    """The whole set, and what each frame is for."""
    input:
        frames=expand(f"{ROOT}/shards/{{shard}}.extxyz", shard=SHARDS),
        facts=expand(f"{ROOT}/shards/{{shard}}.csv", shard=SHARDS),
        dropped=expand(f"{ROOT}/shards/{{shard}}-dropped.csv", shard=SHARDS),
        code=ancient(step_code("gather")),
    output:
        frames=f"{ROOT}/frames.extxyz",
        table=f"{ROOT}/frames.csv",
        dropped=f"{ROOT}/dropped.csv",
    log:
        f"{LOGS}/gather.log",
    benchmark:
        f"{BENCHMARKS}/gather.tsv"
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        step="gather.write",
        seed=PRETRAINING.seed,
        held_out=PRETRAINING.held_out.given(),


use rule pretraining_sample as pretraining_states with:
    """What positions alone decide of every frame."""
    input:
        frames=f"{ROOT}/frames.extxyz",
        code=ancient(step_code("train")),
    output:
        states=temp(f"{ROOT}/states.safetensors"),
    log:
        f"{LOGS}/states.log",
    benchmark:
        f"{BENCHMARKS}/states.tsv"
    resources:
        mem_mb=3000,
        runtime=60,
        disk_mb=8000,
    params:
        **NETWORK,
        step="train.states",


use rule pretraining_sample as pretraining_train with:
    """A network, trained on its share of the runs."""
    input:
        frames=f"{ROOT}/frames.extxyz",
        table=f"{ROOT}/frames.csv",
        states=f"{ROOT}/states.safetensors",
        code=ancient(step_code("train")),
    output:
        model=f"{ROOT}/{{network}}/model.safetensors",
        history=f"{ROOT}/{{network}}/history.csv",
    log:
        f"{LOGS}/train/{{network}}.log",
    benchmark:
        f"{BENCHMARKS}/train/{{network}}.tsv"
    resources:
        mem_mb=8000,
        runtime=2880,
        gpu=1,
    params:
        **NETWORK,
        step="train.write",
        share=lambda wildcards: PRETRAINING.networks[wildcards.network].share,
        training=PRETRAINING.training.given(),
        hours=PRETRAINING.hours,
        # No output: Snakemake deletes those of jobs that fail.
        checkpoint=f"results/training/{PRETRAINING.name}/{{network}}.pt",


use rule pretraining_sample as pretraining_weights with:
    """A trained network as a backbone."""
    input:
        frames=f"{ROOT}/frames.extxyz",
        table=f"{ROOT}/frames.csv",
        model=f"{ROOT}/{{network}}/model.safetensors",
        history=f"{ROOT}/{{network}}/history.csv",
        code=step_code("weights"),
    output:
        weights=f"{ROOT}/{{network}}.safetensors",
    log:
        f"{LOGS}/weights/{{network}}.log",
    benchmark:
        f"{BENCHMARKS}/weights/{{network}}.tsv"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        **NETWORK,
        step="weights.write",
        backbone=PRETRAINING.backbone,
        licence=PRETRAINING.licence,


use rule pretraining_sample as pretraining_errors with:
    """Its errors, on what it saw and what not."""
    input:
        frames=f"{ROOT}/frames.extxyz",
        table=f"{ROOT}/frames.csv",
        weights=f"{ROOT}/{{network}}.safetensors",
        code=step_code("errors"),
    output:
        errors=f"{ROOT}/{{network}}/errors.csv",
    log:
        f"{LOGS}/errors/{{network}}.log",
    benchmark:
        f"{BENCHMARKS}/errors/{{network}}.tsv"
    params:
        **NETWORK,
        step="errors.write",


use rule pretraining_sample as pretraining_contents with:
    """What the set holds."""
    input:
        table=f"{ROOT}/frames.csv",
        dropped=f"{ROOT}/dropped.csv",
        code=step_code("summary"),
    output:
        csv=f"{ROOT}/contents.csv",
        markdown=f"{ROOT}/contents.md",
        html=shown("contents.html", "pretraining_contents", "The set, table"),
    log:
        f"{LOGS}/contents.log",
    benchmark:
        f"{BENCHMARKS}/contents.tsv"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        step="summary.contents",
        title=PRETRAINING.title,


use rule pretraining_contents as pretraining_errors_table with:
    """The errors of all networks."""
    input:
        errors=expand(f"{ROOT}/{{network}}/errors.csv", network=PRETRAINING.networks),
        code=step_code("summary"),
    output:
        csv=f"{ROOT}/errors.csv",
        markdown=f"{ROOT}/errors.md",
        html=shown("errors.html", "pretraining_errors", "Errors, table"),
    log:
        f"{LOGS}/errors_table.log",
    benchmark:
        f"{BENCHMARKS}/errors_table.tsv"
    params:
        step="summary.errors",
        title=PRETRAINING.title,


use rule pretraining_contents as pretraining_learning with:
    """How the networks learnt."""
    input:
        histories=expand(f"{ROOT}/{{network}}/history.csv", network=PRETRAINING.networks),
        errors=f"{ROOT}/errors.csv",
        code=step_code("figure"),
    output:
        shown("learning.svg", "pretraining_errors", "Learning curve and errors"),
        f"{ROOT}/learning.pdf",
        f"{ROOT}/learning.png",
    log:
        f"{LOGS}/learning.log",
    benchmark:
        f"{BENCHMARKS}/learning.tsv"
    params:
        step="figure.learning",
