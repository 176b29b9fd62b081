"""Tidy tables to figures; a figure rule only draws.

in:   results/fits/…, results/tables/…, results/stretches/…, results/spectra/…
out:  results/figures/*.{svg,pdf,png}
"""


rule fig_method:
    """Figure 1: from frames to energies, drawn from a frame and kernels of the study."""
    input:
        frames="results/data/{}/frames.extxyz".format(METHOD_DATASET),
        table="results/data/{}/frames.csv".format(METHOD_DATASET),
        kernels="results/stretches/{}/{}.safetensors".format(METHOD_DATASET, STUDY["backbones"][0]),
        code=code("fig_method"),
    output:
        report(
            "results/figures/method.svg",
            caption="../report/method.rst",
            category="2 Figures",
            labels=figure_labels("Figure 1: the method"),
        ),
        figure_files("results/figures/method"),
    log:
        "results/logs/fig_method.log",
    benchmark:
        "results/benchmarks/fig_method.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        layer=config["backbones"][STUDY["backbones"][0]]["heatmap_layer"],
    script:
        "../scripts/fig_method.py"


rule fig_alpha_sweep:
    """Figure 2: validation error against α."""
    input:
        sweeps=collect(study_sweeps(), dataset=STUDY["datasets"], backbone=STUDY["backbones"]),
        code=code("fig_alpha_sweep"),
    output:
        report(
            "results/figures/alpha_sweep.svg",
            caption="../report/alpha_sweep.rst",
            category="2 Figures",
            labels=figure_labels("Figure 2: validation error against α"),
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
        backbones=study_backbones(),
    script:
        "../scripts/fig_alpha_sweep.py"


rule fig_heatmap:
    """Kernels along a stretch of one trajectory. Figure 3: K_0 and K_1; Figure 4: the same
    for all layers of the backbone; and every species' share of K_1. One job, which spends
    as long on its start as on a figure."""
    input:
        kernels="results/stretches/{dataset}/{backbone}.safetensors",
        series="results/stretches/{dataset}/{backbone}.csv",
        clusters="results/stretches/{dataset}/{backbone}.clusters.csv",
        scores="results/stretches/{dataset}/{backbone}.scores.csv",
        code=code("fig_heatmap"),
    output:
        heatmap=[
            report(
                "results/figures/{dataset}/heatmap-{backbone}.svg",
                caption="../report/heatmap.rst",
                category="2 Figures",
                labels=figure_labels("Figure 3: kernels along the reaction"),
            ),
            *figure_files("results/figures/{dataset}/heatmap-{backbone}"),
        ],
        layers=[
            report(
                "results/figures/{dataset}/layers-{backbone}.svg",
                caption="../report/layers.rst",
                category="2 Figures",
                labels=figure_labels("Figure 4: kernels along the reaction, by layer"),
            ),
            *figure_files("results/figures/{dataset}/layers-{backbone}"),
        ],
        contributions=[
            report(
                "results/figures/{dataset}/contributions-{backbone}.svg",
                caption="../report/contributions.rst",
                category="2 Figures",
                labels=figure_labels("Kernels along the reaction, by species"),
            ),
            *figure_files("results/figures/{dataset}/contributions-{backbone}"),
        ],
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
        dataset=drawn_entry,
        backbone=backbone_title,
        layer=lookup(within=config, dpath="backbones/{backbone}/heatmap_layer"),
    script:
        "../scripts/fig_heatmap.py"


rule fig_kernel_pca:
    """All frames along the principal components of the kernel."""
    input:
        components=collect(
            "results/spectra/{{dataset}}/{backbone}.components.csv", backbone=STUDY["backbones"]
        ),
        table="results/data/{dataset}/frames.csv",
        variables="results/data/{dataset}/variables.csv",
        code=code("fig_kernel_pca"),
    output:
        report(
            "results/figures/{dataset}/kernel_pca.svg",
            caption="../report/kernel_pca.rst",
            category="2 Figures",
            labels=figure_labels("Kernel principal components"),
        ),
        figure_files("results/figures/{dataset}/kernel_pca"),
    log:
        "results/logs/fig_kernel_pca/{dataset}.log",
    benchmark:
        "results/benchmarks/fig_kernel_pca/{dataset}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        datasets=study_datasets(),
        backbones=study_backbones(),
    script:
        "../scripts/fig_kernel_pca.py"


rule fig_spectrum:
    """Eigenvalues of the training kernel beside λT."""
    input:
        eigenvalues=collect(
            "results/spectra/{dataset}/{backbone}.eigenvalues.csv",
            dataset=STUDY["datasets"],
            backbone=STUDY["backbones"],
        ),
        noise=collect(
            "results/spectra/{dataset}/{backbone}.noise.csv",
            dataset=STUDY["datasets"],
            backbone=STUDY["backbones"],
        ),
        code=code("fig_spectrum"),
    output:
        report(
            "results/figures/spectrum.svg",
            caption="../report/spectrum.rst",
            category="2 Figures",
            labels=figure_labels("Spectrum of the kernel"),
        ),
        figure_files("results/figures/spectrum"),
    log:
        "results/logs/fig_spectrum.log",
    benchmark:
        "results/benchmarks/fig_spectrum.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        datasets=study_datasets(),
        backbones=study_backbones(),
    script:
        "../scripts/fig_spectrum.py"


rule fig_reaction:
    """Test error along the reaction coordinate."""
    input:
        errors="results/reaction/{dataset}.csv",
        code=code("fig_reaction"),
    output:
        report(
            "results/figures/{dataset}/reaction_errors.svg",
            caption="../report/reaction_errors.rst",
            category="2 Figures",
            labels=figure_labels("Test error along the reaction"),
        ),
        figure_files("results/figures/{dataset}/reaction_errors"),
    log:
        "results/logs/fig_reaction/{dataset}.log",
    benchmark:
        "results/benchmarks/fig_reaction/{dataset}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        datasets=study_datasets(),
        backbones=study_backbones(),
    script:
        "../scripts/fig_reaction.py"


rule fig_errors:
    """Test error of every method, seed by seed."""
    input:
        metrics="results/tables/metrics.csv",
        code=code("fig_errors"),
    output:
        report(
            "results/figures/errors.svg",
            caption="../report/errors.rst",
            category="2 Figures",
            labels=figure_labels("Test error by method and seed"),
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
        backbones=study_backbones(),
    script:
        "../scripts/fig_errors.py"


rule fig_parity:
    """Predicted against reference energy of the test frames, and the residuals."""
    input:
        predictions=study_fits("predictions"),
        choices=study_fits("choices"),
        code=code("fig_parity"),
    output:
        report(
            "results/figures/{dataset}/parity.svg",
            caption="../report/parity.rst",
            category="2 Figures",
            labels=figure_labels("Parity and residuals"),
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
        backbones=study_backbones(),
    script:
        "../scripts/fig_parity.py"


rule fig_leaks:
    """How close test frames are to training frames."""
    input:
        leaks=collect("results/data/{dataset}/leaks.csv", dataset=STUDY["datasets"]),
        code=code("fig_leaks"),
    output:
        report(
            "results/figures/leaks.svg",
            caption="../report/leaks.rst",
            category="2 Figures",
            labels=figure_labels("Leaks between training and test frames"),
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
        code=code("fig_calibration"),
    output:
        report(
            "results/figures/calibration.svg",
            caption="../report/calibration.rst",
            category="2 Figures",
            labels=figure_labels("Calibration of standard deviations"),
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
        backbones=study_backbones(),
    script:
        "../scripts/fig_calibration.py"


rule figures:
    """All figures of the study."""
    input:
        "results/figures/method.svg",
        "results/figures/alpha_sweep.svg",
        collect(
            "results/figures/{dataset}/{kind}-{backbone}.svg",
            dataset=STRETCHED,
            kind=["heatmap", "layers", "contributions"],
            backbone=STUDY["backbones"],
        ),
        collect("results/figures/{dataset}/kernel_pca.svg", dataset=STRETCHED),
        collect("results/figures/{dataset}/parity.svg", dataset=STUDY["datasets"]),
        collect("results/figures/{dataset}/reaction_errors.svg", dataset=WITH_VARIABLE),
        "results/figures/spectrum.svg",
        "results/figures/leaks.svg",
        collect("results/figures/{dataset}/dynamics.svg", dataset=STUDY_SURROGATES),
        "results/figures/errors.svg",
        collect(
            "results/figures/{dataset}/history.svg",
            dataset=STUDY["datasets"] if STUDY["networks"] else [],
        ),
        "results/figures/calibration.svg",
        ["results/figures/learning.svg"] if HAS_LEARNING else [],
        "results/figures/cost.svg",
