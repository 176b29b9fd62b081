"""Predictions to tables of errors.

in:   results/fits/…/*.predictions.csv, *.choices.csv
out:  results/tables/metrics.csv         every fit, layer and part
      results/tables/same_dataset.*      test errors over seeds beside the published ones
      results/tables/largest_errors.*    the frames that each fit gets most wrong
      results/tables/data_checks.*       what the data sets and their splits are like
      results/tables/provenance.*        versions, hardware, checksums behind the numbers
"""


rule metrics:
    """Errors of every fit, layer and part of the frames."""
    input:
        predictions=collect(study_fits("predictions"), dataset=STUDY["datasets"]),
        choices=collect(study_fits("choices"), dataset=STUDY["datasets"]),
        code=code("evaluation.py", "tables.py"),
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
        code=code("tables.py"),
    output:
        csv="results/tables/same_dataset.csv",
        latex="results/tables/same_dataset.tex",
        markdown="results/tables/same_dataset.md",
        html=report(
            "results/tables/same_dataset.html",
            caption="../report/same_dataset.rst",
            category="1 Tables",
            labels={"table": "Errors within one data set"},
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
    script:
        "../scripts/same_dataset_table.py"


rule largest_errors_table:
    """The test frames that each fit gets most wrong, by number."""
    input:
        predictions=collect(study_fits("predictions"), dataset=STUDY["datasets"]),
        choices=collect(study_fits("choices"), dataset=STUDY["datasets"]),
        code=code("evaluation.py", "tables.py"),
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
        trajectories=[path for files in study_trajectories().values() for path in files],
        code=code("provenance.py"),
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
        trajectories=study_trajectories(),
    script:
        "../scripts/provenance_table.py"


rule tables:
    """All tables of the study."""
    input:
        "results/tables/metrics.csv",
        "results/tables/same_dataset.csv",
        "results/tables/largest_errors.csv",
        "results/tables/data_checks.md",
        "results/tables/provenance.csv",
        ["results/tables/dynamics.csv"] if STUDY_SURROGATES else [],
