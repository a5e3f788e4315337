# After supervised training: pairs for direct preference optimisation, alignment of a fold from another strategy's, and the rewards
# of held-out answers before and after. What an aligned fold leaves has the layout of a trained one.


rule preferences:
    input:
        train="results/{cohort}/{model}/prompts/{design}/fold-{fold}/train.jsonl",
        base=base_files,
        start=start_files,
        tokens=ancient("results/{cohort}/{model}/prompts/tokens.arrow"),
        choices=lambda wildcards: plan.choice_files(),
    output:
        pairs="results/{cohort}/{model}/{strategy}/{design}/preferences/fold-{fold}.jsonl",
        manifest="results/{cohort}/{model}/{strategy}/{design}/preferences/fold-{fold}.jsonl.manifest.json",
    log:
        "results/{cohort}/{model}/{strategy}/{design}/logs/preferences-{fold}.log",
    benchmark:
        "results/{cohort}/{model}/{strategy}/{design}/benchmarks/preferences-{fold}.tsv"
    wildcard_constraints:
        strategy=plan.aligned_strategies("dpo"),
    conda:
        "../../envs/train.yaml"
    threads: threads_for
    resources:
        mem_mb=memory_for,
        runtime=minutes_for(built=30, real=1440),
        gpu=gpus_for,
    params:
        settings=settings_of("preferences"),
        base=base_folder,
        content=base_content,
        choices_content=lambda wildcards: plan.choice_content(),
        own_rewards=lambda wildcards: plan.own_reward_content(),
        start=start_folder,
    message:
        "Pairs of answers for {wildcards.model} by {wildcards.strategy}, fold {wildcards.fold}"
    shell:
        "exec python -m oncoraft preferences {input.train} --base {params.base:q} --fold-model {params.start} --tokens {input.tokens} --out {output.pairs} --threads {threads} --gpus {resources.gpu} --settings {params.settings:q} 2> {log}"


rule dpo:
    input:
        train="results/{cohort}/{model}/prompts/{design}/fold-{fold}/train.jsonl",
        base=base_files,
        start=start_files,
        tokens=ancient("results/{cohort}/{model}/prompts/tokens.arrow"),
        pairs="results/{cohort}/{model}/{strategy}/{design}/preferences/fold-{fold}.jsonl",
        audit="results/{cohort}/prompts/audit.json",
    output:
        adapter="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/adapter_model.safetensors",
        adapter_config="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/adapter_config.json",
        head="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/score_head.pt",
        told="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/alignment.json",
        log="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/training_log.jsonl",
        patients="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/training_patients.txt",
        manifest="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/manifest.json",
    log:
        "results/{cohort}/{model}/{strategy}/{design}/logs/dpo-{fold}.log",
    benchmark:
        "results/{cohort}/{model}/{strategy}/{design}/benchmarks/dpo-{fold}.tsv"
    wildcard_constraints:
        strategy=plan.aligned_strategies("dpo"),
    conda:
        "../../envs/train.yaml"
    threads: threads_for
    resources:
        mem_mb=memory_for,
        runtime=minutes_for(built=30, real=1440),
        gpu=gpus_for,
    params:
        settings=settings_of("dpo"),
        base=base_folder,
        content=base_content,
        start=start_folder,
        model=subpath(output.manifest, parent=True),
        state="results/{cohort}/{model}/{strategy}/{design}/state/fold-{fold}",
    message:
        "Aligning {wildcards.model} by {wildcards.strategy} (preferences), fold {wildcards.fold}"
    shell:
        "exec python -m oncoraft dpo {input.train} --base {params.base:q} --fold-model {params.start} --pairs {input.pairs} --out {params.model} --state {params.state} --tokens {input.tokens} --threads {threads} --gpus {resources.gpu} --settings {params.settings:q} 2> {log}"


rule grpo:
    input:
        train="results/{cohort}/{model}/prompts/{design}/fold-{fold}/train.jsonl",
        base=base_files,
        start=start_files,
        tokens=ancient("results/{cohort}/{model}/prompts/tokens.arrow"),
        audit="results/{cohort}/prompts/audit.json",
    output:
        adapter="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/adapter_model.safetensors",
        adapter_config="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/adapter_config.json",
        head="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/score_head.pt",
        told="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/alignment.json",
        log="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/training_log.jsonl",
        patients="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/training_patients.txt",
        manifest="results/{cohort}/{model}/{strategy}/{design}/fold-{fold}/manifest.json",
    log:
        "results/{cohort}/{model}/{strategy}/{design}/logs/grpo-{fold}.log",
    benchmark:
        "results/{cohort}/{model}/{strategy}/{design}/benchmarks/grpo-{fold}.tsv"
    wildcard_constraints:
        strategy=plan.aligned_strategies("grpo"),
    conda:
        "../../envs/train.yaml"
    threads: threads_for
    resources:
        mem_mb=memory_for,
        runtime=minutes_for(built=60, real=2880),
        gpu=gpus_for,
    params:
        settings=settings_of("grpo"),
        own_rewards=lambda wildcards: plan.own_reward_content(),
        base=base_folder,
        content=base_content,
        start=start_folder,
        model=subpath(output.manifest, parent=True),
        state="results/{cohort}/{model}/{strategy}/{design}/state/fold-{fold}",
    message:
        "Aligning {wildcards.model} by {wildcards.strategy} (rewards), fold {wildcards.fold}"
    shell:
        "exec python -m oncoraft grpo {input.train} --base {params.base:q} --fold-model {params.start} --out {params.model} --state {params.state} --tokens {input.tokens} --threads {threads} --gpus {resources.gpu} --settings {params.settings:q} 2> {log}"


rule rewards:
    input:
        before=lambda wildcards: f"results/{wildcards.cohort}/{wildcards.model}/{plan.start_of(wildcards.strategy)}/{wildcards.design}/predictions.jsonl",
        after="results/{cohort}/{model}/{strategy}/{design}/predictions.jsonl",
        heldout=lambda wildcards: [
            f"results/{wildcards.cohort}/{wildcards.model}/prompts/{wildcards.design}/fold-{fold}/heldout.jsonl"
            for fold in plan.folds(wildcards.design)
        ],
    output:
        rewards="results/{cohort}/{model}/{strategy}/{design}/rewards.csv",
        best="results/{cohort}/{model}/{strategy}/{design}/best_rewarded.jsonl",
        manifest="results/{cohort}/{model}/{strategy}/{design}/rewards.csv.manifest.json",
    log:
        "results/{cohort}/{model}/{strategy}/{design}/logs/rewards.log",
    benchmark:
        "results/{cohort}/{model}/{strategy}/{design}/benchmarks/rewards.tsv"
    wildcard_constraints:
        strategy=plan.aligned_strategies(),
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("rewards"),
        own_rewards=lambda wildcards: plan.own_reward_content(),
    message:
        "Rewards of held-out answers before and after {wildcards.strategy}, {wildcards.model}"
    shell:
        "exec python -m oncoraft rewards --before {input.before} --after {input.after} --heldout {input.heldout} --out {output.rewards} --best {output.best} --settings {params.settings:q} 2> {log}"
