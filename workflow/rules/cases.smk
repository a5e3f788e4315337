# Tables into treatment cases: regimens, labels, follow-up, folds, flow.


rule regimens:
    input:
        tables=TABLES,
        ingested="results/{cohort}/tables/manifest.json",
        patients=lambda wildcards: plan.filter_files(wildcards.cohort),
    output:
        cases="results/{cohort}/cases/cases.parquet",
        manifest="results/{cohort}/cases/cases.parquet.manifest.json",
    log:
        "results/{cohort}/logs/regimens.log",
    benchmark:
        "results/{cohort}/benchmarks/regimens.tsv"
    priority: 10
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("regimens"),
        tables=subpath(input.ingested, parent=True),
        cases=subpath(output.cases, parent=True),
    message:
        "Grouping agents into regimens"
    shell:
        "exec python -m oncoraft regimens {params.tables} --out {params.cases} --settings {params.settings:q} 2> {log}"


rule labels:
    input:
        tables=TABLES,
        ingested="results/{cohort}/tables/manifest.json",
        cases="results/{cohort}/cases/cases.parquet",
    output:
        labels="results/{cohort}/cases/labels.parquet",
        manifest="results/{cohort}/cases/labels.parquet.manifest.json",
    log:
        "results/{cohort}/logs/labels.log",
    benchmark:
        "results/{cohort}/benchmarks/labels.tsv"
    priority: 10
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("labels"),
        tables=subpath(input.ingested, parent=True),
        cases=subpath(input.cases, parent=True),
    message:
        "Judging response from the scans"
    shell:
        "exec python -m oncoraft labels {params.tables} {params.cases} --settings {params.settings:q} 2> {log}"


rule followup:
    input:
        tables=TABLES,
        ingested="results/{cohort}/tables/manifest.json",
        cases="results/{cohort}/cases/cases.parquet",
    output:
        followup="results/{cohort}/cases/followup.parquet",
        manifest="results/{cohort}/cases/followup.parquet.manifest.json",
    log:
        "results/{cohort}/logs/followup.log",
    benchmark:
        "results/{cohort}/benchmarks/followup.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("followup"),
        tables=subpath(input.ingested, parent=True),
        cases=subpath(input.cases, parent=True),
    message:
        "Following each case from its index date"
    shell:
        "exec python -m oncoraft followup {params.tables} {params.cases} --settings {params.settings:q} 2> {log}"


rule folds:
    input:
        cases="results/{cohort}/cases/cases.parquet",
        labels=lambda wildcards: (
            [f"results/{wildcards.cohort}/cases/labels.parquet"]
            if "kfold_stratified" in plan.config.folds.designs
            else []
        ),
        frozen=lambda wildcards: plan.config.folds.frozen or [],
    output:
        folds="results/{cohort}/cases/folds.parquet",
        manifest="results/{cohort}/cases/folds.parquet.manifest.json",
    log:
        "results/{cohort}/logs/folds.log",
    benchmark:
        "results/{cohort}/benchmarks/folds.tsv"
    wildcard_constraints:
        cohort=COHORTS_OF_MODELS,
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("folds"),
        cases=subpath(input.cases, parent=True),
    message:
        "Assigning patients to folds"
    shell:
        "exec python -m oncoraft folds {params.cases} --settings {params.settings:q} 2> {log}"


rule flow:
    input:
        tables=TABLES,
        ingested="results/{cohort}/tables/manifest.json",
        cases="results/{cohort}/cases/cases.parquet",
        counted="results/{cohort}/cases/cases.parquet.manifest.json",
        labels="results/{cohort}/cases/labels.parquet",
        followup="results/{cohort}/cases/followup.parquet",
        folds="results/{cohort}/cases/folds.parquet",
    output:
        flow="results/{cohort}/cases/flow.json",
        manifest="results/{cohort}/cases/flow.json.manifest.json",
    log:
        "results/{cohort}/logs/flow.log",
    benchmark:
        "results/{cohort}/benchmarks/flow.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("flow"),
        tables=subpath(input.ingested, parent=True),
        cases=subpath(input.cases, parent=True),
    message:
        "Counting the cohort"
    shell:
        "exec python -m oncoraft flow {params.tables} {params.cases} --settings {params.settings:q} 2> {log}"


rule label_truth:
    input:
        cases="results/{cohort}/cases/cases.parquet",
        labels="results/{cohort}/cases/labels.parquet",
        truth="results/{cohort}/truth.parquet",
    output:
        truth="results/{cohort}/cases/label_truth.json",
        manifest="results/{cohort}/cases/label_truth.json.manifest.json",
    log:
        "results/{cohort}/logs/label-truth.log",
    benchmark:
        "results/{cohort}/benchmarks/label-truth.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("label-truth"),
        cases=subpath(input.cases, parent=True),
    message:
        "Comparing every label definition with the truth of the twin"
    shell:
        "exec python -m oncoraft label-truth {params.cases} --truth {input.truth} --settings {params.settings:q} 2> {log}"
