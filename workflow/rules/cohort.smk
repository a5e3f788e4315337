# Source tables into typed Parquet; where there is no study, the twin first.


rule twin:
    output:
        study=[f"results/{{cohort}}/study/{name}" for name in plan.study_file_names()],
        truth="results/{cohort}/truth.parquet",
        manifest="results/{cohort}/truth.parquet.manifest.json",
    log:
        "results/{cohort}/logs/twin.log",
    benchmark:
        "results/{cohort}/benchmarks/twin.tsv"
    wildcard_constraints:
        cohort=plan.cohorts_where(converted=False, truth=True),
    priority: 10
    conda:
        "../../envs/data.yaml"
    threads: 2
    resources:
        mem_mb=memory_for_ranges,
        runtime=20,
    params:
        settings=settings_of("twin"),
        study=lambda wildcards: plan.study_folder(wildcards.cohort),
    message:
        "Making the synthetic study '{wildcards.cohort}'"
    shell:
        "exec python -m oncoraft twin --out {params.study:q} --truth {output.truth} --processes {threads} --settings {params.settings:q} 2> {log}"


rule ingest:
    input:
        study=lambda wildcards: plan.study_files(wildcards.cohort),
    output:
        tables=TABLES,
        ledger="results/{cohort}/tables/ledger.parquet",
        rejects="results/{cohort}/tables/rejects.parquet",
        duplicates="results/{cohort}/tables/duplicates.parquet",
        checks="results/{cohort}/tables/checks.json",
        manifest="results/{cohort}/tables/manifest.json",
    log:
        "results/{cohort}/logs/ingest.log",
    benchmark:
        "results/{cohort}/benchmarks/ingest.tsv"
    priority: 10
    conda:
        "../../envs/data.yaml"
    threads: 2
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("ingest"),
        study=lambda wildcards: plan.study_folder(wildcards.cohort),
        content=lambda wildcards: plan.study_content(wildcards.cohort),
        tables=subpath(output.manifest, parent=True),
    message:
        "Reading the tables of '{wildcards.cohort}'"
    shell:
        "exec python -m oncoraft ingest {params.study:q} --out {params.tables} --settings {params.settings:q} 2> {log}"
