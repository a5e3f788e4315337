# The cohorts as one, for designs that train on all of them: what each has made is joined, and what follows is the same as for one.
ruleorder: pool > regimens
ruleorder: pool > labels
ruleorder: pool > followup
ruleorder: pool > folds
ruleorder: pool > evidence
ruleorder: pool > audit
ruleorder: pool > rationales
ruleorder: pool_prompts > render


rule pool:
    input:
        cases=expand(
            "results/{one}/cases/{name}.parquet",
            one=plan.pooled_from(),
            name=["cases", "labels", "followup"],
        ),
        evidence=expand(
            "results/{one}/prompts/{name}",
            one=plan.pooled_from(),
            name=["evidence.parquet", "rationales.jsonl", "audit.json"],
        ),
    output:
        cases="results/{cohort}/cases/cases.parquet",
        labels="results/{cohort}/cases/labels.parquet",
        followup="results/{cohort}/cases/followup.parquet",
        folds="results/{cohort}/cases/folds.parquet",
        origin="results/{cohort}/cases/origin.parquet",
        manifest="results/{cohort}/manifest.json",
        evidence="results/{cohort}/prompts/evidence.parquet",
        rationales="results/{cohort}/prompts/rationales.jsonl",
        audit="results/{cohort}/prompts/audit.json",
    log:
        "results/{cohort}/logs/pool.log",
    benchmark:
        "results/{cohort}/benchmarks/pool.tsv"
    wildcard_constraints:
        cohort=POOLED_COHORT,
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("pool"),
        cohorts=lambda wildcards: " ".join(
            f"results/{one}" for one in plan.pooled_from()
        ),
        folder=subpath(output.manifest, parent=True),
    message:
        "Pooling the cohorts"
    shell:
        "exec python -m oncoraft pool {params.cohorts} --out {params.folder} --settings {params.settings:q} 2> {log}"


rule pool_prompts:
    input:
        prompts=expand(
            "results/{one}/{{model}}/prompts/prompts.jsonl", one=plan.pooled_from()
        ),
    output:
        prompts="results/{cohort}/{model}/prompts/prompts.jsonl",
        manifest="results/{cohort}/{model}/prompts/prompts.jsonl.manifest.json",
    log:
        "results/{cohort}/{model}/logs/pool-prompts.log",
    benchmark:
        "results/{cohort}/{model}/benchmarks/pool-prompts.tsv"
    wildcard_constraints:
        cohort=POOLED_COHORT,
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("pool-prompts"),
    message:
        "Pooling the prompts of {wildcards.model}"
    shell:
        "exec python -m oncoraft pool-prompts {input.prompts} --out {output.prompts} --settings {params.settings:q} 2> {log}"
