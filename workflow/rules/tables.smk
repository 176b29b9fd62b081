"""Predictions and findings to tables.

Each is what `mekrr.study.tables` writes under the name of its rule, and inherits from the first
what it does not say itself.

in:   results/fits/…/*.predictions.csv, *.choices.csv, results/data/…, results/benchmarks/…
out:  results/tables/metrics.csv         every fit, layer and part
      results/tables/same_dataset.*      Table 1: test errors over seeds beside the published ones
      results/tables/verdict.*           does MEKRR beat fine-tuning? on each data set and split
      results/tables/transfer.*          Table 2: the same on other data sets than those of the fits
      results/tables/largest_errors.*    the frames that each fit gets most wrong
      results/tables/calibration.csv     whether standard deviations are right; reliability.csv
      results/tables/calibration_forces.csv  the same of forces; reliability_forces.csv
      results/tables/learning.csv        errors against the number of training frames
      results/tables/ablation.*          errors with one part of the method changed
      results/tables/ablation_sparse.*   the same of sparse models
      results/tables/clusters.*          how well clusters match the event
      results/tables/timing.*            what the methods cost
      results/tables/data_checks.*       what the data sets and their splits are like
      results/tables/dynamics.*          the dynamics behind the surrogates
      results/tables/molecular_dynamics.* dynamics with what was fitted
      results/tables/provenance.*        versions, hardware, checksums behind the numbers
      results/site/*                     what README and the site take from them
"""


rule learning_table:
    """All learning curves, with the fits of the study as their last points."""
    input:
        errors=targets.learning_curves(),
        forces=targets.forces(),
        metrics="results/tables/metrics.csv",
        code=table_code("learning"),
    output:
        csv="results/tables/learning.csv",
    log:
        "results/logs/learning_table.log",
    benchmark:
        "results/benchmarks/learning_table.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    script:
        "../scripts/table.py"


use rule learning_table as metrics with:
    """Errors of every fit, layer and part of the frames."""
    input:
        predictions=targets.all_fits("predictions"),
        choices=targets.all_fits("choices"),
        code=table_code("metrics"),
    output:
        csv="results/tables/metrics.csv",
    log:
        "results/logs/metrics.log",
    benchmark:
        "results/benchmarks/metrics.tsv"
    resources:
        mem_mb=4000,
        runtime=10,


use rule learning_table as same_dataset_table with:
    """Table 1: fit, choose and test within one data set."""
    input:
        metrics="results/tables/metrics.csv",
        forces=targets.forces(),
        published="workflow/resources/published/same_dataset.csv",
        code=table_code("same_dataset"),
    output:
        csv="results/tables/same_dataset.csv",
        latex="results/tables/same_dataset.tex",
        markdown="results/tables/same_dataset.md",
        html=page("same_dataset", "Table 1. Errors within one data set"),
    log:
        "results/logs/same_dataset_table.log",
    benchmark:
        "results/benchmarks/same_dataset_table.tsv"
    params:
        n_frames=CONFIG.forces.frames,
        datasets=entries.datasets(),
        backbones=entries.backbones(),
        settings=entries.effort(),


use rule learning_table as verdict_table with:
    """Does MEKRR beat fine-tuning? On each data set and way of splitting."""
    input:
        metrics=["results/tables/metrics.csv"] if targets.datasets else [],
        calibration="results/tables/calibration.csv" if targets.datasets else [],
        leaks=collect("results/data/{dataset}/leaks.csv", dataset=STUDY.datasets),
        large="results/tables/large.csv" if large.choices() else [],
        choices=[choices.path for choices in large.choices()],
        code=table_code("verdict"),
    output:
        csv="results/tables/verdict.csv",
        markdown="results/tables/verdict.md",
        html=page("verdict", "Does MEKRR beat fine-tuning?"),
    log:
        "results/logs/verdict_table.log",
    benchmark:
        "results/benchmarks/verdict_table.tsv"
    params:
        large=[choices.fit for choices in large.choices()],
        datasets=entries.datasets(),
        backbones=entries.backbones(),


use rule learning_table as transfer_table with:
    """Table 2: fit and choose on one data set, test on another."""
    input:
        predictions=targets.transfer_predictions(),
        choices=targets.transfer_choices(),
        published="workflow/resources/published/transfer.csv",
        code=table_code("transfer"),
    output:
        metrics="results/tables/transfer_metrics.csv",
        csv="results/tables/transfer.csv",
        latex="results/tables/transfer.tex",
        markdown="results/tables/transfer.md",
        html=page("transfer", "Table 2. Transfer to another data set"),
    log:
        "results/logs/transfer_table.log",
    benchmark:
        "results/benchmarks/transfer_table.tsv"
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        pairs=targets.transfers,
        datasets=entries.datasets(),
        backbones=entries.backbones(),
        settings=entries.effort(),


use rule learning_table as largest_errors_table with:
    """The test frames that each fit gets most wrong, by number."""
    input:
        predictions=targets.all_fits("predictions"),
        choices=targets.all_fits("choices"),
        code=table_code("largest_errors"),
    output:
        csv="results/tables/largest_errors.csv",
        markdown="results/tables/largest_errors.md",
        html=page("largest_errors", "Largest errors, by frame"),
    log:
        "results/logs/largest_errors_table.log",
    benchmark:
        "results/benchmarks/largest_errors_table.tsv"
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        n_frames=CONFIG.tables.largest_errors,


use rule learning_table as calibration_table with:
    """Whether the predicted standard deviations are right, on test frames."""
    input:
        predictions=targets.all_fits("predictions"),
        choices=targets.all_fits("choices"),
        code=table_code("calibration"),
    output:
        calibration="results/tables/calibration.csv",
        reliability="results/tables/reliability.csv",
    log:
        "results/logs/calibration_table.log",
    benchmark:
        "results/benchmarks/calibration_table.tsv"
    resources:
        mem_mb=4000,
        runtime=10,


use rule learning_table as calibration_forces_table with:
    """The same of forces along directions."""
    input:
        slopes=targets.slopes(),
        code=table_code("calibration_forces"),
    output:
        calibration="results/tables/calibration_forces.csv",
        reliability="results/tables/reliability_forces.csv",
    log:
        "results/logs/calibration_forces_table.log",
    benchmark:
        "results/benchmarks/calibration_forces_table.tsv"


use rule learning_table as ablation_table with:
    """All ablations, over seeds."""
    input:
        errors=collect(
            "results/ablation/{dataset}/{backbone}.csv",
            dataset=targets.ablated,
            backbone=STUDY.backbones,
        ),
        code=table_code("ablation"),
    output:
        csv="results/tables/ablation.csv",
        latex="results/tables/ablation.tex",
        markdown="results/tables/ablation.md",
        html=page("ablation", "Ablations"),
    log:
        "results/logs/ablation_table.log",
    benchmark:
        "results/benchmarks/ablation_table.tsv"
    params:
        split=CONFIG.ablation.split,
        datasets=entries.datasets(),
        backbones=entries.backbones(),


use rule learning_table as ablation_sparse_table with:
    """The same of sparse models."""
    input:
        errors=collect(
            "results/ablation/{dataset}/{backbone}/sparse.csv",
            dataset=targets.ablated_sparse,
            backbone=targets.sparse_backbones,
        ),
        code=table_code("ablation_sparse"),
    output:
        csv="results/tables/ablation_sparse.csv",
        latex="results/tables/ablation_sparse.tex",
        markdown="results/tables/ablation_sparse.md",
        html=page("ablation_sparse", "Ablations of sparse models"),
    log:
        "results/logs/ablation_sparse_table.log",
    benchmark:
        "results/benchmarks/ablation_sparse_table.tsv"
    params:
        split=CONFIG.ablation.split,
        datasets=entries.datasets(),
        backbones=entries.backbones(),


use rule learning_table as clusters_table with:
    """How well the two clusters of each stretch match the event."""
    input:
        scores=collect(
            "results/stretches/{dataset}/{backbone}.scores.csv",
            dataset=targets.eventful,
            backbone=STUDY.backbones,
        ),
        code=table_code("clusters"),
    output:
        csv="results/tables/clusters.csv",
        latex="results/tables/clusters.tex",
        markdown="results/tables/clusters.md",
        html=page("clusters", "Clusters along the reaction against the event"),
    log:
        "results/logs/clusters_table.log",
    benchmark:
        "results/benchmarks/clusters_table.tsv"
    params:
        datasets=entries.datasets(),
        backbones=entries.backbones(),


use rule learning_table as timing_table with:
    """Training and prediction time of every method, beside its test error."""
    input:
        benchmarks=[benchmark.path for benchmark in targets.benchmarks()],
        metrics="results/tables/metrics.csv",
        predictions=targets.costs(),
        code=table_code("timing"),
    output:
        csv="results/tables/timing.csv",
        latex="results/tables/timing.tex",
        markdown="results/tables/timing.md",
        html=page("timing", "Cost of training and prediction"),
    log:
        "results/logs/timing_table.log",
    benchmark:
        "results/benchmarks/timing_table.tsv"
    params:
        jobs=[benchmark.job for benchmark in targets.benchmarks()],
        datasets=entries.datasets(),
        backbones=entries.backbones(),
        names=entries.names(),


use rule learning_table as data_checks_table with:
    """What the data sets and their splits are like."""
    input:
        checks=collect("results/data/{dataset}/checks.csv", dataset=STUDY.datasets),
        code=table_code("data_checks"),
    output:
        markdown="results/tables/data_checks.md",
        html=page("data_checks", "Data sets and their splits"),
    log:
        "results/logs/data_checks_table.log",
    benchmark:
        "results/benchmarks/data_checks_table.tsv"
    params:
        datasets=entries.datasets(),


use rule learning_table as dynamics_table with:
    """The dynamics behind the surrogates of the study, run by run."""
    input:
        summaries=collect("results/data/{dataset}/dynamics-by-run.csv", dataset=targets.surrogates),
        code=table_code("dynamics"),
    output:
        csv="results/tables/dynamics.csv",
        markdown="results/tables/dynamics.md",
        html=page("dynamics", "Dynamics behind the surrogates", "3 Data"),
    log:
        "results/logs/dynamics_table.log",
    benchmark:
        "results/benchmarks/dynamics_table.tsv"


use rule learning_table as molecular_dynamics_table with:
    """Dynamics with what was fitted to surrogates, against those of the true potential."""
    input:
        logs=targets.all_molecular_dynamics("log"),
        errors=targets.all_molecular_dynamics("errors"),
        bonds=targets.all_molecular_dynamics("bonds"),
        code=table_code("molecular_dynamics"),
    output:
        csv="results/tables/molecular_dynamics.csv",
        latex="results/tables/molecular_dynamics.tex",
        markdown="results/tables/molecular_dynamics.md",
        html=page("molecular_dynamics", "Molecular dynamics with the fitted methods"),
    log:
        "results/logs/molecular_dynamics_table.log",
    benchmark:
        "results/benchmarks/molecular_dynamics_table.tsv"
    params:
        tolerance=CONFIG.molecular_dynamics.tolerance,
        datasets=entries.datasets(),
        backbones=entries.backbones(),


use rule learning_table as provenance_table with:
    """What the numbers were made with: written anew whenever they are."""
    input:
        metrics=["results/tables/metrics.csv"] if targets.datasets else [],
        features=collect(
            "results/features/{dataset}/{backbone}.safetensors",
            dataset=targets.datasets,
            backbone=STUDY.backbones,
        ),
        frames=collect("results/data/{dataset}/frames.extxyz", dataset=STUDY.datasets),
        code=table_code("provenance"),
    output:
        csv="results/tables/provenance.csv",
        markdown="results/tables/provenance.md",
        html=page("provenance", "Versions, hardware and checksums", "4 Provenance"),
    log:
        "results/logs/provenance_table.log",
    benchmark:
        "results/benchmarks/provenance_table.tsv"
    params:
        study=STUDY.given(),
        datasets=entries.datasets(),


use rule learning_table as site_table with:
    """What README and the site take from the study (`make numbers`)."""
    input:
        same_dataset="results/tables/same_dataset.csv",
        transfer="results/tables/transfer.csv",
        verdict="results/tables/verdict.csv",
        clusters=targets.clusters("results/tables/clusters"),
        provenance="results/tables/provenance.csv",
        code=table_code("site"),
    output:
        record="results/site/default_study.yaml",
        tables=targets.site_tables("results/site/default_study"),
        verdict=multiext("results/site/default_study.verdict", ".csv", ".md"),
        clusters=targets.clusters("results/site/default_study.clusters"),
    log:
        "results/logs/site_table.log",
    benchmark:
        "results/benchmarks/site_table.tsv"
    params:
        datasets=entries.datasets(),
        pairs=targets.transfers,
        backbones=entries.backbones(),
        command="make figures",
        benchmarks="results/benchmarks",


rule tables:
    """All tables of the study."""
    input:
        targets.tables(),
