# Text tasks beside response: cases, evidence and its audit, prompts, folds; base and tuned model answer the same held-out cases.


rule task_courses:
    input:
        radiation="results/{cohort}/tables/timeline_radiation.parquet",
        diagnoses="results/{cohort}/tables/timeline_diagnosis.parquet",
        ingested="results/{cohort}/tables/manifest.json",
    output:
        courses="results/{cohort}/tasks/courses.csv",
        truth="results/{cohort}/tasks/courses_truth.parquet",
        manifest="results/{cohort}/tasks/courses.csv.manifest.json",
    log:
        "results/{cohort}/logs/task-courses.log",
    benchmark:
        "results/{cohort}/benchmarks/task-courses.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("task-courses"),
        tables=subpath(input.ingested, parent=True),
    message:
        "Making up the radiation courses of the twin"
    shell:
        "exec python -m oncoraft task-courses {params.tables} --out {output.courses} --truth {output.truth} --settings {params.settings:q} 2> {log}"


# What an answer from the same evidence can reach at best, where the answers were drawn by a known law.
rule task_law:
    input:
        radiation="results/{cohort}/tables/timeline_radiation.parquet",
        diagnoses="results/{cohort}/tables/timeline_diagnosis.parquet",
        ingested="results/{cohort}/tables/manifest.json",
    output:
        law="results/{cohort}/tasks/law.parquet",
        manifest="results/{cohort}/tasks/law.parquet.manifest.json",
    log:
        "results/{cohort}/logs/task-law.log",
    benchmark:
        "results/{cohort}/benchmarks/task-law.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("task-law"),
        tables=subpath(input.ingested, parent=True),
    message:
        "Asking the law of the twin for the likeliest answers"
    shell:
        "exec python -m oncoraft task-law {params.tables} --out {output.law} --settings {params.settings:q} 2> {log}"


rule task_cases:
    input:
        tables=lambda wildcards: task_tables(wildcards),
        cohort=lambda wildcards: task_cohort(wildcards),
        courses=lambda wildcards: task_courses(wildcards),
        file=lambda wildcards: plan.tasks.task(wildcards.task).file or [],
    output:
        cases="results/{cohort}/tasks/{task}/cases.parquet",
        fields="results/{cohort}/tasks/{task}/fields.txt",
        manifest="results/{cohort}/tasks/{task}/cases.parquet.manifest.json",
    log:
        "results/{cohort}/logs/task-cases-{task}.log",
    benchmark:
        "results/{cohort}/benchmarks/task-cases-{task}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=task_settings_of("task-cases"),
        content=lambda wildcards: plan.tasks.file_content(wildcards.task),
        given=lambda wildcards, input: task_cases_option(wildcards, input),
        folder=subpath(output.cases, parent=True),
    message:
        "Finding the cases of task {wildcards.task}"
    shell:
        "exec python -m oncoraft task-cases {params.given} --out {params.folder} --settings {params.settings:q} 2> {log}"


rule task_folds:
    input:
        cases="results/{cohort}/tasks/{task}/cases.parquet",
    output:
        folds="results/{cohort}/tasks/{task}/folds.parquet",
        manifest="results/{cohort}/tasks/{task}/folds.parquet.manifest.json",
    log:
        "results/{cohort}/logs/task-folds-{task}.log",
    benchmark:
        "results/{cohort}/benchmarks/task-folds-{task}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=task_settings_of("folds"),
        cases=subpath(input.cases, parent=True),
    message:
        "Assigning the patients of task {wildcards.task} to folds"
    shell:
        "exec python -m oncoraft folds {params.cases} --settings {params.settings:q} 2> {log}"


# What was known of a case that stands in an earlier task too is not collected again.
rule task_evidence:
    input:
        tables=TABLES,
        ingested="results/{cohort}/tables/manifest.json",
        cases="results/{cohort}/tasks/{task}/cases.parquet",
        fields="results/{cohort}/tasks/{task}/fields.txt",
        taken=lambda wildcards: task_taken(wildcards),
    output:
        evidence="results/{cohort}/tasks/{task}/evidence.parquet",
        manifest="results/{cohort}/tasks/{task}/evidence.parquet.manifest.json",
    log:
        "results/{cohort}/logs/task-evidence-{task}.log",
    benchmark:
        "results/{cohort}/benchmarks/task-evidence-{task}.tsv"
    wildcard_constraints:
        task=plan.tasks.pattern("tables"),
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=task_settings_of("evidence"),
        tables=subpath(input.ingested, parent=True),
        cases=subpath(input.cases, parent=True),
        taken=lambda wildcards, input: task_taken_option(input),
    message:
        "Collecting what was known of each case of task {wildcards.task}"
    shell:
        "exec python -m oncoraft evidence {params.tables} {params.cases} --fields {input.fields} {params.taken} --out {output.evidence} --settings {params.settings:q} 2> {log}"


rule task_lookahead:
    input:
        instruction=lambda wildcards: plan.config.prompts.instruction_file or [],
        tables=TABLES,
        ingested="results/{cohort}/tables/manifest.json",
        cases="results/{cohort}/tasks/{task}/cases.parquet",
        fields="results/{cohort}/tasks/{task}/fields.txt",
    output:
        audit="results/{cohort}/tasks/{task}/lookahead.json",
        manifest="results/{cohort}/tasks/{task}/lookahead.json.manifest.json",
    log:
        "results/{cohort}/logs/task-lookahead-{task}.log",
    benchmark:
        "results/{cohort}/benchmarks/task-lookahead-{task}.tsv"
    wildcard_constraints:
        task=plan.tasks.pattern("tables"),
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=task_settings_of("audit"),
        tables=subpath(input.ingested, parent=True),
        cases=subpath(input.cases, parent=True),
    message:
        "Auditing the evidence of task {wildcards.task} for anything after the index date"
    shell:
        "exec python -m oncoraft audit {params.tables} {params.cases} --fields {input.fields} --out {output.audit} --settings {params.settings:q} 2> {log}"


rule task_prompts:
    input:
        cases="results/{cohort}/tasks/{task}/cases.parquet",
        evidence=lambda wildcards: task_evidence_file(wildcards),
    output:
        prompts="results/{cohort}/tasks/{task}/prompts.jsonl",
        audit="results/{cohort}/tasks/{task}/audit.json",
        manifest="results/{cohort}/tasks/{task}/prompts.jsonl.manifest.json",
    log:
        "results/{cohort}/logs/task-prompts-{task}.log",
    benchmark:
        "results/{cohort}/benchmarks/task-prompts-{task}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=task_settings_of("task-prompts"),
        cases=subpath(input.cases, parent=True),
        evidence=lambda wildcards, input: option("--evidence", input.evidence),
    message:
        "Writing the prompts of task {wildcards.task}, each searched for its answer"
    shell:
        "exec python -m oncoraft task-prompts {params.cases} {params.evidence} --out {output.prompts} --audit {output.audit} --settings {params.settings:q} 2> {log}"


rule task_split:
    input:
        prompts="results/{cohort}/tasks/{task}/prompts.jsonl",
        folds=lambda wildcards: task_folds_file(wildcards),
    output:
        train="results/{cohort}/tasks/{task}/fold-{fold}/train.jsonl",
        heldout="results/{cohort}/tasks/{task}/fold-{fold}/heldout.jsonl",
        manifest="results/{cohort}/tasks/{task}/fold-{fold}/manifest.json",
    log:
        "results/{cohort}/logs/task-split-{task}-{fold}.log",
    benchmark:
        "results/{cohort}/benchmarks/task-split-{task}-{fold}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=task_settings_of("task-split"),
        folds=lambda wildcards, input: option("--folds", input.folds),
    message:
        "Writing fold {wildcards.fold} of task {wildcards.task}"
    shell:
        "exec python -m oncoraft task-split {input.prompts} {params.folds} --fold {wildcards.fold} --train {output.train} --heldout {output.heldout} --settings {params.settings:q} 2> {log}"


rule task_baselines:
    input:
        train=lambda wildcards: task_fold_files(wildcards, "train.jsonl"),
        heldout=lambda wildcards: task_fold_files(wildcards, "heldout.jsonl"),
    output:
        baselines="results/{cohort}/tasks/{task}/baselines.jsonl",
        manifest="results/{cohort}/tasks/{task}/baselines.jsonl.manifest.json",
    log:
        "results/{cohort}/logs/task-baselines-{task}.log",
    benchmark:
        "results/{cohort}/benchmarks/task-baselines-{task}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=task_settings_of("task-baselines"),
    message:
        "Answering task {wildcards.task} without a language model"
    shell:
        "exec python -m oncoraft task-baselines --train {input.train} --heldout {input.heldout} --out {output.baselines} --settings {params.settings:q} 2> {log}"


# Training waits for both audits: of what was known, and of the answer itself.
rule task_train:
    input:
        train="results/{cohort}/tasks/{task}/fold-{fold}/train.jsonl",
        base=base_files,
        audit="results/{cohort}/tasks/{task}/audit.json",
        lookahead=lambda wildcards: task_lookahead_file(wildcards),
    output:
        adapter="results/{cohort}/{model}/tasks/{task}/fold-{fold}/adapter_model.safetensors",
        adapter_config="results/{cohort}/{model}/tasks/{task}/fold-{fold}/adapter_config.json",
        log="results/{cohort}/{model}/tasks/{task}/fold-{fold}/training_log.jsonl",
        patients="results/{cohort}/{model}/tasks/{task}/fold-{fold}/training_patients.txt",
        manifest="results/{cohort}/{model}/tasks/{task}/fold-{fold}/manifest.json",
    log:
        "results/{cohort}/{model}/tasks/{task}/logs/train-{fold}.log",
    benchmark:
        "results/{cohort}/{model}/tasks/{task}/benchmarks/train-{fold}.tsv"
    wildcard_constraints:
        task=plan.tasks.trained_by("lm_only"),
    conda:
        "../../envs/train.yaml"
    threads: threads_for
    resources:
        mem_mb=memory_for,
        runtime=minutes_for(built=30, real=2880),
        gpu=gpus_for,
    params:
        settings=task_settings_of("train"),
        base=base_folder,
        content=base_content,
        model=subpath(output.manifest, parent=True),
        state="results/{cohort}/{model}/tasks/{task}/state/fold-{fold}",
    message:
        "Training {wildcards.model} on task {wildcards.task}, fold {wildcards.fold}"
    shell:
        "exec python -m oncoraft train {input.train} --base {params.base:q} --out {params.model} --state {params.state} --threads {threads} --gpus {resources.gpu} --settings {params.settings:q} 2> {log}"


use rule task_train as task_train_raft with:
    output:
        adapter="results/{cohort}/{model}/tasks/{task}/fold-{fold}/adapter_model.safetensors",
        adapter_config="results/{cohort}/{model}/tasks/{task}/fold-{fold}/adapter_config.json",
        head="results/{cohort}/{model}/tasks/{task}/fold-{fold}/choice_head.pt",
        choices="results/{cohort}/{model}/tasks/{task}/fold-{fold}/choices.json",
        log="results/{cohort}/{model}/tasks/{task}/fold-{fold}/training_log.jsonl",
        patients="results/{cohort}/{model}/tasks/{task}/fold-{fold}/training_patients.txt",
        manifest="results/{cohort}/{model}/tasks/{task}/fold-{fold}/manifest.json",
    wildcard_constraints:
        task=plan.tasks.trained_by("raft"),


rule task_infer:
    input:
        heldout="results/{cohort}/tasks/{task}/fold-{fold}/heldout.jsonl",
        base=base_files,
        fold_model=lambda wildcards: task_model_files(wildcards),
    output:
        shard="results/{cohort}/{model}/tasks/{task}/{answerer}/fold-{fold}/shard-{shard}.jsonl",
        manifest="results/{cohort}/{model}/tasks/{task}/{answerer}/fold-{fold}/shard-{shard}.jsonl.manifest.json",
    log:
        "results/{cohort}/{model}/tasks/{task}/logs/infer-{answerer}-{fold}-{shard}.log",
    benchmark:
        "results/{cohort}/{model}/tasks/{task}/benchmarks/infer-{answerer}-{fold}-{shard}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: threads_for
    resources:
        mem_mb=memory_for,
        runtime=minutes_for(built=30, real=1440),
        gpu=gpus_for,
    params:
        settings=task_settings_of("infer"),
        base=base_folder,
        content=base_content,
        fold_model=lambda wildcards: task_model_option(wildcards),
        shards=lambda wildcards: len(plan.tasks.shards(wildcards.task)),
    message:
        "Answering held-out cases of task {wildcards.task} with the {wildcards.answerer} {wildcards.model}, fold {wildcards.fold}, shard {wildcards.shard}"
    shell:
        "exec python -m oncoraft infer {input.heldout} --base {params.base:q} {params.fold_model} --shard {wildcards.shard} --shards {params.shards} --out {output.shard} --threads {threads} --gpus {resources.gpu} --settings {params.settings:q} 2> {log}"


rule task_choices:
    input:
        heldout="results/{cohort}/tasks/{task}/fold-{fold}/heldout.jsonl",
        train="results/{cohort}/tasks/{task}/fold-{fold}/train.jsonl",
        base=base_files,
        fold_model=lambda wildcards: task_model_files(wildcards),
    output:
        choices="results/{cohort}/{model}/tasks/{task}/{answerer}/fold-{fold}/choices.jsonl",
        manifest="results/{cohort}/{model}/tasks/{task}/{answerer}/fold-{fold}/choices.jsonl.manifest.json",
    log:
        "results/{cohort}/{model}/tasks/{task}/logs/choices-{answerer}-{fold}.log",
    benchmark:
        "results/{cohort}/{model}/tasks/{task}/benchmarks/choices-{answerer}-{fold}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: threads_for
    resources:
        mem_mb=memory_for,
        runtime=minutes_for(built=30, real=1440),
        gpu=gpus_for,
    params:
        settings=task_settings_of("task-choices"),
        base=base_folder,
        content=base_content,
        fold_model=lambda wildcards: task_model_option(wildcards),
        how=lambda wildcards: task_choice_way(wildcards),
    message:
        "Weighing the choices of task {wildcards.task} with the {wildcards.answerer} {wildcards.model}, fold {wildcards.fold}"
    shell:
        "exec python -m oncoraft task-choices {input.heldout} --train {input.train} --base {params.base:q} {params.fold_model} {params.how} --out {output.choices} --threads {threads} --gpus {resources.gpu} --settings {params.settings:q} 2> {log}"


rule task_scores:
    input:
        prompts="results/{cohort}/tasks/{task}/prompts.jsonl",
        base=lambda wildcards: task_answers(wildcards, "base"),
        tuned=lambda wildcards: task_answers(wildcards, "tuned"),
        base_choice=lambda wildcards: task_choices(wildcards, "base"),
        tuned_choice=lambda wildcards: task_choices(wildcards, "tuned"),
        baselines="results/{cohort}/tasks/{task}/baselines.jsonl",
        truth=lambda wildcards: task_truth(wildcards),
    output:
        metrics="results/{cohort}/{model}/tasks/{task}/scores/metrics.json",
        table="results/{cohort}/{model}/tasks/{task}/scores/metrics.csv",
        classes="results/{cohort}/{model}/tasks/{task}/scores/classes.csv",
        tests="results/{cohort}/{model}/tasks/{task}/scores/tests.csv",
        answers="results/{cohort}/{model}/tasks/{task}/scores/answers.jsonl",
        manifest="results/{cohort}/{model}/tasks/{task}/scores/manifest.json",
    log:
        "results/{cohort}/{model}/tasks/{task}/logs/scores.log",
    benchmark:
        "results/{cohort}/{model}/tasks/{task}/benchmarks/scores.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=task_settings_of("task-scores"),
        choices=lambda wildcards, input: task_choice_option(input),
        truth=lambda wildcards, input: option("--truth", input.truth),
        scores=subpath(output.metrics, parent=True),
    message:
        "Scoring the answers of {wildcards.model} to task {wildcards.task}"
    shell:
        "exec python -m oncoraft task-scores {input.prompts} --base {input.base} --tuned {input.tuned} {params.choices} --baselines {input.baselines} {params.truth} --out {params.scores} --settings {params.settings:q} 2> {log}"
