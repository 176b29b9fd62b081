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
        split=heatmap_split,
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
        stretch=stretch_entry,
        lengthscale=config["kernels"]["lengthscale"],
        heatmap=config["heatmap"],
    script:
        "../scripts/stretch.py"


rule clusters_table:
    """How well the two clusters of each stretch match the event."""
    input:
        scores=collect(
            "results/stretches/{dataset}/{backbone}.scores.csv",
            dataset=EVENTFUL,
            backbone=STUDY["backbones"],
        ),
        code=code("clusters_table"),
    output:
        csv="results/tables/clusters.csv",
        latex="results/tables/clusters.tex",
        markdown="results/tables/clusters.md",
        html=report(
            "results/tables/clusters.html",
            caption="../report/clusters.rst",
            category="1 Tables",
            labels={"table": "Clusters along the reaction against the event"},
        ),
    log:
        "results/logs/clusters_table.log",
    benchmark:
        "results/benchmarks/clusters_table.tsv"
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
        "../scripts/clusters_table.py"


rule spectrum:
    """Eigenvalues of the training kernel, and all frames along its principal components."""
    input:
        kernels=of_heatmap_split("results/kernels/{dataset}/{split}/{backbone}.safetensors"),
        choices=of_heatmap_split("results/fits/{dataset}/{split}/{backbone}/mekrr.choices.csv"),
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
        mem_mb=fit_memory,
        runtime=fit_minutes,
    script:
        "../scripts/spectrum.py"


rule reaction_errors:
    """Test errors in steps of the collective variable."""
    input:
        predictions=study_fits("predictions"),
        choices=study_fits("choices"),
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
