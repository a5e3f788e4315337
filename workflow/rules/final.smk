# Final models: the recipe that the folds have judged, trained on all of the cohort; named by its configuration, applied to further cohorts.


rule final_cases:
    input:
        prompts="results/{cohort}/{model}/prompts/prompts.jsonl",
        rationales="results/{cohort}/prompts/rationales.jsonl",
        cases="results/{cohort}/cases/cases.parquet",
        labels="results/{cohort}/cases/labels.parquet",
    output:
        train="results/{cohort}/{model}/prompts/final/train.jsonl",
        manifest="results/{cohort}/{model}/prompts/final/train.jsonl.manifest.json",
    log:
        "results/{cohort}/{model}/logs/final-cases.log",
    benchmark:
        "results/{cohort}/{model}/benchmarks/final-cases.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("final-cases"),
        cases=subpath(input.cases, parent=True),
    message:
        "Writing every labelled case for the final model on {wildcards.model}"
    shell:
        "exec python -m oncoraft final-cases {input.prompts} {input.rationales} {params.cases} --out {output.train} --settings {params.settings:q} 2> {log}"


# As `train`: three rules of one body, by what a strategy leaves.
use rule train as train_final with:
    input:
        train="results/{cohort}/{model}/prompts/final/train.jsonl",
        base=base_files,
        tokens=ancient(tokens_of),
        audit="results/{cohort}/prompts/audit.json",
    output:
        adapter=f"{FINAL}/adapter_model.safetensors",
        adapter_config=f"{FINAL}/adapter_config.json",
        head=f"{FINAL}/score_head.pt",
        log=f"{FINAL}/training_log.jsonl",
        patients=f"{FINAL}/training_patients.txt",
        manifest=f"{FINAL}/manifest.json",
    log:
        "results/{cohort}/{model}/{strategy}/final/logs/train-{final}.log",
    benchmark:
        "results/{cohort}/{model}/{strategy}/final/benchmarks/train-{final}.tsv"
    params:
        settings=settings_of("train"),
        base=base_folder,
        content=base_content,
        model=subpath(output.manifest, parent=True),
        tokens=tokens_option,
        state="results/{cohort}/{model}/{strategy}/final/state/{final}",
    message:
        "Training the final model {wildcards.final} of {wildcards.model} by {wildcards.strategy}"


use rule train_final as train_final_adapter with:
    output:
        adapter=f"{FINAL}/adapter_model.safetensors",
        adapter_config=f"{FINAL}/adapter_config.json",
        log=f"{FINAL}/training_log.jsonl",
        patients=f"{FINAL}/training_patients.txt",
        manifest=f"{FINAL}/manifest.json",
    wildcard_constraints:
        strategy=plan.strategies_with(adapter=True, head=False),


use rule train_final as train_final_head with:
    output:
        head=f"{FINAL}/score_head.pt",
        log=f"{FINAL}/training_log.jsonl",
        patients=f"{FINAL}/training_patients.txt",
        manifest=f"{FINAL}/manifest.json",
    wildcard_constraints:
        strategy=plan.strategies_with(adapter=False, head=True),


# The same cases as the folds' models judge.
use rule apply as apply_final with:
    input:
        heldout=f"results/{{cohort}}/{{model}}/{{strategy}}/{plan.config.folds.designs[0]}/heldout.jsonl",
        base=base_files,
        fold_model=lambda wildcards: final_model_files(wildcards),
    output:
        shard="results/{cohort}/{model}/{strategy}/final/{final}/shard-{shard}.jsonl",
        manifest="results/{cohort}/{model}/{strategy}/final/{final}/shard-{shard}.jsonl.manifest.json",
    log:
        "results/{cohort}/{model}/{strategy}/final/logs/apply-{final}-{shard}.log",
    benchmark:
        "results/{cohort}/{model}/{strategy}/final/benchmarks/apply-{final}-{shard}.tsv"
    params:
        settings=settings_of("infer"),
        base=base_folder,
        content=base_content,
        fold_model=lambda wildcards: f"--fold-model {plan.final_folder(wildcards.model, wildcards.strategy)}",
        examples="",
        shards=len(SHARDS),
    message:
        "Applying the final model {wildcards.final} to '{wildcards.cohort}', shard {wildcards.shard}"


use rule average as average_final with:
    input:
        shards=lambda wildcards: [
            f"results/{wildcards.cohort}/{wildcards.model}/{wildcards.strategy}/final/{wildcards.final}/shard-{shard}.jsonl"
            for shard in SHARDS
        ],
        heldout=f"results/{{cohort}}/{{model}}/{{strategy}}/{plan.config.folds.designs[0]}/heldout.jsonl",
        recalibration=[],
    output:
        predictions="results/{cohort}/{model}/{strategy}/final/{final}/predictions.jsonl",
        manifest="results/{cohort}/{model}/{strategy}/final/{final}/predictions.jsonl.manifest.json",
    log:
        "results/{cohort}/{model}/{strategy}/final/logs/average-{final}.log",
    benchmark:
        "results/{cohort}/{model}/{strategy}/final/benchmarks/average-{final}.tsv"
    params:
        settings=settings_of("average"),
        folds=lambda wildcards, input: f"--fold {' '.join(input.shards)}",
    message:
        "Joining what the final model {wildcards.final} says of '{wildcards.cohort}'"
