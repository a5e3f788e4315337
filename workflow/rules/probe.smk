# Linear probes: every prompt is read once by the frozen base, and logistic regression learns from what it made of them.


rule embed:
    input:
        prompts="results/{cohort}/{model}/prompts/prompts.jsonl",
        base=base_files,
    output:
        embeddings="results/{cohort}/{model}/prompts/embeddings-{point}.parquet",
        manifest="results/{cohort}/{model}/prompts/embeddings-{point}.parquet.manifest.json",
    log:
        "results/{cohort}/{model}/logs/embed-{point}.log",
    benchmark:
        "results/{cohort}/{model}/benchmarks/embed-{point}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: threads_for
    resources:
        mem_mb=memory_for,
        runtime=minutes_for(built=30, real=1440),
        gpu=gpus_for,
    params:
        settings=settings_of("embed"),
        base=base_folder,
        content=base_content,
    message:
        "Reading the prompts of '{wildcards.cohort}' with {wildcards.model}, at {wildcards.point}"
    shell:
        "exec python -m oncoraft embed {input.prompts} --base {params.base:q} --read-at {wildcards.point} --out {output.embeddings} --threads {threads} --gpus {resources.gpu} --settings {params.settings:q} 2> {log}"


rule probe:
    input:
        train=part_of_fold("train.jsonl"),
        tuning=part_of_fold("tuning.jsonl"),
        heldout=part_of_fold("heldout.jsonl"),
        embeddings=lambda wildcards: embeddings_of(wildcards),
        audit="results/{cohort}/prompts/audit.json",
    output:
        probe="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/probe.json",
        patients="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/training_patients.txt",
        shards=[
            f"results/{{cohort}}/{{model}}/{{strategy}}/{{design}}/fold-{{fold}}/predictions/shard-{shard}.jsonl"
            for shard in SHARDS
        ],
        tuning=[
            f"results/{{cohort}}/{{model}}/{{strategy}}/{{design}}/fold-{{fold}}/predictions/tuning-{shard}.jsonl"
            for shard in SHARDS
        ],
        manifest="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/manifest.json",
    log:
        "results/{cohort}/{model}/{strategy}/{design}/logs/train-{fold}.log",
    benchmark:
        "results/{cohort}/{model}/{strategy}/{design}/benchmarks/train-{fold}.tsv"
    wildcard_constraints:
        strategy=plan.probes(),
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        settings=settings_of("probe"),
        folder=subpath(output.probe, parent=True),
        shards=len(SHARDS),
    message:
        "Fitting the probe {wildcards.strategy} on {wildcards.model}, fold {wildcards.fold}"
    shell:
        "exec python -m oncoraft probe {input.heldout} --train {input.train} --tuning {input.tuning} --embeddings {input.embeddings} --shards {params.shards} --out {params.folder} --settings {params.settings:q} 2> {log}"


rule apply_probe:
    input:
        heldout="results/{cohort}/{model}/{strategy}/{design}/heldout.jsonl",
        embeddings=lambda wildcards: embeddings_of(wildcards),
        fold_model=lambda wildcards: applied_model_files(wildcards),
    output:
        shards=[
            f"results/{{cohort}}/{{model}}/{{strategy}}/{{design}}/applied/fold-{{fold}}/shard-{shard}.jsonl"
            for shard in SHARDS
        ],
        manifest="results/{cohort}/{model}/{strategy}/{design}/applied/fold-{fold}/manifest.json",
    log:
        "results/{cohort}/{model}/{strategy}/{design}/logs/apply-{fold}.log",
    benchmark:
        "results/{cohort}/{model}/{strategy}/{design}/benchmarks/apply-{fold}.tsv"
    wildcard_constraints:
        cohort=JUDGED_COHORTS,
        strategy=plan.probes(),
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("probe"),
        folder=subpath(output.manifest, parent=True),
        fold_model=applied_model_option,
        shards=len(SHARDS),
    message:
        "Applying the probe {wildcards.strategy} on {wildcards.model}, fold {wildcards.fold}, to '{wildcards.cohort}'"
    shell:
        "exec python -m oncoraft probe {input.heldout} {params.fold_model} --embeddings {input.embeddings} --shards {params.shards} --out {params.folder} --settings {params.settings:q} 2> {log}"
