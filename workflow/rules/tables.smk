"""Predictions to tables of errors.

in:   results/fits/…/*.predictions.csv, *.choices.csv
out:  results/tables/metrics.csv         every fit, layer and part
      results/tables/same_dataset.*      Table 1: test errors over seeds beside the published ones
      results/tables/transfer.*          Table 2: the same on other data sets than those of the fits
      results/tables/largest_errors.*    the frames that each fit gets most wrong
      results/tables/data_checks.*       what the data sets and their splits are like
      results/tables/provenance.*        versions, hardware, checksums behind the numbers
"""


rule metrics:
    """Errors of every fit, layer and part of the frames."""
    input:
        predictions=collect(study_fits("predictions"), dataset=STUDY["datasets"]),
        choices=collect(study_fits("choices"), dataset=STUDY["datasets"]),
        code=code("metrics"),
    output:
        metrics="results/tables/metrics.csv",
    log:
        "results/logs/metrics.log",
    benchmark:
        "results/benchmarks/metrics.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=10,
    script:
        "../scripts/metrics.py"


rule same_dataset_table:
    """Table 1: fit, choose and test within one data set."""
    input:
        metrics="results/tables/metrics.csv",
        published="workflow/resources/published/same_dataset.csv",
        code=code("same_dataset_table"),
    output:
        csv="results/tables/same_dataset.csv",
        latex="results/tables/same_dataset.tex",
        markdown="results/tables/same_dataset.md",
        html=report(
            "results/tables/same_dataset.html",
            caption="../report/same_dataset.rst",
            category="1 Tables",
            labels={"table": "Table 1. Errors within one data set"},
        ),
    log:
        "results/logs/same_dataset_table.log",
    benchmark:
        "results/benchmarks/same_dataset_table.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        datasets=study_datasets(),
        backbones=study_backbones(),
        settings=study_settings(),
    script:
        "../scripts/same_dataset_table.py"


rule transfer_table:
    """Table 2: fit and choose on one data set, test on another."""
    input:
        predictions=study_transfers(),
        choices=transfer_choices(),
        published="workflow/resources/published/transfer.csv",
        code=code("transfer_table"),
    output:
        metrics="results/tables/transfer_metrics.csv",
        csv="results/tables/transfer.csv",
        latex="results/tables/transfer.tex",
        markdown="results/tables/transfer.md",
        html=report(
            "results/tables/transfer.html",
            caption="../report/transfer.rst",
            category="1 Tables",
            labels={"table": "Table 2. Transfer to another data set"},
        ),
    log:
        "results/logs/transfer_table.log",
    benchmark:
        "results/benchmarks/transfer_table.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        pairs=STUDY_TRANSFERS,
        datasets=study_datasets(),
        backbones=study_backbones(),
        settings=study_settings(),
    script:
        "../scripts/transfer_table.py"


rule largest_errors_table:
    """The test frames that each fit gets most wrong, by number."""
    input:
        predictions=collect(study_fits("predictions"), dataset=STUDY["datasets"]),
        choices=collect(study_fits("choices"), dataset=STUDY["datasets"]),
        code=code("largest_errors_table"),
    output:
        csv="results/tables/largest_errors.csv",
        markdown="results/tables/largest_errors.md",
        html=report(
            "results/tables/largest_errors.html",
            caption="../report/largest_errors.rst",
            category="1 Tables",
            labels={"table": "Largest errors, by frame"},
        ),
    log:
        "results/logs/largest_errors_table.log",
    benchmark:
        "results/benchmarks/largest_errors_table.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        n_frames=config["tables"]["largest_errors"],
    script:
        "../scripts/largest_errors_table.py"


rule data_checks_table:
    """What the data sets and their splits are like."""
    input:
        checks=collect("results/data/{dataset}/checks.csv", dataset=STUDY["datasets"]),
        code=code("data_checks_table"),
    output:
        markdown="results/tables/data_checks.md",
        html=report(
            "results/tables/data_checks.html",
            caption="../report/data_checks.rst",
            category="1 Tables",
            labels={"table": "Data sets and their splits"},
        ),
    log:
        "results/logs/data_checks_table.log",
    benchmark:
        "results/benchmarks/data_checks_table.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        datasets=study_datasets(),
    script:
        "../scripts/data_checks_table.py"


rule provenance_table:
    """What the numbers were made with: written anew whenever they are."""
    input:
        metrics="results/tables/metrics.csv",
        features=collect(
            "results/features/{dataset}/{backbone}.safetensors",
            dataset=STUDY["datasets"],
            backbone=STUDY["backbones"],
        ),
        frames=collect("results/data/{dataset}/frames.extxyz", dataset=STUDY["datasets"]),
        code=code("provenance_table"),
    output:
        csv="results/tables/provenance.csv",
        markdown="results/tables/provenance.md",
        html=report(
            "results/tables/provenance.html",
            caption="../report/provenance.rst",
            category="4 Provenance",
            labels={"table": "Versions, hardware and checksums"},
        ),
    log:
        "results/logs/provenance_table.log",
    benchmark:
        "results/benchmarks/provenance_table.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        study=STUDY,
        datasets=study_datasets(),
    script:
        "../scripts/provenance_table.py"


rule tables:
    """All tables of the study."""
    input:
        "results/tables/metrics.csv",
        "results/tables/same_dataset.csv",
        ["results/tables/transfer.csv"] if STUDY_TRANSFERS else [],
        ["results/tables/clusters.csv"] if EVENTFUL else [],
        "results/tables/timing.csv",
        ["results/tables/ablation.csv"] if HAS_ABLATION else [],
        ["results/tables/learning.csv"] if HAS_LEARNING else [],
        "results/tables/largest_errors.csv",
        "results/tables/data_checks.md",
        "results/tables/provenance.csv",
        ["results/tables/dynamics.csv"] if STUDY_SURROGATES else [],
