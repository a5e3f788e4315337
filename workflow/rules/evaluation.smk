# Baselines on the same folds, metrics beside them, and runs against one another.


rule baselines:
    input:
        cases="results/{cohort}/cases/cases.parquet",
        labels="results/{cohort}/cases/labels.parquet",
        folds="results/{cohort}/cases/folds.parquet",
        evidence="results/{cohort}/prompts/evidence.parquet",
        truth=truth_of,
    output:
        predictions="results/{cohort}/baselines/{design}/predictions.parquet",
        manifest="results/{cohort}/baselines/{design}/manifest.json",
    log:
        "results/{cohort}/logs/baselines-{design}.log",
    benchmark:
        "results/{cohort}/benchmarks/baselines-{design}.tsv"
    wildcard_constraints:
        cohort=COHORTS_OF_MODELS,
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("baselines"),
        cases=subpath(input.cases, parent=True),
        truth=truth_option,
    message:
        "Fitting the baselines"
    shell:
        "exec python -m oncoraft baselines {params.cases} {input.evidence} --design {wildcards.design} {params.truth} --out {output.predictions} --settings {params.settings:q} 2> {log}"


rule metrics:
    input:
        predictions="results/{cohort}/{model}/{strategy}/{design}/predictions.jsonl",
        baselines="results/{cohort}/baselines/{design}/predictions.parquet",
        cases="results/{cohort}/cases/cases.parquet",
        labels="results/{cohort}/cases/labels.parquet",
        folds="results/{cohort}/cases/folds.parquet",
        evidence="results/{cohort}/prompts/evidence.parquet",
    output:
        metrics="results/{cohort}/{model}/{strategy}/{design}/metrics/metrics.json",
        table="results/{cohort}/{model}/{strategy}/{design}/metrics/metrics.csv",
        verdict="results/{cohort}/{model}/{strategy}/{design}/metrics/verdict.json",
        roc="results/{cohort}/{model}/{strategy}/{design}/metrics/roc.csv",
        calibration="results/{cohort}/{model}/{strategy}/{design}/metrics/calibration.csv",
        decision="results/{cohort}/{model}/{strategy}/{design}/metrics/decision.csv",
        definitions="results/{cohort}/{model}/{strategy}/{design}/metrics/definitions.csv",
        comparability="results/{cohort}/{model}/{strategy}/{design}/metrics/comparability.csv",
        distribution="results/{cohort}/{model}/{strategy}/{design}/metrics/distribution.csv",
        manifest="results/{cohort}/{model}/{strategy}/{design}/metrics/manifest.json",
    log:
        "results/{cohort}/{model}/{strategy}/{design}/logs/metrics.log",
    benchmark:
        "results/{cohort}/{model}/{strategy}/{design}/benchmarks/metrics.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("metrics"),
        cases=subpath(input.cases, parent=True),
        metrics=subpath(output.metrics, parent=True),
    message:
        "Measuring discrimination of {wildcards.model} by {wildcards.strategy}"
    shell:
        "exec python -m oncoraft metrics {input.predictions} {params.cases} --design {wildcards.design} --baselines {input.baselines} --evidence {input.evidence} --out {params.metrics} --settings {params.settings:q} 2> {log}"


rule compare:
    input:
        runs=lambda wildcards: runs_of_design(wildcards),
        cases="results/{cohort}/cases/cases.parquet",
        labels="results/{cohort}/cases/labels.parquet",
        folds="results/{cohort}/cases/folds.parquet",
    output:
        comparison="results/{cohort}/comparisons/{design}/comparison.json",
        table="results/{cohort}/comparisons/{design}/comparison.csv",
        manifest="results/{cohort}/comparisons/{design}/manifest.json",
    log:
        "results/{cohort}/logs/compare-{design}.log",
    benchmark:
        "results/{cohort}/benchmarks/compare-{design}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("compare"),
        cases=subpath(input.cases, parent=True),
    message:
        "Comparing the runs of {wildcards.design} pair by pair"
    shell:
        "exec python -m oncoraft compare {input.runs} --cases {params.cases} --design {wildcards.design} --out {output.comparison} --settings {params.settings:q} 2> {log}"
