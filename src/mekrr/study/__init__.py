"""The reproducibility study: the paper's protocol, Snakemake, tables and figures."""
