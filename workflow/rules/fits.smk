"""Everything on a data set to fitted predictions, one job per kind of model, split and seed.

α, λ and the layer are chosen on validation frames inside the job. All these rules run one
script; a kind of model knows how it is fitted (`mekrr.study.experiments.kinds`).

in:   results/kernels/…, results/features/…, results/directions/…, results/data/{dataset}/frames.extxyz
out:  results/fits/{dataset}/{strategy}-{seed}/{backbone}/{mekrr,baselines}.*.csv
      results/fits/{dataset}/{strategy}-{seed}/{backbone}/sparse.*.csv
      results/fits/{dataset}/{strategy}-{seed}/{backbone}/franken.*
      results/fits/{dataset}/{strategy}-{seed}/training-mean/*.csv
      results/fits/{dataset}/{strategy}-{seed}/{gap}/*.csv, model.tar.gz
"""


rule fit_mean:
    """The mean training energy per atom: what a method must beat to be of any use."""
    input:
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=kind_code("fit", "constant"),
    output:
        predictions="results/fits/{dataset}/{strategy}-{seed}/training-mean/predictions.csv",
        choices="results/fits/{dataset}/{strategy}-{seed}/training-mean/choices.csv",
    log:
        "results/logs/fit_mean/{dataset}/{strategy}-{seed}.log",
    benchmark:
        "results/benchmarks/fit_mean/{dataset}/{strategy}-{seed}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        kind="constant",
        methods=entries.recipes("constants"),
        reference_energy=entries.reference_energy,
    script:
        "../scripts/fit.py"


use rule fit_mean as fit_baselines with:
    """Ridge regression on mean features (the linear kernel), and the untouched network."""
    input:
        features="results/features/{dataset}/{backbone}.safetensors",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=kind_code("fit", "kernel"),
    output:
        predictions="results/fits/{dataset}/{strategy}-{seed}/{backbone}/baselines.predictions.csv",
        choices="results/fits/{dataset}/{strategy}-{seed}/{backbone}/baselines.choices.csv",
    log:
        "results/logs/fit_baselines/{dataset}/{strategy}-{seed}/{backbone}.log",
    benchmark:
        "results/benchmarks/fit_baselines/{dataset}/{strategy}-{seed}/{backbone}.tsv"
    resources:
        mem_mb=resources.baselines_memory,
        runtime=resources.fit_minutes,
    params:
        kind="kernel",
        methods=entries.recipes("baselines"),
        layers=entries.layers,
        grid=CONFIG.grid.given(),
        reference_energy=entries.reference_energy,


use rule fit_baselines as fit_mekrr with:
    """MEKRR (α = 0), MEKRR-α (α tuned) and their extensions on every layer: chosen by
    leave-one-out, α per species, and on what the network's own energy leaves."""
    input:
        kernels="results/kernels/{dataset}/{strategy}-{seed}/{backbone}.safetensors",
        features="results/features/{dataset}/{backbone}.safetensors",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=kind_code("fit", "kernel"),
    output:
        predictions="results/fits/{dataset}/{strategy}-{seed}/{backbone}/mekrr.predictions.csv",
        choices="results/fits/{dataset}/{strategy}-{seed}/{backbone}/mekrr.choices.csv",
        sweep="results/fits/{dataset}/{strategy}-{seed}/{backbone}/mekrr.sweep.csv",
    log:
        "results/logs/fit_mekrr/{dataset}/{strategy}-{seed}/{backbone}.log",
    benchmark:
        "results/benchmarks/fit_mekrr/{dataset}/{strategy}-{seed}/{backbone}.tsv"
    threads: resources.fit_threads
    resources:
        mem_mb=resources.fit_memory,
        runtime=resources.fit_minutes,
    params:
        kind="kernel",
        methods=entries.recipes("mekrr"),
        layers=entries.layers,
        grid=CONFIG.grid.given(),
        reference_energy=entries.reference_energy,


use rule fit_mean as fit_sparse with:
    """Sparse models, learnt from energies alone, and from energies and forces along directions;
    with the network's own energy, and without."""
    input:
        features="results/features/{dataset}/{backbone}.safetensors",
        directions="results/directions/{dataset}/{backbone}.safetensors",
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=kind_code("fit", "sparse"),
    output:
        predictions="results/fits/{dataset}/{strategy}-{seed}/{backbone}/sparse.predictions.csv",
        choices="results/fits/{dataset}/{strategy}-{seed}/{backbone}/sparse.choices.csv",
        sweep="results/fits/{dataset}/{strategy}-{seed}/{backbone}/sparse.sweep.csv",
        costs="results/fits/{dataset}/{strategy}-{seed}/{backbone}/sparse.costs.csv",
    log:
        "results/logs/fit_sparse/{dataset}/{strategy}-{seed}/{backbone}.log",
    benchmark:
        "results/benchmarks/fit_sparse/{dataset}/{strategy}-{seed}/{backbone}.tsv"
    resources:
        mem_mb=resources.sparse_memory,
        runtime=resources.sparse_minutes,
    params:
        kind="sparse",
        methods=entries.recipes("sparse"),
        sparse=entries.sparse,
        reference_energy=entries.reference_energy,


use rule fit_mean as fit_gap with:
    """A GAP-SOAP potential by gap_fit, of energies or of energies and forces, and its predictions
    on all frames."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=kind_code("fit", "potential"),
    output:
        predictions="results/fits/{dataset}/{strategy}-{seed}/{gap}/predictions.csv",
        choices="results/fits/{dataset}/{strategy}-{seed}/{gap}/choices.csv",
        costs="results/fits/{dataset}/{strategy}-{seed}/{gap}/costs.csv",
        model="results/fits/{dataset}/{strategy}-{seed}/{gap}/model.tar.gz",
    log:
        job="results/logs/fit_gap/{dataset}/{strategy}-{seed}/{gap}.log",
        gap_fit="results/logs/fit_gap/{dataset}/{strategy}-{seed}/{gap}.gap_fit.log",
    benchmark:
        "results/benchmarks/fit_gap/{dataset}/{strategy}-{seed}/{gap}.tsv"
    threads: 1  # the wheels of quippy-ase are built without OpenMP
    resources:
        mem_mb=resources.gap_fit_memory,
        runtime=resources.gap_fit_minutes,
    params:
        kind="potential",
        methods=gap_recipes,
        settings=entries.gap,
        reference_energy=entries.reference_energy,


use rule fit_mean as fit_franken with:
    """franken, on all components of forces, and its predictions on all frames."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=kind_code("fit", "franken"),
    output:
        predictions="results/fits/{dataset}/{strategy}-{seed}/{backbone}/franken.predictions.csv",
        choices="results/fits/{dataset}/{strategy}-{seed}/{backbone}/franken.choices.csv",
        costs="results/fits/{dataset}/{strategy}-{seed}/{backbone}/franken.costs.csv",
        model="results/fits/{dataset}/{strategy}-{seed}/{backbone}/franken.safetensors",
    log:
        job="results/logs/fit_franken/{dataset}/{strategy}-{seed}/{backbone}.log",
        franken="results/logs/fit_franken/{dataset}/{strategy}-{seed}/{backbone}.franken.log",
    benchmark:
        "results/benchmarks/fit_franken/{dataset}/{strategy}-{seed}/{backbone}.tsv"
    conda:
        "../../envs/franken.yaml"
    threads: 1
    resources:
        mem_mb=resources.franken_memory,
        runtime=resources.franken_minutes,
        gpu=1,
    params:
        kind="franken",
        settings=entries.franken,
        reference_energy=entries.reference_energy,


rule fits:
    """All fits of the study."""
    input:
        targets.all_fits("predictions"),
