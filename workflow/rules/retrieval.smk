"""Public data sets from their publishers; a machine with internet runs these rules itself.

in:   address, checksum and archive member in the registry of data sets
out:  results/downloads/{key}/{file}, key from the checksum or, if unknown, the address
"""


localrules:
    download,
    extract,


rule download:
    """Fetch a file, resumed where it broke off, checked before anything reads it."""
    input:
        code=code("download"),
    output:
        file="results/downloads/{key}/{file}",
    log:
        "results/logs/download/{key}/{file}.log",
    benchmark:
        "results/benchmarks/download/{key}/{file}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=240,
    params:
        download=entries.download,
    script:
        "../scripts/download.py"


rule extract:
    """One regular file out of a downloaded archive."""
    input:
        archive=targets.archive_file,
        code=code("extract"),
    output:
        file="results/downloads/{key}/members/{member}",
    log:
        "results/logs/extract/{key}/{member}.log",
    benchmark:
        "results/benchmarks/extract/{key}/{member}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=30,
    params:
        member=entries.archive_member,
    script:
        "../scripts/extract.py"
