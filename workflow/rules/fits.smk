"""Everything on a data set to fitted predictions, one job per kind of model, split and seed.

α, λ and the layer are chosen on validation frames inside the job. All these rules run one
script; a kind of model knows how it is fitted (`mekrr.study.experiments.kinds`).

in:   results/kernels/…, results/features/…, results/data/{dataset}/frames.extxyz
out:  results/fits/{dataset}/{strategy}-{seed}/{backbone}/{mekrr,baselines}.*.csv
      results/fits/{dataset}/{strategy}-{seed}/training-mean/*.csv
      results/fits/{dataset}/{strategy}-{seed}/gap-soap/*.csv, model.tar.gz
      results/tables/calibration.csv, reliability.csv
"""


rule fit_mean:
    """The mean training energy per atom: what a method must beat to be of any use."""
    input:
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=code("fit", "constant"),
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
        reference_energy=reference_energy,
    script:
        "../scripts/fit.py"


use rule fit_mean as fit_baselines with:
    """Ridge regression on mean features (the linear kernel), and the untouched network."""
    input:
        features="results/features/{dataset}/{backbone}.safetensors",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=code("fit", "kernel"),
    output:
        predictions="results/fits/{dataset}/{strategy}-{seed}/{backbone}/baselines.predictions.csv",
        choices="results/fits/{dataset}/{strategy}-{seed}/{backbone}/baselines.choices.csv",
    log:
        "results/logs/fit_baselines/{dataset}/{strategy}-{seed}/{backbone}.log",
    benchmark:
        "results/benchmarks/fit_baselines/{dataset}/{strategy}-{seed}/{backbone}.tsv"
    resources:
        mem_mb=baselines_memory,
        runtime=fit_minutes,
    params:
        kind="kernel",
        methods=BASELINES,
        layers=backbone_layers,
        grid=config["grid"],
        reference_energy=reference_energy,


use rule fit_baselines as fit_mekrr with:
    """MEKRR (α = 0), MEKRR-α (α tuned) and their extensions on every layer: chosen by
    leave-one-out, α per species, and on what the network's own energy leaves."""
    input:
        kernels="results/kernels/{dataset}/{strategy}-{seed}/{backbone}.safetensors",
        features="results/features/{dataset}/{backbone}.safetensors",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=code("fit", "kernel"),
    output:
        predictions="results/fits/{dataset}/{strategy}-{seed}/{backbone}/mekrr.predictions.csv",
        choices="results/fits/{dataset}/{strategy}-{seed}/{backbone}/mekrr.choices.csv",
        sweep="results/fits/{dataset}/{strategy}-{seed}/{backbone}/mekrr.sweep.csv",
    log:
        "results/logs/fit_mekrr/{dataset}/{strategy}-{seed}/{backbone}.log",
    benchmark:
        "results/benchmarks/fit_mekrr/{dataset}/{strategy}-{seed}/{backbone}.tsv"
    threads: fit_threads
    resources:
        mem_mb=fit_memory,
        runtime=fit_minutes,
    params:
        kind="kernel",
        methods=ON_KERNELS,
        layers=[],
        grid=config["grid"],
        reference_energy=reference_energy,


use rule fit_mean as fit_gap with:
    """A GAP-SOAP potential by gap_fit, and its predictions on all frames."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=code("fit", "potential"),
    output:
        predictions="results/fits/{dataset}/{strategy}-{seed}/gap-soap/predictions.csv",
        choices="results/fits/{dataset}/{strategy}-{seed}/gap-soap/choices.csv",
        costs="results/fits/{dataset}/{strategy}-{seed}/gap-soap/costs.csv",
        model="results/fits/{dataset}/{strategy}-{seed}/gap-soap/model.tar.gz",
    log:
        job="results/logs/fit_gap/{dataset}/{strategy}-{seed}.log",
        gap_fit="results/logs/fit_gap/{dataset}/{strategy}-{seed}.gap_fit.log",
    benchmark:
        "results/benchmarks/fit_gap/{dataset}/{strategy}-{seed}.tsv"
    threads: 1  # the wheels of quippy-ase are built without OpenMP
    resources:
        mem_mb=gap_memory,
        runtime=gap_minutes,
    params:
        kind="potential",
        settings=config["gap"],
        reference_energy=reference_energy,


rule calibration_table:
    """Whether the predicted standard deviations are right, on test frames."""
    input:
        predictions=collect(study_fits("predictions"), dataset=STUDY["datasets"]),
        choices=collect(study_fits("choices"), dataset=STUDY["datasets"]),
        code=code("calibration_table"),
    output:
        calibration="results/tables/calibration.csv",
        reliability="results/tables/reliability.csv",
    log:
        "results/logs/calibration_table.log",
    benchmark:
        "results/benchmarks/calibration_table.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=10,
    script:
        "../scripts/calibration_table.py"


rule fits:
    """All fits of the study."""
    input:
        collect(study_fits("predictions"), dataset=STUDY["datasets"]),
