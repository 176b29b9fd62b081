"""Tidy tables to figures; a figure rule only draws.

in:   results/fits/…, results/tables/metrics.csv, results/stretches/…
out:  results/figures/*.{svg,pdf,png}
"""


rule fig_alpha_sweep:
    """Figure 2: validation error against α."""
    input:
        sweeps=collect(study_sweeps(), dataset=STUDY["datasets"], backbone=STUDY["backbones"]),
        code=code("plots/alpha_sweep.py", "plots/style.py"),
    output:
        report(
            "results/figures/alpha_sweep.svg",
            caption="../report/alpha_sweep.rst",
            category="2 Figures",
            labels={"figure": "Validation error against α"},
        ),
        figure_files("results/figures/alpha_sweep"),
    log:
        "results/logs/fig_alpha_sweep.log",
    benchmark:
        "results/benchmarks/fig_alpha_sweep.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        datasets=study_datasets(),
    script:
        "../scripts/fig_alpha_sweep.py"


rule fig_errors:
    """Test error of every method, seed by seed."""
    input:
        metrics="results/tables/metrics.csv",
        code=code("plots/errors.py", "plots/style.py"),
    output:
        report(
            "results/figures/errors.svg",
            caption="../report/errors.rst",
            category="2 Figures",
            labels={"figure": "Test error by method and seed"},
        ),
        figure_files("results/figures/errors"),
    log:
        "results/logs/fig_errors.log",
    benchmark:
        "results/benchmarks/fig_errors.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        datasets=study_datasets(),
    script:
        "../scripts/fig_errors.py"


rule fig_heatmap:
    """Figure 3: K_0 and K_1 along a stretch of one trajectory."""
    input:
        kernels="results/stretches/{dataset}/{backbone}.safetensors",
        series="results/stretches/{dataset}/{backbone}.csv",
        code=code("plots/heatmap.py", "plots/style.py"),
    output:
        report(
            "results/figures/{dataset}/heatmap-{backbone}.svg",
            caption="../report/heatmap.rst",
            category="2 Figures",
            labels={
                "figure": "Kernel along a trajectory",
                "data set": "{dataset}",
                "backbone": "{backbone}",
            },
        ),
        figure_files("results/figures/{dataset}/heatmap-{backbone}"),
    log:
        "results/logs/fig_heatmap/{dataset}/{backbone}.log",
    benchmark:
        "results/benchmarks/fig_heatmap/{dataset}/{backbone}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        dataset=dataset_entry,
    script:
        "../scripts/fig_heatmap.py"


rule fig_parity:
    """Predicted against reference energy of the test frames."""
    input:
        predictions=study_fits("predictions"),
        choices=study_fits("choices"),
        code=code("plots/parity.py", "plots/style.py"),
    output:
        report(
            "results/figures/{dataset}/parity.svg",
            caption="../report/parity.rst",
            category="2 Figures",
            labels={"figure": "Parity", "data set": "{dataset}"},
        ),
        figure_files("results/figures/{dataset}/parity"),
    log:
        "results/logs/fig_parity/{dataset}.log",
    benchmark:
        "results/benchmarks/fig_parity/{dataset}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=5,
    params:
        datasets=study_datasets(),
    script:
        "../scripts/fig_parity.py"


rule fig_leaks:
    """How close test frames are to training frames."""
    input:
        leaks=collect("results/data/{dataset}/leaks.csv", dataset=STUDY["datasets"]),
        code=code("plots/leaks.py", "plots/style.py"),
    output:
        report(
            "results/figures/leaks.svg",
            caption="../report/leaks.rst",
            category="2 Figures",
            labels={"figure": "Leaks between training and test frames"},
        ),
        figure_files("results/figures/leaks"),
    log:
        "results/logs/fig_leaks.log",
    benchmark:
        "results/benchmarks/fig_leaks.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        datasets=study_datasets(),
    script:
        "../scripts/fig_leaks.py"


rule fig_calibration:
    """Reliability of predicted standard deviations."""
    input:
        calibration="results/tables/calibration.csv",
        reliability="results/tables/reliability.csv",
        code=code("plots/calibration.py", "plots/style.py"),
    output:
        report(
            "results/figures/calibration.svg",
            caption="../report/calibration.rst",
            category="2 Figures",
            labels={"figure": "Calibration of standard deviations"},
        ),
        figure_files("results/figures/calibration"),
    log:
        "results/logs/fig_calibration.log",
    benchmark:
        "results/benchmarks/fig_calibration.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        datasets=study_datasets(),
    script:
        "../scripts/fig_calibration.py"


rule figures:
    """All figures of the study."""
    input:
        "results/figures/leaks.svg",
        collect("results/figures/{dataset}/dynamics.svg", dataset=STUDY_SURROGATES),
        "results/figures/alpha_sweep.svg",
        "results/figures/errors.svg",
        collect(
            "results/figures/{dataset}/history.svg",
            dataset=STUDY["datasets"] if STUDY["networks"] else [],
        ),
        "results/figures/calibration.svg",
        ["results/figures/learning.svg"] if config["learning"]["n_train"] else [],
        "results/figures/cost.svg",
        collect("results/figures/{dataset}/parity.svg", dataset=STUDY["datasets"]),
        collect(
            "results/figures/{dataset}/heatmap-{backbone}.svg",
            dataset=STUDY["datasets"],
            backbone=STUDY["backbones"],
        ),
