# Held-out cases in shards, each exactly once, and the shards gathered.


rule infer:
    input:
        heldout=part_of_fold("heldout.jsonl"),
        tuning=part_of_fold("tuning.jsonl"),
        # What a case's tokens are follows from its text, which is an input too; the store alone being newer changes nothing.
        tokens=ancient(tokens_of),
        base=base_files,
        fold_model=fold_model_files,
        examples=example_files,
    output:
        shard="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/predictions/shard-{shard}.jsonl",
        tuning="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/predictions/tuning-{shard}.jsonl",
        manifest="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/predictions/shard-{shard}.jsonl.manifest.json",
    log:
        "results/{cohort}/{model}/{strategy}/{design}/logs/infer-{fold}-{shard}.log",
    benchmark:
        "results/{cohort}/{model}/{strategy}/{design}/benchmarks/infer-{fold}-{shard}.tsv"
    wildcard_constraints:
        strategy=plan.probes(are=False),
    priority: 10
    conda:
        "../../envs/train.yaml"
    threads: threads_for
    resources:
        mem_mb=memory_for,
        runtime=minutes_for(built=30, real=1440),
        gpu=gpus_for,
    params:
        settings=settings_of("infer"),
        base=base_folder,
        content=base_content,
        fold_model=fold_model_option,
        examples=examples_option,
        tokens=tokens_option,
        shards=len(SHARDS),
    message:
        "Scoring held-out cases with {wildcards.model} by {wildcards.strategy}, fold {wildcards.fold}, shard {wildcards.shard}"
    shell:
        "exec python -m oncoraft infer {input.heldout} --base {params.base:q} {params.fold_model} {params.examples} {params.tokens} --tuning {input.tuning} --tuning-out {output.tuning} --shard {wildcards.shard} --shards {params.shards} --out {output.shard} --threads {threads} --gpus {resources.gpu} --settings {params.settings:q} 2> {log}"


# On patients whom a fold's model has neither trained on nor holds out; one job for all folds of a run, since a fold takes less time than the
# start of a process. How many files that is differs by design, so that each design has a rule.
for design in plan.designs():

    rule:
        name:
            recalibrating(design)
        input:
            tuning=tuning_shards,
        output:
            recalibrations=recalibrations(design),
            manifest="results/{cohort}/{model}/{strategy}/{design}/recalibration.json.manifest.json",
        log:
            "results/{cohort}/{model}/{strategy}/{design}/logs/recalibrate.log",
        benchmark:
            "results/{cohort}/{model}/{strategy}/{design}/benchmarks/recalibrate.tsv"
        wildcard_constraints:
            design=design,
        conda:
            "../../envs/data.yaml"
        threads: 1
        resources:
            mem_mb=memory_for_tables,
            runtime=30,
        params:
            settings=settings_of("recalibrate"),
            folds=list(plan.folds(design)),
        message:
            "Recalibrating {wildcards.model} by {wildcards.strategy}, every fold"
        shell:
            "exec python -m oncoraft recalibrate {input.tuning} --fold {params.folds} --out {output.recalibrations} --settings {params.settings:q} 2> {log}"


rule gather:
    input:
        shards=lambda wildcards: [
            f"{run_folder(wildcards)}/fold-{fold}/predictions/shard-{shard}.jsonl"
            for fold in plan.folds(wildcards.design)
            for shard in SHARDS
        ],
        heldout=lambda wildcards: [
            f"results/{wildcards.cohort}/{wildcards.model}/prompts/{wildcards.design}/fold-{fold}/heldout.jsonl"
            for fold in plan.folds(wildcards.design)
        ],
        recalibration=lambda wildcards: [
            f"{run_folder(wildcards)}/fold-{fold}/recalibration.json"
            for fold in plan.folds(wildcards.design)
        ],
    output:
        predictions="results/{cohort}/{model}/{strategy}/{design}/predictions.jsonl",
        manifest="results/{cohort}/{model}/{strategy}/{design}/predictions.jsonl.manifest.json",
    log:
        "results/{cohort}/{model}/{strategy}/{design}/logs/gather.log",
    benchmark:
        "results/{cohort}/{model}/{strategy}/{design}/benchmarks/gather.tsv"
    wildcard_constraints:
        cohort=COHORTS_OF_MODELS,
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("gather"),
    message:
        "Gathering the predictions of {wildcards.model} by {wildcards.strategy}"
    shell:
        "exec python -m oncoraft gather {input.shards} --heldout {input.heldout} --recalibration {input.recalibration} --out {output.predictions} --settings {params.settings:q} 2> {log}"
