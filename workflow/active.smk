"""A loop: frames are labelled, a potential is fitted and run, and says which frames to label next.

    snakemake --snakefile workflow/active.smk --cores all

runs that of config/active.yaml, with `--configfile mine.yaml` that of another file. A workflow of one's own
takes it as a module: `module active: snakefile: "…/workflow/active.smk"`, with a `config`.

in:   labelled frames to begin with, and others to test on
out:  results/active/{name}/{way}-{seed}/round-{round}/labelled.extxyz, model.safetensors,
      trajectory.extxyz, log.csv, selected.extxyz, selected.csv, errors.csv
      results/active/{name}/errors.csv, .md, .html; errors.*, trajectories.* (figures)
"""

import sys

from snakemake.utils import min_version

from mekrr.errors import ConfigError
from mekrr.study.code import code_of
from mekrr.study.config.active import read_active
from mekrr.study.scheduler import without_rate_limit

min_version("9.27")

# A file of one's own is whole: it replaces this one and does not change it key by key.
if "active" not in config:

    configfile: "config/active.yaml"


try:
    ACTIVE = read_active(config)
except ConfigError as error:
    sys.exit(f"mekrr: error: config: {error}")

ROOT = f"results/active/{ACTIVE.name}"
PATH = "{way}-{seed}/round-{round}"
ROUND = f"{ROOT}/{PATH}"
BACKBONE = {"backbone": ACTIVE.backbone, "registry": ACTIVE.registry}
OWN, *OTHERS = ACTIVE.ways
ROUNDS = range(1, ACTIVE.rounds + 1)
# Every way begins with the same fit.
FITS = [("start", seed, 0) for seed in ACTIVE.seeds] + [
    (way, seed, number) for way in ACTIVE.ways for seed in ACTIVE.seeds for number in ROUNDS
]
RUNS = [(seed, number) for seed in ACTIVE.seeds for number in ROUNDS]


def place(way, seed, number):
    """Folder of a round."""
    if number == 0:
        way = "start"
    return f"{ROOT}/{way}-{seed}/round-{number}"


def before(name):
    """A file of the round before."""

    def path(wildcards):
        return f"{place(wildcards.way, wildcards.seed, int(wildcards.round) - 1)}/{name}"

    return path


def first(wildcards):
    """The start frames of a seed."""
    return f"{place('start', wildcards.seed, 0)}/labelled.extxyz"


def step_code(module="steps"):
    """Modules of a step."""
    return code_of("workflow/scripts/active.py", f"mekrr.study.active.{module}")


def shown(name, caption, title):
    """A file for the report."""
    return report(
        f"{ROOT}/{name}",
        caption=f"report/{caption}.rst",
        category="Active learning",
        labels={"result": title},
    )


def drawing(name, caption, title):
    """A figure: as SVG for the report, as PDF and PNG."""
    svg = shown(f"{name}.svg", caption, title)
    return [svg, *(f"{ROOT}/{name}.{suffix}" for suffix in ("pdf", "png"))]


wildcard_constraints:
    seed=r"\d+",
    round=r"\d+",


onstart:
    without_rate_limit(workflow)


localrules:
    active,


rule active:
    default_target: True
    input:
        f"{ROOT}/errors.html",
        f"{ROOT}/errors.svg",
        f"{ROOT}/trajectories.svg",


rule active_start:
    """The frames that are known at first."""
    input:
        frames=ACTIVE.start.path,
        code=step_code(),
    output:
        labelled=f"{ROOT}/start-{{seed}}/round-0/labelled.extxyz",
    log:
        f"results/logs/active_start/{ACTIVE.name}/{{seed}}.log",
    benchmark:
        f"results/benchmarks/active_start/{ACTIVE.name}/{{seed}}.tsv"
    conda:
        "../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        step="steps.start",
        frames=ACTIVE.start.frames,
    script:
        "scripts/active.py"


use rule active_start as active_draw with:
    """As many frames of long trajectories as the loop would have."""
    input:
        labelled=first,
        pool=ACTIVE.against.path if ACTIVE.against else [],
        code=step_code(),
    output:
        labelled=f"{ROUND}/labelled.extxyz",
    log:
        f"results/logs/active_draw/{ACTIVE.name}/{PATH}.log",
    benchmark:
        f"results/benchmarks/active_draw/{ACTIVE.name}/{PATH}.tsv"
    wildcard_constraints:
        way="random|stride",
        round=r"[1-9]\d*",
    params:
        step="steps.draw",
        frames=ACTIVE.select.frames,
        every=ACTIVE.against.every if ACTIVE.against else 1,


use rule active_start as active_fit with:
    """A potential of all frames that are known."""
    input:
        labelled=f"{ROUND}/labelled.extxyz",
        code=step_code(),
    output:
        model=f"{ROUND}/model.safetensors",
    log:
        f"results/logs/active_fit/{ACTIVE.name}/{PATH}.log",
    benchmark:
        f"results/benchmarks/active_fit/{ACTIVE.name}/{PATH}.tsv"
    resources:
        mem_mb=4000,
        runtime=120,
        gpu=1,
    params:
        **BACKBONE,
        step="steps.fit",
        fit=ACTIVE.fit.given(),


use rule active_fit as active_dynamics with:
    """Dynamics with the potential of the round before."""
    input:
        model=before("model.safetensors"),
        start=first,
        code=step_code(),
    output:
        log=f"{ROUND}/log.csv",
        frames=f"{ROUND}/trajectory.extxyz",
    log:
        f"results/logs/active_dynamics/{ACTIVE.name}/{PATH}.log",
    benchmark:
        f"results/benchmarks/active_dynamics/{ACTIVE.name}/{PATH}.tsv"
    params:
        **BACKBONE,
        step="steps.dynamics",
        dynamics=ACTIVE.dynamics.given(),


use rule active_fit as active_select with:
    """The frames of the trajectory that are to be labelled."""
    input:
        frames=f"{ROUND}/trajectory.extxyz",
        model=before("model.safetensors"),
        code=step_code(),
    output:
        chosen=f"{ROUND}/selected.extxyz",
        table=f"{ROUND}/selected.csv",
        left=f"{ROUND}/left.csv",
    log:
        f"results/logs/active_select/{ACTIVE.name}/{PATH}.log",
    benchmark:
        f"results/benchmarks/active_select/{ACTIVE.name}/{PATH}.tsv"
    params:
        **BACKBONE,
        step="steps.select",
        select=ACTIVE.select.given(),


use rule active_start as active_label with:
    """Their labels; and all frames that are known from now on."""
    input:
        chosen=f"{ROUND}/selected.extxyz",
        labelled=before("labelled.extxyz"),
        code=step_code(),
    output:
        labelled=f"{ROUND}/labelled.extxyz",
    log:
        f"results/logs/active_label/{ACTIVE.name}/{PATH}.log",
    benchmark:
        f"results/benchmarks/active_label/{ACTIVE.name}/{PATH}.tsv"
    wildcard_constraints:
        way=OWN,
        round=r"[1-9]\d*",
    resources:
        mem_mb=4000,
        runtime=1440,
    params:
        step="steps.label",
        label=ACTIVE.label.given(),


use rule active_fit as active_test with:
    """Errors of a potential on the test frames."""
    input:
        model=f"{ROUND}/model.safetensors",
        labelled=f"{ROUND}/labelled.extxyz",
        test=ACTIVE.test.path,
        code=step_code(),
    output:
        errors=f"{ROUND}/errors.csv",
    log:
        f"results/logs/active_test/{ACTIVE.name}/{PATH}.log",
    benchmark:
        f"results/benchmarks/active_test/{ACTIVE.name}/{PATH}.tsv"
    params:
        **BACKBONE,
        step="steps.test",
        every=ACTIVE.test.every,
        shown=ACTIVE.shown.given(),


use rule active_start as active_table with:
    """Errors of all rounds."""
    input:
        errors=[f"{place(*fit)}/errors.csv" for fit in FITS],
        code=step_code("summary"),
    output:
        csv=f"{ROOT}/errors.csv",
        markdown=f"{ROOT}/errors.md",
        html=shown("errors.html", "active", "Errors by round, table"),
    log:
        f"results/logs/active_table/{ACTIVE.name}.log",
    benchmark:
        f"results/benchmarks/active_table/{ACTIVE.name}.tsv"
    params:
        step="summary.write",
        fits=FITS,
        title=ACTIVE.title,
        shown=ACTIVE.shown.given(),


use rule active_start as active_errors_figure with:
    """The same, drawn."""
    input:
        table=f"{ROOT}/errors.csv",
        code=step_code("figure"),
    output:
        drawing("errors", "active", "Errors by round"),
    log:
        f"results/logs/active_errors_figure/{ACTIVE.name}.log",
    benchmark:
        f"results/benchmarks/active_errors_figure/{ACTIVE.name}.tsv"
    params:
        step="figure.errors",
        ways=ACTIVE.ways,
        shown=ACTIVE.shown.given(),


use rule active_start as active_trajectories_figure with:
    """What was run, how certain the potential was, and what was chosen."""
    input:
        frames=[f"{place(OWN, *run)}/trajectory.extxyz" for run in RUNS],
        chosen=[f"{place(OWN, *run)}/selected.csv" for run in RUNS],
        code=step_code("figure"),
    output:
        drawing("trajectories", "active_trajectories", "Dynamics by round"),
    log:
        f"results/logs/active_trajectories_figure/{ACTIVE.name}.log",
    benchmark:
        f"results/benchmarks/active_trajectories_figure/{ACTIVE.name}.tsv"
    params:
        step="figure.trajectories",
        runs=RUNS,
        shown=ACTIVE.shown.given(),
