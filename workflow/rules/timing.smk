"""What the methods cost, from the benchmarks of the jobs that made them.

in:   results/benchmarks/…, results/tables/metrics.csv
out:  results/tables/timing.*
      results/figures/cost.{svg,pdf,png}
"""


rule timing_table:
    """Training and prediction time of every method, beside its test error."""
    input:
        benchmarks=study_benchmarks(),
        metrics="results/tables/metrics.csv",
        predictions=collect(study_costs(), dataset=STUDY["datasets"]),
        code=code("timing_table"),
    output:
        csv="results/tables/timing.csv",
        latex="results/tables/timing.tex",
        markdown="results/tables/timing.md",
        html=report(
            "results/tables/timing.html",
            caption="../report/timing.rst",
            category="1 Tables",
            labels={"table": "Cost of training and prediction"},
        ),
    log:
        "results/logs/timing_table.log",
    benchmark:
        "results/benchmarks/timing_table.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        datasets=study_datasets(),
        backbones=study_backbones(),
        networks={config["networks"][name]["method"]: name for name in STUDY["networks"]},
    script:
        "../scripts/timing_table.py"


rule fig_cost:
    """Test error against the cost of training and of a prediction."""
    input:
        table="results/tables/timing.csv",
        code=code("fig_cost"),
    output:
        report(
            "results/figures/cost.svg",
            caption="../report/cost.rst",
            category="2 Figures",
            labels=figure_labels("Error against cost"),
        ),
        figure_files("results/figures/cost"),
    log:
        "results/logs/fig_cost.log",
    benchmark:
        "results/benchmarks/fig_cost.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        datasets=study_datasets(),
        backbones=backbone_titles(),
    script:
        "../scripts/fig_cost.py"
