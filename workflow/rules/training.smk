# One training job a fold; it resumes from its own state folder, which no rule declares. What a strategy trains decides which
# files it leaves, so that there are three rules of one body: adapter and score head, adapter alone, score head alone.


rule train:
    input:
        train=part_of_fold("train.jsonl"),
        base=base_files,
        # What a case's tokens are follows from its text, which is an input too; the store alone being newer changes nothing.
        tokens=ancient(tokens_of),
        audit="results/{cohort}/prompts/audit.json",
    output:
        adapter="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/adapter_model.safetensors",
        adapter_config="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/adapter_config.json",
        head="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/score_head.pt",
        log="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/training_log.jsonl",
        patients="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/training_patients.txt",
        manifest="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/manifest.json",
    log:
        "results/{cohort}/{model}/{strategy}/{design}/logs/train-{fold}.log",
    benchmark:
        "results/{cohort}/{model}/{strategy}/{design}/benchmarks/train-{fold}.tsv"
    wildcard_constraints:
        strategy=plan.strategies_with(adapter=True, head=True),
    priority: 10
    conda:
        "../../envs/train.yaml"
    threads: threads_for
    resources:
        mem_mb=memory_for,
        runtime=minutes_for(built=30, real=2880),
        gpu=gpus_for,
    params:
        settings=settings_of("train"),
        base=base_folder,
        content=base_content,
        model=subpath(output.manifest, parent=True),
        tokens=tokens_option,
        state="results/{cohort}/{model}/{strategy}/{design}/state/fold-{fold}",
    message:
        "Training {wildcards.model} by {wildcards.strategy}, fold {wildcards.fold}"
    shell:
        "exec python -m oncoraft train {input.train} --base {params.base:q} --out {params.model} --state {params.state} {params.tokens} --threads {threads} --gpus {resources.gpu} --settings {params.settings:q} 2> {log}"


use rule train as train_adapter with:
    output:
        adapter="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/adapter_model.safetensors",
        adapter_config="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/adapter_config.json",
        log="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/training_log.jsonl",
        patients="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/training_patients.txt",
        manifest="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/manifest.json",
    wildcard_constraints:
        strategy=plan.strategies_with(adapter=True, head=False),


use rule train as train_head with:
    output:
        head="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/score_head.pt",
        log="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/training_log.jsonl",
        patients="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/training_patients.txt",
        manifest="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/manifest.json",
    wildcard_constraints:
        strategy=plan.strategies_with(adapter=False, head=True),
