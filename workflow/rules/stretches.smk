"""What kernels tell about a reaction: clusters of a stretch of a trajectory, the spectrum and
the principal components of the training kernel, errors along the collective variable.

in:   the trajectory, results/features/…, results/kernels/…, results/fits/…, the collective variables
out:  results/stretches/{dataset}/frames.*       every frame of the stretch
      results/stretches/{dataset}/{backbone}.*   kernels, clusters and scores of the stretch
      results/tables/clusters.*                  how well clusters match the event
      results/spectra/{dataset}/{backbone}.*     eigenvalues, λT, principal components
      results/reaction/{dataset}.csv             test errors along the collective variable
"""


rule stretch_frames:
    """Every frame of one stretch of a trajectory, also those that the study leaves out."""
    input:
        trajectories=targets.dataset_files,
        code=code("stretch_frames"),
    output:
        frames="results/stretches/{dataset}/frames.extxyz",
        table="results/stretches/{dataset}/frames.csv",
    log:
        "results/logs/stretch_frames/{dataset}.log",
    benchmark:
        "results/benchmarks/stretch_frames/{dataset}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=resources.frames_memory,
        runtime=resources.frames_minutes,
    params:
        files=entries.files,
        dataset=entries.expected,
        reading=entries.reading,
        variables=entries.variables,
        stretch=entries.stretch,
    script:
        "../scripts/stretch_frames.py"


use rule extract_features as stretch_features with:
    """Their features."""
    input:
        frames="results/stretches/{dataset}/frames.extxyz",
        table="results/stretches/{dataset}/frames.csv",
        whole="results/data/{dataset}/frames.csv",
        weights=targets.backbone_weights,
        code=adapter_code("extract_features"),
    output:
        shard=temp("results/stretches/{dataset}/{backbone}.features.safetensors"),
    log:
        "results/logs/stretch_features/{dataset}/{backbone}.log",
    benchmark:
        "results/benchmarks/stretch_features/{dataset}/{backbone}.tsv"
    resources:
        mem_mb=resources.features_memory,
        runtime=resources.features_minutes,
        gpu=1,


rule stretch:
    """Kernels of all layers between the frames of one stretch of a trajectory, their
    clusters, and how well these match the event."""
    input:
        table="results/stretches/{dataset}/frames.csv",
        features="results/stretches/{dataset}/{backbone}.features.safetensors",
        fitted="results/features/{dataset}/{backbone}.safetensors",
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
