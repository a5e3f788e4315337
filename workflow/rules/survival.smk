# Whether the score separates survival, regimen by regimen, and whether being in the cohort does so by itself.


rule survival:
    input:
        predictions="results/{cohort}/{model}/{strategy}/{design}/predictions.jsonl",
        baselines="results/{cohort}/baselines/{design}/predictions.parquet",
        cases="results/{cohort}/cases/cases.parquet",
        followup="results/{cohort}/cases/followup.parquet",
        labels="results/{cohort}/cases/labels.parquet",
        folds="results/{cohort}/cases/folds.parquet",
        evidence="results/{cohort}/prompts/evidence.parquet",
        further=survival_files,
    output:
        survival="results/{cohort}/{model}/{strategy}/{design}/survival/survival.json",
        regimens="results/{cohort}/{model}/{strategy}/{design}/survival/regimens.csv",
        curves="results/{cohort}/{model}/{strategy}/{design}/survival/curves.parquet",
        endpoints="results/{cohort}/{model}/{strategy}/{design}/survival/endpoints.csv",
        counts="results/{cohort}/{model}/{strategy}/{design}/survival/counts.csv",
        groups="results/{cohort}/{model}/{strategy}/{design}/survival/groups.csv",
        group_tests="results/{cohort}/{model}/{strategy}/{design}/survival/group_tests.csv",
        survival_at="results/{cohort}/{model}/{strategy}/{design}/survival/survival_at.csv",
        at_risk="results/{cohort}/{model}/{strategy}/{design}/survival/at_risk.csv",
        shape="results/{cohort}/{model}/{strategy}/{design}/survival/shape.csv",
        periods="results/{cohort}/{model}/{strategy}/{design}/survival/periods.csv",
        all_curves="results/{cohort}/{model}/{strategy}/{design}/survival/all_curves.parquet",
        manifest="results/{cohort}/{model}/{strategy}/{design}/survival/manifest.json",
    log:
        "results/{cohort}/{model}/{strategy}/{design}/logs/survival.log",
    benchmark:
        "results/{cohort}/{model}/{strategy}/{design}/benchmarks/survival.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("survival"),
        cases=subpath(input.cases, parent=True),
        survival=subpath(output.survival, parent=True),
        tables=survival_option,
    message:
        "Stratifying survival by the score of {wildcards.model} by {wildcards.strategy}"
    shell:
        "exec python -m oncoraft survival {input.predictions} {params.cases} {input.evidence} --design {wildcards.design} --baselines {input.baselines} {params.tables} --out {params.survival} --settings {params.settings:q} 2> {log}"


# Beside the look-ahead audit, which cannot see what an absence tells.
rule selection:
    input:
        cases="results/{cohort}/cases/cases.parquet",
        labels="results/{cohort}/cases/labels.parquet",
        followup="results/{cohort}/cases/followup.parquet",
        folds="results/{cohort}/cases/folds.parquet",
        evidence="results/{cohort}/prompts/evidence.parquet",
    output:
        selection="results/{cohort}/selection/{design}/selection.json",
        table="results/{cohort}/selection/{design}/selection.csv",
        manifest="results/{cohort}/selection/{design}/manifest.json",
    log:
        "results/{cohort}/logs/selection-{design}.log",
    benchmark:
        "results/{cohort}/benchmarks/selection-{design}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("selection"),
        cases=subpath(input.cases, parent=True),
        selection=subpath(output.selection, parent=True),
    message:
        "Auditing what being in the cohort tells"
    shell:
        "exec python -m oncoraft selection {params.cases} {input.evidence} --design {wildcards.design} --out {params.selection} --settings {params.settings:q} 2> {log}"
