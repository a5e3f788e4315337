# Models, strategies, cohorts and designs in one table, ranked.


rule grid:
    input:
        home=lambda wildcards: grid_runs(wildcards)["home"],
        away=lambda wildcards: grid_runs(wildcards)["away"],
        final=lambda wildcards: grid_runs(wildcards)["final"],
        pooled=lambda wildcards: grid_runs(wildcards)["pooled"],
        baselines=lambda wildcards: grid_runs(wildcards)["baselines"],
        cases=lambda wildcards: expand(
            "results/{one}/cases/{name}.parquet",
            one=(*plan.pooled_from(), *plan.pooled_cohort()),
            name=["cases", "labels", "folds"],
        ),
    output:
        grid="results/{cohort}/grid/grid.json",
        table="results/{cohort}/grid/grid.csv",
        manifest="results/{cohort}/grid/manifest.json",
    log:
        "results/{cohort}/logs/grid.log",
    benchmark:
        "results/{cohort}/benchmarks/grid.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=60,
    params:
        settings=settings_of("grid"),
        first=subpath(output.grid, ancestor=2),
        folder=subpath(output.grid, parent=True),
    message:
        "Ranking models, strategies and designs in every cohort"
    shell:
        "exec python -m oncoraft grid {params.first} --home {input.home} --away {input.away} --final {input.final} --pooled {input.pooled} --baselines {input.baselines} --out {params.folder} --settings {params.settings:q} 2> {log}"
