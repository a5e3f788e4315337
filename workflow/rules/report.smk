# One offline page with every table and figure.


rule report:
    input:
        metrics=lambda wildcards: runs(wildcards, "metrics/metrics.json"),
        survival=lambda wildcards: runs(wildcards, "survival/survival.json"),
        predictions=lambda wildcards: runs(wildcards, "predictions.jsonl"),
        flow="results/{cohort}/cases/flow.json",
        folds="results/{cohort}/cases/folds.parquet",
        evidence="results/{cohort}/prompts/evidence.parquet",
        labels=lambda wildcards: (
            [f"results/{wildcards.cohort}/cases/label_truth.json"]
            if plan.has_truth(wildcards.cohort)
            else []
        ),
        leakage=lambda wildcards: expand(
            f"results/{wildcards.cohort}/{{model}}/prompts/{{design}}/leakage.json",
            model=plan.config.models,
            design=plan.config.folds.designs,
        ),
        selection=lambda wildcards: expand(
            f"results/{wildcards.cohort}/selection/{{design}}/selection.json",
            design=plan.config.folds.designs,
        ),
        comparisons=lambda wildcards: (
            expand(
                f"results/{wildcards.cohort}/comparisons/{{design}}/comparison.json",
                design=plan.config.folds.designs,
            )
            if len(plan.config.models) * len(plan.config.strategies) > 1
            else []
        ),
        rewards=lambda wildcards: rewards_of_runs(wildcards),
        external=lambda wildcards: external_files(wildcards),
        tasks=lambda wildcards: scores_of_tasks(wildcards),
        cells=lambda wildcards: results_of_cells(wildcards),
        cases=expand(
            "results/{{cohort}}/cases/{name}.parquet",
            name=["cases", "labels", "followup"],
        ),
        records=lambda wildcards: records_of_patients(wildcards),
        audit="results/{cohort}/prompts/audit.json",
        checks="results/{cohort}/tables/checks.json",
    output:
        page=report(
            "results/{cohort}/report/index.html",
            caption="../report/page.rst",
            category="The page",
            labels={"cohort": "{cohort}", "what": "every table and figure"},
        ),
        headline=report(
            "results/{cohort}/report/headline.json",
            caption="../report/headline.rst",
            category="The page",
            labels={"cohort": "{cohort}", "what": "headline as JSON"},
        ),
        data=report(
            directory("results/{cohort}/report/data"),
            patterns=["{name}.{kind}"],
            caption="../report/data.rst",
            category="Figures and numbers",
            subcategory="{kind}",
            labels={"name": "{name}", "kind": "{kind}"},
        ),
        manifest="results/{cohort}/report/manifest.json",
    log:
        "results/{cohort}/logs/report.log",
    benchmark:
        "results/{cohort}/benchmarks/report.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("report"),
        results=subpath(input.checks, ancestor=2),
        external=lambda wildcards, input: external_option(input.external),
    message:
        "Writing the report"
    shell:
        "exec python -m oncoraft report {params.results} --metrics {input.metrics} {params.external} --out {output.page} --settings {params.settings:q} 2> {log}"
