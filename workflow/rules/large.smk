"""Sparse models of large data sets, shard by shard: a map to triangles and a tree that merges these.

Each rule runs a step of `mekrr.study.experiments.large`, and inherits from the first what it does
not say itself. Features and derivatives of shards are kept; what follows is linear algebra.

in:   results/features/{dataset}/{backbone}/{shard}-of-{n}.safetensors, results/directions/…
out:  results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}/settings.safetensors,
      learnt.safetensors, rows/…, merged/…, fits/…, scores/…, models/{method}.safetensors,
      predictions/…, sums/…, errors.csv
      results/code/{script}/{module}.txt, one input of thousands of jobs in place of all modules
"""

from mekrr.study.large_targets import LARGE
from mekrr.study.methods import methods_of
from mekrr.choices import ALL


localrules:
    list_code,


rule list_code:
    """Checksums of the modules that a script imports. A job asks for the list if there are many."""
    input:
        code=listed_code,
    output:
        listing="results/code/{script}/{module}.txt",
    log:
        "results/logs/list_code/{script}/{module}.log",
    benchmark:
        "results/benchmarks/list_code/{script}/{module}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    script:
        "../scripts/list_code.py"


use rule extract_features as extract_large_features with:
    """The same of a shard of a large data set, which is kept."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        weights=targets.backbone_weights,
        code=listing("extract_features", adapter_module),
    output:
        shard="results/features/{dataset}/{backbone}/{shard}-of-{n_shards}.safetensors",
    wildcard_constraints:
        dataset=one_of(targets.large),
        shard=r"\d+",
        n_shards=r"\d+",
    resources:
        mem_mb=resources.features_memory,
        runtime=resources.features_minutes,
        gpu=1,


use rule extract_directions as extract_large_directions with:
    """The same of derivatives."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        weights=targets.backbone_weights,
        code=listing("extract_directions", adapter_module),
    output:
        shard="results/directions/{dataset}/{backbone}/{shard}-of-{n_shards}.safetensors",
    wildcard_constraints:
        dataset=one_of(targets.large),
        shard=r"\d+",
        n_shards=r"\d+",
    resources:
        mem_mb=resources.features_memory,
        runtime=resources.directions_minutes,
        gpu=1,


rule large_settings:
    """Coordinates and inducing atoms of every setting; what is to be learnt of each frame."""
    input:
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        features=large.shards("results/features/{dataset}/{backbone}", "safetensors"),
        code=large_code("settings"),
    output:
        settings="results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}/settings.safetensors",
        learnt="results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}/learnt.safetensors",
    log:
        "results/logs/large_settings/{dataset}/{strategy}-{seed}/{size}/{backbone}.log",
    benchmark:
        "results/benchmarks/large_settings/{dataset}/{strategy}-{seed}/{size}/{backbone}.tsv"
    wildcard_constraints:
        dataset=one_of(targets.large),
        size=rf"\d+|{ALL}",
        shard=r"\d+",
        n_shards=r"\d+",
        setting=r"\d+",
        level=r"\d+",
        number=r"\d+",
        method=one_of(method.name for method in methods_of("sparse")),
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=resources.large_settings_memory,
        runtime=resources.large_settings_minutes,
    params:
        step="settings.run",
        methods=entries.recipes("sparse"),
        sparse=entries.sparse,
        reference_energy=entries.reference_energy,
    script:
        "../scripts/large.py"


use rule large_settings as large_rows with:
    """The triangles of a shard's rows, of every setting."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        features="results/features/{dataset}/{backbone}/{shard}-of-{n_shards}.safetensors",
        directions="results/directions/{dataset}/{backbone}/{shard}-of-{n_shards}.safetensors",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        settings="results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}/settings.safetensors",
        learnt="results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}/learnt.safetensors",
        code=large_listing("rows"),
    output:
        rows=temp(
            "results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}/rows/{shard}-of-{n_shards}.safetensors"
        ),
    log:
        "results/logs/large_rows/{dataset}/{strategy}-{seed}/{size}/{backbone}/{shard}-of-{n_shards}.log",
    benchmark:
        "results/benchmarks/large_rows/{dataset}/{strategy}-{seed}/{size}/{backbone}/{shard}-of-{n_shards}.tsv"
    resources:
        mem_mb=resources.large_memory,
        runtime=resources.large_rows_minutes,
    params:
        step="rows.run",


use rule large_settings as large_merge with:
    """The triangle of all rows of several shards, of one setting."""
    input:
        rows=large.merged,
        code=large_listing("rows"),
    output:
        rows=temp(
            "results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}/merged/{setting}/{level}-{number}.safetensors"
        ),
    log:
        "results/logs/large_merge/{dataset}/{strategy}-{seed}/{size}/{backbone}/{setting}/{level}-{number}.log",
    benchmark:
        "results/benchmarks/large_merge/{dataset}/{strategy}-{seed}/{size}/{backbone}/{setting}/{level}-{number}.tsv"
    resources:
        mem_mb=resources.large_memory,
        runtime=resources.large_merge_minutes,
    params:
        step="rows.merge",


use rule large_settings as large_fit with:
    """One method, with all that validation chooses."""
    input:
        settings="results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}/settings.safetensors",
        learnt="results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}/learnt.safetensors",
        rows=large.all_rows,
        features=large.first_shard,
        code=large_code("fit"),
    output:
        fit="results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}/fits/{method}.safetensors",
        choices="results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}/fits/{method}.choices.csv",
        sweep="results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}/fits/{method}.sweep.csv",
    log:
        "results/logs/large_fit/{dataset}/{strategy}-{seed}/{size}/{backbone}/{method}.log",
    benchmark:
        "results/benchmarks/large_fit/{dataset}/{strategy}-{seed}/{size}/{backbone}/{method}.tsv"
    resources:
        mem_mb=resources.large_memory,
        runtime=resources.large_fit_minutes,
    params:
        step="fit.run",
        methods=entries.recipes("sparse"),
        sparse=entries.sparse,
        directions=entries.directions,
        backbone=entries.identity,
        atoms=CONFIG.features.atoms,
        reference_energy=entries.reference_energy,


use rule large_settings as large_scores with:
    """How right the standard deviations of all methods are on validation frames of a shard."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        features="results/features/{dataset}/{backbone}/{shard}-of-{n_shards}.safetensors",
        directions="results/directions/{dataset}/{backbone}/{shard}-of-{n_shards}.safetensors",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        learnt="results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}/learnt.safetensors",
        models=large.models("fits"),
        code=large_listing("test"),
    output:
        scores="results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}/scores/{shard}-of-{n_shards}.csv",
    log:
        "results/logs/large_scores/{dataset}/{strategy}-{seed}/{size}/{backbone}/{shard}-of-{n_shards}.log",
    benchmark:
        "results/benchmarks/large_scores/{dataset}/{strategy}-{seed}/{size}/{backbone}/{shard}-of-{n_shards}.tsv"
    resources:
        mem_mb=resources.large_memory,
        runtime=resources.large_test_minutes,
    params:
        step="test.score",
        methods=entries.recipes("sparse"),


use rule large_settings as large_model with:
    """The model file of a method, its standard deviations calibrated."""
    input:
        fit="results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}/fits/{method}.safetensors",
        scores=large.scored,
        code=large_listing("test"),
    output:
        model="results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}/models/{method}.safetensors",
    log:
        "results/logs/large_model/{dataset}/{strategy}-{seed}/{size}/{backbone}/{method}.log",
    benchmark:
        "results/benchmarks/large_model/{dataset}/{strategy}-{seed}/{size}/{backbone}/{method}.tsv"
    resources:
        mem_mb=resources.large_memory,
        runtime=resources.large_merge_minutes,
    params:
        step="test.calibrate",


use rule large_settings as large_test with:
    """Predictions of all methods for test frames of a shard, and sums of their errors."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        features="results/features/{dataset}/{backbone}/{shard}-of-{n_shards}.safetensors",
        directions="results/directions/{dataset}/{backbone}/{shard}-of-{n_shards}.safetensors",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        learnt="results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}/learnt.safetensors",
        models=large.models("models"),
        code=large_listing("test"),
    output:
        predictions="results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}/predictions/{shard}-of-{n_shards}.csv",
        sums="results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}/sums/{shard}-of-{n_shards}.csv",
    log:
        "results/logs/large_test/{dataset}/{strategy}-{seed}/{size}/{backbone}/{shard}-of-{n_shards}.log",
    benchmark:
        "results/benchmarks/large_test/{dataset}/{strategy}-{seed}/{size}/{backbone}/{shard}-of-{n_shards}.tsv"
    resources:
        mem_mb=resources.large_memory,
        runtime=resources.large_test_minutes,
    params:
        step="test.test",
        methods=entries.recipes("sparse"),


use rule large_settings as large_errors with:
    """Errors of all methods by group, from the sums of all shards."""
    input:
        sums=large.shards(f"{LARGE}/sums", "csv"),
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=large_listing("test"),
    output:
        errors="results/large/{dataset}/{strategy}-{seed}/{size}/{backbone}/errors.csv",
    log:
        "results/logs/large_errors/{dataset}/{strategy}-{seed}/{size}/{backbone}.log",
    benchmark:
        "results/benchmarks/large_errors/{dataset}/{strategy}-{seed}/{size}/{backbone}.tsv"
    resources:
        mem_mb=resources.large_memory,
        runtime=resources.large_merge_minutes,
    params:
        step="test.total",


use rule learning_table as large_table with:
    """Errors on large data sets, by group."""
    input:
        errors=targets.large_fits("errors.csv"),
        code=table_code("large"),
    output:
        csv="results/tables/large.csv",
        latex="results/tables/large.tex",
        markdown="results/tables/large.md",
        html=page("large", "Errors on large data sets"),
    log:
        "results/logs/large_table.log",
    benchmark:
        "results/benchmarks/large_table.tsv"
    params:
        datasets=entries.datasets(),
        backbones=entries.backbones(),


use rule fig_errors as fig_large with:
    """Errors on large data sets, by group and against the number of training frames."""
    input:
        table="results/tables/large.csv",
        code=plot_code("large"),
    output:
        figure=figure("large", "Errors on large data sets by group"),
        learning=figure(
            "large_learning",
            "Learning curves on large data sets",
        ),
        forces=figure(
            "large_learning_forces",
            "Learning curves of forces on large data sets",
        ),
    log:
        "results/logs/fig_large.log",
    benchmark:
        "results/benchmarks/fig_large.tsv"
