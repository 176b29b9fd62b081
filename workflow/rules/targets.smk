"""Parts of the study by the names that a reader of the paper looks for.

`features`, `fits`, `transfers`, `tables` and `figures` stand with their rules.
"""


localrules:
    smoke,
    fig1,
    fig2,
    fig3,
    fig4,
    table1,
    table2,
    report,


rule smoke:
    """Every method once: the first split of the first data set, to predictions."""
    input:
        targets.smoke(),


rule fig1:
    """Figure 1: what MEKRR is."""
    input:
        "results/figures/method.svg",


rule fig2:
    """Figure 2: validation error against α."""
    input:
        "results/figures/alpha_sweep.svg",


rule fig3:
    """Figure 3: K_0 and K_1 along a reaction."""
    input:
        targets.heatmaps("heatmap"),


rule fig4:
    """Figure 4: the same for each layer."""
    input:
        targets.heatmaps("layers"),


rule table1:
    """Table 1: errors within one data set."""
    input:
        "results/tables/same_dataset.csv",


rule table2:
    """Table 2: transfer to another data set."""
    input:
        ["results/tables/transfer.csv"] if targets.transfers else [],


rule report:
    """One HTML file with all tables and figures, opening on what came out."""
    input:
        rules.tables.input,
        rules.figures.input,
        verdict="results/tables/verdict.csv" if targets.judged else [],
        provenance="results/tables/provenance.csv",
        style="workflow/report/overview.css",
        script="workflow/report/overview.js",
        code=code("report"),
    output:
        "results/report.html",
    log:
        "results/logs/report.log",
    conda:
        "../../envs/mekrr.yaml"
    script:
        "../scripts/report.py"
