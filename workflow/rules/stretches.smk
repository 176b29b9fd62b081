"""What kernels tell about a reaction: clusters of a stretch of a trajectory, the spectrum and
the principal components of the training kernel, errors along the collective variable.

in:   results/features/…, results/kernels/…, results/fits/…, the collective variables
out:  results/stretches/{dataset}/{backbone}.*   kernels, clusters and scores of the stretch
      results/tables/clusters.*                  how well clusters match the event
      results/spectra/{dataset}/{backbone}.*     eigenvalues, λT, principal components
      results/reaction/{dataset}.csv             test errors along the collective variable
"""


rule stretch:
    """Kernels of all layers between the frames of one stretch of a trajectory, their
    clusters, and how well these match the event."""
    input:
        features="results/features/{dataset}/{backbone}.safetensors",
        table="results/data/{dataset}/frames.csv",
        variables="results/data/{dataset}/variables.csv",
        split=targets.heatmap_split("results/data/{dataset}/splits/{split}.csv"),
        code=code("stretch"),
    output:
        kernels="results/stretches/{dataset}/{backbone}.safetensors",
        series="results/stretches/{dataset}/{backbone}.csv",
        clusters="results/stretches/{dataset}/{backbone}.clusters.csv",
        scores="results/stretches/{dataset}/{backbone}.scores.csv",
    log:
        "results/logs/stretch/{dataset}/{backbone}.log",
    benchmark:
        "results/benchmarks/stretch/{dataset}/{backbone}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        stretch=entries.stretch,
        kernels=CONFIG.kernels.given("atom", "lengthscale"),
        seed=CONFIG.heatmap.seed,
    script:
        "../scripts/stretch.py"


rule spectrum:
    """Eigenvalues of the training kernel, and all frames along its principal components."""
    input:
        kernels=targets.heatmap_split("results/kernels/{dataset}/{split}/{backbone}.safetensors"),
        choices=targets.heatmap_split("results/fits/{dataset}/{split}/{backbone}/mekrr.choices.csv"),
        code=code("spectrum"),
    output:
        eigenvalues="results/spectra/{dataset}/{backbone}.eigenvalues.csv",
        noise="results/spectra/{dataset}/{backbone}.noise.csv",
        components="results/spectra/{dataset}/{backbone}.components.csv",
    log:
        "results/logs/spectrum/{dataset}/{backbone}.log",
    benchmark:
        "results/benchmarks/spectrum/{dataset}/{backbone}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=resources.fit_memory,
        runtime=resources.fit_minutes,
    script:
        "../scripts/spectrum.py"


rule reaction_errors:
    """Test errors in steps of the collective variable."""
    input:
        predictions=targets.fits("predictions"),
        choices=targets.fits("choices"),
        variables="results/data/{dataset}/variables.csv",
        code=code("reaction_errors"),
    output:
        errors="results/reaction/{dataset}.csv",
    log:
        "results/logs/reaction_errors/{dataset}.log",
    benchmark:
        "results/benchmarks/reaction_errors/{dataset}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        variable=lookup(within=config, dpath="datasets/{dataset}/collective_variables/0"),
    script:
        "../scripts/reaction_errors.py"
