# Single-cell cohorts beside response: cases from files of AnnData, folds by donor and by what is left out, the same training and inference.


rule cell_twin:
    output:
        files=directory("results/{cohort}/cells/{cells}/twin/files"),
        truth="results/{cohort}/cells/{cells}/twin/truth.parquet",
        programme="results/{cohort}/cells/{cells}/twin/programme.csv",
        drugs="results/{cohort}/cells/{cells}/twin/drugs.csv",
        manifest="results/{cohort}/cells/{cells}/twin/manifest.json",
    log:
        "results/{cohort}/logs/cell-twin-{cells}.log",
    benchmark:
        "results/{cohort}/benchmarks/cell-twin-{cells}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
    params:
        settings=cell_settings_of("twin-cells"),
        twin=subpath(output.manifest, parent=True),
    message:
        "Making up the cells of {wildcards.cells}"
    shell:
        "exec python -m oncoraft twin-cells --out {params.twin} --settings {params.settings:q} 2> {log}"


rule cell_cases:
    input:
        files=lambda wildcards: plan.cells.data_files(wildcards.cohort, wildcards.cells),
        table=lambda wildcards: plan.cells.study(wildcards.cells).gene_table or [],
    output:
        cases="results/{cohort}/cells/{cells}/cases/cases.parquet",
        sentences="results/{cohort}/cells/{cells}/cases/sentences.parquet",
        members="results/{cohort}/cells/{cells}/cases/members.parquet",
        genes="results/{cohort}/cells/{cells}/cases/genes.txt",
        flow="results/{cohort}/cells/{cells}/cases/flow.json",
        manifest="results/{cohort}/cells/{cells}/cases/manifest.json",
    log:
        "results/{cohort}/logs/cell-cases-{cells}.log",
    benchmark:
        "results/{cohort}/benchmarks/cell-cases-{cells}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
    params:
        settings=cell_settings_of("cell-cases"),
        content=lambda wildcards: plan.cells.file_content(
            wildcards.cohort, wildcards.cells
        ),
        folder=subpath(output.cases, parent=True),
    message:
        "Finding the cases of {wildcards.cells} in its cells"
    shell:
        "exec python -m oncoraft cell-cases {input.files:q} --out {params.folder} --settings {params.settings:q} 2> {log}"


rule cell_folds:
    input:
        cases="results/{cohort}/cells/{cells}/cases/cases.parquet",
    output:
        folds="results/{cohort}/cells/{cells}/cases/folds.parquet",
        told="results/{cohort}/cells/{cells}/cases/folds.json",
        manifest="results/{cohort}/cells/{cells}/cases/folds.parquet.manifest.json",
    log:
        "results/{cohort}/logs/cell-folds-{cells}.log",
    benchmark:
        "results/{cohort}/benchmarks/cell-folds-{cells}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
    params:
        settings=cell_settings_of("cell-folds"),
        folder=subpath(input.cases, parent=True),
    message:
        "Assigning the donors of {wildcards.cells} to folds"
    shell:
        "exec python -m oncoraft cell-folds {params.folder} --settings {params.settings:q} 2> {log}"


rule cell_prompts:
    input:
        cases="results/{cohort}/cells/{cells}/cases/cases.parquet",
        sentences="results/{cohort}/cells/{cells}/cases/sentences.parquet",
        genes="results/{cohort}/cells/{cells}/cases/genes.txt",
    output:
        prompts="results/{cohort}/cells/{cells}/prompts.jsonl",
        audit="results/{cohort}/cells/{cells}/audit.json",
        manifest="results/{cohort}/cells/{cells}/prompts.jsonl.manifest.json",
    log:
        "results/{cohort}/logs/cell-prompts-{cells}.log",
    benchmark:
        "results/{cohort}/benchmarks/cell-prompts-{cells}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
    params:
        settings=cell_settings_of("cell-prompts"),
        folder=subpath(input.cases, parent=True),
    message:
        "Writing the sentences of {wildcards.cells}"
    shell:
        "exec python -m oncoraft cell-prompts {params.folder} --out {output.prompts} --audit {output.audit} --settings {params.settings:q} 2> {log}"


# What the tiny models read before they are fine-tuned, where the settings ask for it: cells of another twin, with the responses.
rule cell_corpus:
    input:
        prompts="results/pretraining/cells/{cells}/prompts.jsonl",
        cases="results/pretraining/cells/{cells}/cases/cases.parquet",
    output:
        corpus="results/pretraining/cells/{cells}/corpus.jsonl",
        manifest="results/pretraining/cells/{cells}/corpus.jsonl.manifest.json",
    log:
        "results/pretraining/logs/cell-corpus-{cells}.log",
    benchmark:
        "results/pretraining/benchmarks/cell-corpus-{cells}.tsv"
    wildcard_constraints:
        cells=plan.cells.with_own_base(),
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
    params:
        settings=cell_settings_of("cell-split"),
        folder=subpath(input.cases, parent=True),
    message:
        "Joining what tiny models read of cells"
    shell:
        "exec python -m oncoraft cell-split {params.folder} --prompts {input.prompts} --all {output.corpus} --settings {params.settings:q} 2> {log}"


rule cell_base_model:
    input:
        corpus="results/pretraining/cells/{cells}/corpus.jsonl",
    output:
        base=[
            f"results/pretraining/cells/{{cells}}/{{model}}/base/{name}"
            for name in BUILT_FILES
        ],
        manifest="results/pretraining/cells/{cells}/{model}/base/manifest.json",
    log:
        "results/pretraining/logs/cell-base-model-{cells}-{model}.log",
    benchmark:
        "results/pretraining/benchmarks/cell-base-model-{cells}-{model}.tsv"
    wildcard_constraints:
        cells=plan.cells.with_own_base(),
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
        gpu=0,
    params:
        settings=cell_settings_of("base-model"),
        base=subpath(output.manifest, parent=True),
    message:
        "Building and pretraining the tiny {wildcards.model} on cells"
    shell:
        "exec python -m oncoraft base-model {input.corpus} --out {params.base} --threads {threads} --gpus {resources.gpu} --settings {params.settings:q} 2> {log}"


rule cell_split:
    input:
        prompts="results/{cohort}/cells/{cells}/prompts.jsonl",
        cases="results/{cohort}/cells/{cells}/cases/cases.parquet",
        folds="results/{cohort}/cells/{cells}/cases/folds.parquet",
    output:
        train="results/{cohort}/cells/{cells}/{cell_design}/fold-{fold}/train.jsonl",
        heldout="results/{cohort}/cells/{cells}/{cell_design}/fold-{fold}/heldout.jsonl",
        manifest="results/{cohort}/cells/{cells}/{cell_design}/fold-{fold}/manifest.json",
    log:
        "results/{cohort}/logs/cell-split-{cells}-{cell_design}-{fold}.log",
    benchmark:
        "results/{cohort}/benchmarks/cell-split-{cells}-{cell_design}-{fold}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
    params:
        settings=cell_settings_of("cell-split"),
        folder=subpath(input.cases, parent=True),
    message:
        "Writing fold {wildcards.fold} of {wildcards.cells}, {wildcards.cell_design}"
    shell:
        "exec python -m oncoraft cell-split {params.folder} --prompts {input.prompts} --design {wildcards.cell_design} --fold {wildcards.fold} --train {output.train} --heldout {output.heldout} --settings {params.settings:q} 2> {log}"


rule cell_expression:
    input:
        files=lambda wildcards: plan.cells.data_files(wildcards.cohort, wildcards.cells),
        table=lambda wildcards: plan.cells.study(wildcards.cells).gene_table or [],
        cases="results/{cohort}/cells/{cells}/cases/cases.parquet",
        members="results/{cohort}/cells/{cells}/cases/members.parquet",
        genes="results/{cohort}/cells/{cells}/cases/genes.txt",
    output:
        expression="results/{cohort}/cells/{cells}/expression/expression.npz",
        map="results/{cohort}/cells/{cells}/expression/map.csv",
        manifest="results/{cohort}/cells/{cells}/expression/manifest.json",
    log:
        "results/{cohort}/logs/cell-expression-{cells}.log",
    benchmark:
        "results/{cohort}/benchmarks/cell-expression-{cells}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
    params:
        settings=cell_settings_of("cell-expression"),
        content=lambda wildcards: plan.cells.file_content(
            wildcards.cohort, wildcards.cells
        ),
        cases=subpath(input.cases, parent=True),
        out=subpath(output.map, parent=True),
    message:
        "Summing the expression of the cases of {wildcards.cells}"
    shell:
        "exec python -m oncoraft cell-expression {input.files:q} --cases {params.cases} --out {params.out} --settings {params.settings:q} 2> {log}"


rule cell_baselines:
    input:
        expression="results/{cohort}/cells/{cells}/expression/expression.npz",
        cases="results/{cohort}/cells/{cells}/cases/cases.parquet",
        genes="results/{cohort}/cells/{cells}/cases/genes.txt",
        folds="results/{cohort}/cells/{cells}/cases/folds.parquet",
        truth=lambda wildcards: cell_twin_product(wildcards, "truth.parquet"),
    output:
        baselines="results/{cohort}/cells/{cells}/{cell_design}/baselines.parquet",
        manifest="results/{cohort}/cells/{cells}/{cell_design}/baselines.parquet.manifest.json",
    log:
        "results/{cohort}/logs/cell-baselines-{cells}-{cell_design}.log",
    benchmark:
        "results/{cohort}/benchmarks/cell-baselines-{cells}-{cell_design}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
    params:
        settings=cell_settings_of("cell-baselines"),
        folder=subpath(input.cases, parent=True),
        truth=lambda wildcards, input: option("--truth", input.truth),
    message:
        "Fitting the baselines of {wildcards.cells}, {wildcards.cell_design}"
    shell:
        "exec python -m oncoraft cell-baselines {params.folder} --expression {input.expression} --design {wildcards.cell_design} {params.truth} --out {output.baselines} --settings {params.settings:q} 2> {log}"


# Training waits for the search of every prompt for the words of its response.
rule cell_train:
    input:
        train="results/{cohort}/cells/{cells}/{cell_design}/fold-{fold}/train.jsonl",
        base=lambda wildcards: cell_base_files(wildcards),
        audit="results/{cohort}/cells/{cells}/audit.json",
    output:
        adapter="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/adapter_model.safetensors",
        adapter_config="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/adapter_config.json",
        head="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/score_head.pt",
        log="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/training_log.jsonl",
        patients="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/training_patients.txt",
        manifest="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/manifest.json",
    log:
        "results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/logs/train-{fold}.log",
    benchmark:
        "results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/benchmarks/train-{fold}.tsv"
    wildcard_constraints:
        strategy=plan.strategies_with(adapter=True, head=True),
    conda:
        "../../envs/train.yaml"
    threads: threads_for
    resources:
        mem_mb=memory_for,
        runtime=minutes_for(built=30, real=2880),
        gpu=gpus_for,
    params:
        settings=cell_settings_of("train"),
        base=cell_base_folder,
        content=base_content,
        model=subpath(output.manifest, parent=True),
        state="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/state/fold-{fold}",
    message:
        "Training {wildcards.model} by {wildcards.strategy} on {wildcards.cells}, {wildcards.cell_design}, fold {wildcards.fold}"
    shell:
        "exec python -m oncoraft train {input.train} --base {params.base:q} --out {params.model} --state {params.state} --threads {threads} --gpus {resources.gpu} --settings {params.settings:q} 2> {log}"


use rule cell_train as cell_train_adapter with:
    output:
        adapter="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/adapter_model.safetensors",
        adapter_config="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/adapter_config.json",
        log="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/training_log.jsonl",
        patients="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/training_patients.txt",
        manifest="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/manifest.json",
    wildcard_constraints:
        strategy=plan.strategies_with(adapter=True, head=False),


use rule cell_train as cell_train_head with:
    output:
        head="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/score_head.pt",
        log="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/training_log.jsonl",
        patients="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/training_patients.txt",
        manifest="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/manifest.json",
    wildcard_constraints:
        strategy=plan.strategies_with(adapter=False, head=True),


# Predictions lie where training leaves them alone when it is run again.
rule cell_infer:
    input:
        heldout="results/{cohort}/cells/{cells}/{cell_design}/fold-{fold}/heldout.jsonl",
        base=lambda wildcards: cell_base_files(wildcards),
        fold_model=lambda wildcards: cell_fold_model_files(wildcards),
        examples=lambda wildcards: cell_examples(wildcards),
    output:
        predictions="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/predictions/heldout.jsonl",
        manifest="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/predictions/heldout.jsonl.manifest.json",
    log:
        "results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/logs/infer-{fold}.log",
    benchmark:
        "results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/benchmarks/infer-{fold}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: threads_for
    resources:
        mem_mb=memory_for,
        runtime=minutes_for(built=30, real=1440),
        gpu=gpus_for,
    params:
        settings=cell_settings_of("infer"),
        base=cell_base_folder,
        content=base_content,
        fold_model=cell_fold_model_option,
        examples=examples_option,
    message:
        "Scoring held-out cells with {wildcards.model} by {wildcards.strategy}, {wildcards.cell_design}, fold {wildcards.fold}"
    shell:
        "exec python -m oncoraft infer {input.heldout} --base {params.base:q} {params.fold_model} {params.examples} --out {output.predictions} --threads {threads} --gpus {resources.gpu} --settings {params.settings:q} 2> {log}"


# A model over genes as tokens of its own: a frozen embedding with a score head, or LoRA with it.
rule cell_model:
    input:
        train="results/{cohort}/cells/{cells}/{cell_design}/fold-{fold}/train.jsonl",
        heldout="results/{cohort}/cells/{cells}/{cell_design}/fold-{fold}/heldout.jsonl",
        model=lambda wildcards: plan.cells.model_files(wildcards.cell_model),
        audit="results/{cohort}/cells/{cells}/audit.json",
    output:
        predictions="results/{cohort}/{cell_model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/predictions.jsonl",
        head="results/{cohort}/{cell_model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/score_head.pt",
        log="results/{cohort}/{cell_model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/training_log.jsonl",
        patients="results/{cohort}/{cell_model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/training_patients.txt",
        manifest="results/{cohort}/{cell_model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/manifest.json",
    log:
        "results/{cohort}/{cell_model}/cells/{cells}/{strategy}/{cell_design}/logs/cell-model-{fold}.log",
    benchmark:
        "results/{cohort}/{cell_model}/cells/{cells}/{strategy}/{cell_design}/benchmarks/cell-model-{fold}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 8
    resources:
        mem_mb=32000,
        runtime=1440,
        gpu=lambda wildcards: plan.config.cell_models[wildcards.cell_model].gpus,
    params:
        settings=cell_settings_of("cell-model"),
        content=lambda wildcards: plan.cells.model_content(wildcards.cell_model),
        folder=subpath(output.manifest, parent=True),
        state="results/{cohort}/{cell_model}/cells/{cells}/{strategy}/{cell_design}/state/fold-{fold}",
    message:
        "Training {wildcards.cell_model} by {wildcards.strategy} on {wildcards.cells}, {wildcards.cell_design}, fold {wildcards.fold}"
    shell:
        "exec python -m oncoraft cell-model {input.train} {input.heldout} --out {params.folder} --state {params.state} --threads {threads} --gpus {resources.gpu} --settings {params.settings:q} 2> {log}"


rule cell_scores:
    input:
        cases="results/{cohort}/cells/{cells}/cases/cases.parquet",
        folds="results/{cohort}/cells/{cells}/cases/folds.parquet",
        baselines="results/{cohort}/cells/{cells}/{cell_design}/baselines.parquet",
        predictions=lambda wildcards: sum(
            plan.cells.runs(
                wildcards.cells, wildcards.cohort, wildcards.cell_design
            ).values(),
            [],
        ),
    output:
        metrics="results/{cohort}/cells/{cells}/{cell_design}/scores/metrics.json",
        table="results/{cohort}/cells/{cells}/{cell_design}/scores/metrics.csv",
        manifest="results/{cohort}/cells/{cells}/{cell_design}/scores/manifest.json",
    log:
        "results/{cohort}/logs/cell-scores-{cells}-{cell_design}.log",
    benchmark:
        "results/{cohort}/benchmarks/cell-scores-{cells}-{cell_design}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
    params:
        settings=cell_settings_of("cell-scores"),
        folder=subpath(input.cases, parent=True),
        runs=cell_runs_option,
        scores=subpath(output.metrics, parent=True),
    message:
        "Measuring the scores of {wildcards.cells}, {wildcards.cell_design}"
    shell:
        "exec python -m oncoraft cell-scores {params.folder} --design {wildcards.cell_design} --baselines {input.baselines} {params.runs} --out {params.scores} --settings {params.settings:q} 2> {log}"


rule cell_removals:
    input:
        heldout="results/{cohort}/cells/{cells}/{cell_design}/fold-{fold}/heldout.jsonl",
        train="results/{cohort}/cells/{cells}/{cell_design}/fold-{fold}/train.jsonl",
    output:
        removals="results/{cohort}/cells/{cells}/{cell_design}/fold-{fold}/removals.jsonl",
        manifest="results/{cohort}/cells/{cells}/{cell_design}/fold-{fold}/removals.jsonl.manifest.json",
    log:
        "results/{cohort}/logs/cell-removals-{cells}-{cell_design}-{fold}.log",
    benchmark:
        "results/{cohort}/benchmarks/cell-removals-{cells}-{cell_design}-{fold}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
    params:
        settings=cell_settings_of("cell-removals"),
    message:
        "Taking genes out of the sentences of {wildcards.cells}, {wildcards.cell_design}, fold {wildcards.fold}"
    shell:
        "exec python -m oncoraft cell-removals {input.heldout} --train {input.train} --out {output.removals} --settings {params.settings:q} 2> {log}"


use rule cell_infer as cell_infer_removals with:
    input:
        heldout="results/{cohort}/cells/{cells}/{cell_design}/fold-{fold}/removals.jsonl",
        base=lambda wildcards: cell_base_files(wildcards),
        fold_model=lambda wildcards: cell_fold_model_files(wildcards),
        examples=lambda wildcards: cell_examples(wildcards),
    output:
        predictions="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/predictions/removals.jsonl",
        manifest="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/fold-{fold}/predictions/removals.jsonl.manifest.json",
    log:
        "results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/logs/infer-removals-{fold}.log",
    benchmark:
        "results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/benchmarks/infer-removals-{fold}.tsv"
    message:
        "Scoring sentences without one gene with {wildcards.model} by {wildcards.strategy}, {wildcards.cell_design}, fold {wildcards.fold}"


rule cell_markers:
    input:
        removals="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/fold-0/predictions/removals.jsonl",
        programme=lambda wildcards: cell_twin_product(wildcards, "programme.csv"),
    output:
        markers="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/markers.csv",
        manifest="results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/markers.csv.manifest.json",
    log:
        "results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/logs/markers.log",
    benchmark:
        "results/{cohort}/{model}/cells/{cells}/{strategy}/{cell_design}/benchmarks/markers.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
    params:
        settings=cell_settings_of("cell-markers"),
        programme=lambda wildcards, input: option("--programme", input.programme),
    message:
        "Saying which genes move the score of {wildcards.model} by {wildcards.strategy}"
    shell:
        "exec python -m oncoraft cell-markers {input.removals} {params.programme} --out {output.markers} --settings {params.settings:q} 2> {log}"
