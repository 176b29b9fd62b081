"""Tidy tables to figures; a figure rule only draws.

Each is what `mekrr.study.plots` draws under the name of its rule, and inherits from the first
what it does not say itself; its params are those of the first and its own.

in:   results/fits/…, results/tables/…, results/stretches/…, results/spectra/…
out:  results/figures/*.{svg,pdf,png}
"""


rule fig_errors:
    """Test error of every method, seed by seed."""
    input:
        metrics="results/tables/metrics.csv",
        code=plot_code("errors"),
    output:
        figure=figure("errors", "Test error by method and seed"),
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
        datasets=entries.datasets(),
        backbones=entries.backbones(),
    script:
        "../scripts/figure.py"


use rule fig_errors as fig_errors_forces with:
    """The same of forces."""
    input:
        forces=targets.forces(),
        code=plot_code("errors_forces"),
    output:
        figure=figure("errors_forces", "Test error of forces by method and seed"),
    log:
        "results/logs/fig_errors_forces.log",
    benchmark:
        "results/benchmarks/fig_errors_forces.tsv"


use rule fig_errors as fig_method with:
    """Figure 1: from frames to energies, drawn from a frame and kernels of the study."""
    input:
        frames=f"results/data/{targets.of_method}/frames.extxyz",
        table=f"results/data/{targets.of_method}/frames.csv",
        kernels=f"results/stretches/{targets.of_method}/{STUDY.backbones[0]}.safetensors",
        code=plot_code("method"),
    output:
        figure=figure("method", "Figure 1: the method"),
    log:
        "results/logs/fig_method.log",
    benchmark:
        "results/benchmarks/fig_method.tsv"
    params:
        layer=CONFIG.backbones[STUDY.backbones[0]].heatmap_layer,


use rule fig_errors as fig_alpha_sweep with:
    """Figure 2: validation error against α."""
    input:
        sweeps=collect(targets.sweeps(), dataset=targets.datasets, backbone=STUDY.backbones),
        code=plot_code("alpha_sweep"),
    output:
        figure=figure("alpha_sweep", "Figure 2: validation error against α"),
    log:
        "results/logs/fig_alpha_sweep.log",
    benchmark:
        "results/benchmarks/fig_alpha_sweep.tsv"


use rule fig_errors as fig_heatmap with:
    """Kernels along a stretch of one trajectory. Figure 3: K_0 and K_1; Figure 4: the same
    for all layers of the backbone; and every species' share of K_1. One job, which spends
    as long on its start as on a figure."""
    input:
        kernels="results/stretches/{dataset}/{backbone}.safetensors",
        series="results/stretches/{dataset}/{backbone}.csv",
        clusters="results/stretches/{dataset}/{backbone}.clusters.csv",
        scores="results/stretches/{dataset}/{backbone}.scores.csv",
        code=plot_code("heatmap"),
    output:
        heatmap=figure(
            "{dataset}/heatmap-{backbone}", "Figure 3: kernels along the reaction", "heatmap"
        ),
        layers=figure(
            "{dataset}/layers-{backbone}",
            "Figure 4: kernels along the reaction, by layer",
            "layers",
        ),
        contributions=figure(
            "{dataset}/contributions-{backbone}",
            "Kernels along the reaction, by species",
            "contributions",
        ),
    log:
        "results/logs/fig_heatmap/{dataset}/{backbone}.log",
    benchmark:
        "results/benchmarks/fig_heatmap/{dataset}/{backbone}.tsv"
    params:
        layer=lookup(within=config, dpath="backbones/{backbone}/heatmap_layer"),


use rule fig_errors as fig_kernel_pca with:
    """All frames along the principal components of the kernel."""
    input:
        components=collect(
            "results/spectra/{{dataset}}/{backbone}.components.csv", backbone=STUDY.backbones
        ),
        table="results/data/{dataset}/frames.csv",
        variables="results/data/{dataset}/variables.csv",
        code=plot_code("kernel_pca"),
    output:
        figure=figure("{dataset}/kernel_pca", "Kernel principal components"),
    log:
        "results/logs/fig_kernel_pca/{dataset}.log",
    benchmark:
        "results/benchmarks/fig_kernel_pca/{dataset}.tsv"


use rule fig_errors as fig_spectrum with:
    """Eigenvalues of the training kernel beside λT."""
    input:
        eigenvalues=collect(
            "results/spectra/{dataset}/{backbone}.eigenvalues.csv",
            dataset=targets.datasets,
            backbone=STUDY.backbones,
        ),
        noise=collect(
            "results/spectra/{dataset}/{backbone}.noise.csv",
            dataset=targets.datasets,
            backbone=STUDY.backbones,
        ),
        code=plot_code("spectrum"),
    output:
        figure=figure("spectrum", "Spectrum of the kernel"),
    log:
        "results/logs/fig_spectrum.log",
    benchmark:
        "results/benchmarks/fig_spectrum.tsv"


use rule fig_errors as fig_reaction with:
    """Test error along the reaction coordinate."""
    input:
        errors="results/reaction/{dataset}.csv",
        code=plot_code("reaction"),
    output:
        figure=figure("{dataset}/reaction_errors", "Test error along the reaction"),
    log:
        "results/logs/fig_reaction/{dataset}.log",
    benchmark:
        "results/benchmarks/fig_reaction/{dataset}.tsv"


use rule fig_errors as fig_parity with:
    """Predicted against reference energy of the test frames, and the residuals."""
    input:
        predictions=targets.fits("predictions"),
        choices=targets.fits("choices"),
        code=plot_code("parity"),
    output:
        figure=figure("{dataset}/parity", "Parity and residuals"),
    log:
        "results/logs/fig_parity/{dataset}.log",
    benchmark:
        "results/benchmarks/fig_parity/{dataset}.tsv"
    resources:
        mem_mb=2000,
        runtime=5,


use rule fig_errors as fig_leaks with:
    """How close test frames are to training frames."""
    input:
        leaks=collect("results/data/{dataset}/leaks.csv", dataset=STUDY.datasets),
        code=plot_code("leaks"),
    output:
        figure=figure("leaks", "Leaks between training and test frames"),
    log:
        "results/logs/fig_leaks.log",
    benchmark:
        "results/benchmarks/fig_leaks.tsv"


use rule fig_errors as fig_calibration with:
    """Reliability of predicted standard deviations."""
    input:
        calibration="results/tables/calibration.csv",
        reliability="results/tables/reliability.csv",
        code=plot_code("calibration"),
    output:
        figure=figure("calibration", "Calibration of standard deviations"),
    log:
        "results/logs/fig_calibration.log",
    benchmark:
        "results/benchmarks/fig_calibration.tsv"


use rule fig_errors as fig_calibration_forces with:
    """The same of forces."""
    input:
        calibration="results/tables/calibration_forces.csv",
        reliability="results/tables/reliability_forces.csv",
        code=plot_code("calibration_forces"),
    output:
        figure=figure("calibration_forces", "Calibration of standard deviations of forces"),
    log:
        "results/logs/fig_calibration_forces.log",
    benchmark:
        "results/benchmarks/fig_calibration_forces.tsv"


use rule fig_errors as fig_learning with:
    """Test error against the number of training frames, all methods."""
    input:
        table="results/tables/learning.csv",
        code=plot_code("learning"),
    output:
        figure=figure("learning", "Learning curves"),
        forces=figure("learning_forces", "Learning curves of forces"),
    log:
        "results/logs/fig_learning.log",
    benchmark:
        "results/benchmarks/fig_learning.tsv"


use rule fig_errors as fig_history with:
    """Errors by epoch of every training on a data set."""
    input:
        histories=targets.network_tables("history"),
        code=plot_code("history"),
    output:
        figure=figure("{dataset}/history", "Training of the networks"),
    log:
        "results/logs/fig_history/{dataset}.log",
    benchmark:
        "results/benchmarks/fig_history/{dataset}.tsv"


use rule fig_errors as fig_cost with:
    """Test error against the cost of training and of a prediction."""
    input:
        table="results/tables/timing.csv",
        code=plot_code("cost"),
    output:
        figure=figure("cost", "Error against cost"),
    log:
        "results/logs/fig_cost.log",
    benchmark:
        "results/benchmarks/fig_cost.tsv"
    params:
        backbones=entries.backbones_and_starts(),


use rule fig_errors as fig_dynamics with:
    """Bond, temperature, energy and excursions along every run of a surrogate."""
    input:
        facts="results/data/{dataset}/dynamics.csv",
        code=plot_code("dynamics"),
    output:
        figure=figure("{dataset}/dynamics", "Dynamics behind the surrogate"),
    log:
        "results/logs/fig_dynamics/{dataset}.log",
    benchmark:
        "results/benchmarks/fig_dynamics/{dataset}.tsv"
    params:
        recipe=lookup(within=config, dpath="surrogates/{dataset}"),


use rule fig_errors as fig_molecular_dynamics with:
    """Energies along dynamics with what was fitted, bonds, and how far each method got."""
    input:
        unpack(targets.molecular_dynamics),
        code=plot_code("molecular_dynamics"),
    output:
        figure=figure(
            "{dataset}/molecular_dynamics-{ensemble}",
            "Molecular dynamics with the fitted methods",
            "molecular_dynamics_figure",
        ),
    log:
        "results/logs/fig_molecular_dynamics/{dataset}-{ensemble}.log",
    benchmark:
        "results/benchmarks/fig_molecular_dynamics/{dataset}-{ensemble}.tsv"
    params:
        tolerance=CONFIG.molecular_dynamics.tolerance,
        length=CONFIG.molecular_dynamics.length,


rule figures:
    """All figures of the study."""
    input:
        targets.figures(),
