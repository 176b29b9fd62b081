"""Atom features to mean-embedding kernels K_0 and K_1 between frames.

in:   results/features/{dataset}/{backbone}.safetensors, a split
out:  results/kernels/{dataset}/{strategy}-{seed}/{backbone}.safetensors, in one job or
      joined from blocks
"""


rule gram:
    """All frames against the training frames, every layer."""
    input:
        features="results/features/{dataset}/{backbone}.safetensors",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=code("gram"),
    output:
        kernels="results/kernels/{dataset}/{strategy}-{seed}/{backbone}.safetensors",
    log:
        "results/logs/gram/{dataset}/{strategy}-{seed}/{backbone}.log",
    benchmark:
        "results/benchmarks/gram/{dataset}/{strategy}-{seed}/{backbone}.tsv"
    wildcard_constraints:
        dataset=one_of(targets.in_one_job),
    conda:
        "../../envs/mekrr.yaml"
    threads: resources.gram_threads
    resources:
        mem_mb=3000,
        runtime=resources.gram_minutes,
    params:
        kernels=entries.gram,
    script:
        "../scripts/gram.py"


rule prepare_gram:
    """What all blocks of a large Gram matrix share: lengthscales, coordinates, and each
    frame's kernel with itself."""
    input:
        features="results/features/{dataset}/{backbone}.safetensors",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=code("gram_prepare"),
    output:
        prepared=temp("results/kernels/{dataset}/{strategy}-{seed}/{backbone}/prepared.safetensors"),
    log:
        "results/logs/prepare_gram/{dataset}/{strategy}-{seed}/{backbone}.log",
    benchmark:
        "results/benchmarks/prepare_gram/{dataset}/{strategy}-{seed}/{backbone}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 2
    resources:
        mem_mb=3000,
        runtime=resources.lengthscale_minutes,
    params:
        kernels=entries.gram,
    script:
        "../scripts/gram_prepare.py"


rule gram_block:
    """Kernels between two parts of the frames, every layer."""
    input:
        features="results/features/{dataset}/{backbone}.safetensors",
        prepared="results/kernels/{dataset}/{strategy}-{seed}/{backbone}/prepared.safetensors",
        code=code("gram_block"),
    output:
        block=temp(
            "results/kernels/{dataset}/{strategy}-{seed}/{backbone}/{first}-{second}-of-{n_parts}.safetensors"
        ),
    log:
        "results/logs/gram_block/{dataset}/{strategy}-{seed}/{backbone}/{first}-{second}-of-{n_parts}.log",
    benchmark:
        "results/benchmarks/gram_block/{dataset}/{strategy}-{seed}/{backbone}/{first}-{second}-of-{n_parts}.tsv"
    wildcard_constraints:
        first=r"\d+",
        second=r"\d+",
        n_parts=r"\d+",
    conda:
        "../../envs/mekrr.yaml"
    threads: resources.gram_threads
    resources:
        mem_mb=3000,
        runtime=resources.gram_minutes,
    script:
        "../scripts/gram_block.py"


rule merge_gram:
    """The blocks of a Gram matrix as one file."""
    input:
        blocks=targets.gram_blocks,
        prepared="results/kernels/{dataset}/{strategy}-{seed}/{backbone}/prepared.safetensors",
        code=code("gram_merge"),
    output:
        kernels="results/kernels/{dataset}/{strategy}-{seed}/{backbone}.safetensors",
    log:
        "results/logs/merge_gram/{dataset}/{strategy}-{seed}/{backbone}.log",
    benchmark:
        "results/benchmarks/merge_gram/{dataset}/{strategy}-{seed}/{backbone}.tsv"
    wildcard_constraints:
        dataset=one_of(targets.in_blocks),
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=resources.merge_minutes,
    script:
        "../scripts/gram_merge.py"
