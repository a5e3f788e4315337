# Evidence at the index date, the audit of it, rationales, prompts, and the files of each fold.


rule evidence:
    input:
        tables=TABLES,
        ingested="results/{cohort}/tables/manifest.json",
        cases="results/{cohort}/cases/cases.parquet",
    output:
        evidence="results/{cohort}/prompts/evidence.parquet",
        manifest="results/{cohort}/prompts/evidence.parquet.manifest.json",
    log:
        "results/{cohort}/logs/evidence.log",
    benchmark:
        "results/{cohort}/benchmarks/evidence.tsv"
    priority: 10
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
    params:
        settings=settings_of("evidence"),
        tables=subpath(input.ingested, parent=True),
        cases=subpath(input.cases, parent=True),
    message:
        "Collecting what was known at each index date"
    shell:
        "exec python -m oncoraft evidence {params.tables} {params.cases} --out {output.evidence} --settings {params.settings:q} 2> {log}"


rule audit:
    input:
        instruction=lambda wildcards: plan.config.prompts.instruction_file or [],
        tables=TABLES,
        ingested="results/{cohort}/tables/manifest.json",
        cases="results/{cohort}/cases/cases.parquet",
    output:
        audit="results/{cohort}/prompts/audit.json",
        manifest="results/{cohort}/prompts/audit.json.manifest.json",
    log:
        "results/{cohort}/logs/audit.log",
    benchmark:
        "results/{cohort}/benchmarks/audit.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
    params:
        settings=settings_of("audit"),
        tables=subpath(input.ingested, parent=True),
        cases=subpath(input.cases, parent=True),
    message:
        "Auditing prompts for anything after the index date"
    shell:
        "exec python -m oncoraft audit {params.tables} {params.cases} --out {output.audit} --settings {params.settings:q} 2> {log}"


rule rationales:
    input:
        teacher=lambda wildcards: plan.teacher_files(),
        evidence="results/{cohort}/prompts/evidence.parquet",
        cases="results/{cohort}/cases/cases.parquet",
        labels="results/{cohort}/cases/labels.parquet",
    output:
        rationales="results/{cohort}/prompts/rationales.jsonl",
        manifest="results/{cohort}/prompts/rationales.jsonl.manifest.json",
    log:
        "results/{cohort}/logs/rationales.log",
    benchmark:
        "results/{cohort}/benchmarks/rationales.tsv"
    priority: 10
    conda:
        "../../envs/data.yaml"
    threads: 2
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
    params:
        content=plan.teacher_content(),
        settings=settings_of("rationales"),
        cases=subpath(input.cases, parent=True),
    message:
        "Writing rationales"
    shell:
        "exec python -m oncoraft rationales {input.evidence} {params.cases} --out {output.rationales} --processes {threads} --settings {params.settings:q} 2> {log}"


rule corpus_prompts:
    input:
        instruction=lambda wildcards: plan.config.prompts.instruction_file or [],
        evidence="results/pretraining/prompts/evidence.parquet",
        cases="results/pretraining/cases/cases.parquet",
    output:
        prompts="results/pretraining/prompts/prompts.jsonl",
        manifest="results/pretraining/prompts/prompts.jsonl.manifest.json",
    log:
        "results/pretraining/logs/corpus-prompts.log",
    benchmark:
        "results/pretraining/benchmarks/corpus-prompts.tsv"
    priority: 10
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
    params:
        settings=settings_of("render"),
        cases=subpath(input.cases, parent=True),
    message:
        "Rendering the prompts of the pretraining population"
    shell:
        "exec python -m oncoraft render {input.evidence} {params.cases} --out {output.prompts} --settings {params.settings:q} 2> {log}"


rule corpus:
    input:
        prompts="results/pretraining/prompts/prompts.jsonl",
        rationales="results/pretraining/prompts/rationales.jsonl",
        cases="results/pretraining/cases/cases.parquet",
        labels="results/pretraining/cases/labels.parquet",
    output:
        corpus="results/pretraining/prompts/corpus.jsonl",
        manifest="results/pretraining/prompts/corpus.jsonl.manifest.json",
    log:
        "results/pretraining/logs/corpus.log",
    benchmark:
        "results/pretraining/benchmarks/corpus.tsv"
    priority: 10
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
    params:
        settings=settings_of("split"),
        cases=subpath(input.cases, parent=True),
    message:
        "Writing the corpus that a tiny model reads"
    shell:
        "exec python -m oncoraft split {input.prompts} {input.rationales} {params.cases} --all {output.corpus} --settings {params.settings:q} 2> {log}"


rule render:
    input:
        instruction=lambda wildcards: plan.config.prompts.instruction_file or [],
        evidence="results/{cohort}/prompts/evidence.parquet",
        cases="results/{cohort}/cases/cases.parquet",
        tokenizer=lambda wildcards: plan.tokenizer_files(wildcards.model),
    output:
        prompts="results/{cohort}/{model}/prompts/prompts.jsonl",
        manifest="results/{cohort}/{model}/prompts/prompts.jsonl.manifest.json",
    log:
        "results/{cohort}/{model}/logs/render.log",
    benchmark:
        "results/{cohort}/{model}/benchmarks/render.tsv"
    priority: 10
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
    params:
        settings=settings_of("render"),
        cases=subpath(input.cases, parent=True),
        base=base_folder,
    message:
        "Rendering prompts for {wildcards.model}"
    shell:
        "exec python -m oncoraft render {input.evidence} {params.cases} --tokenizer {params.base:q} --out {output.prompts} --settings {params.settings:q} 2> {log}"


rule split:
    input:
        prompts="results/{cohort}/{model}/prompts/prompts.jsonl",
        rationales="results/{cohort}/prompts/rationales.jsonl",
        cases="results/{cohort}/cases/cases.parquet",
        labels="results/{cohort}/cases/labels.parquet",
        folds="results/{cohort}/cases/folds.parquet",
    output:
        train="results/{cohort}/{model}/prompts/{design}/fold-{fold}/train.jsonl",
        heldout="results/{cohort}/{model}/prompts/{design}/fold-{fold}/heldout.jsonl",
        tuning="results/{cohort}/{model}/prompts/{design}/fold-{fold}/tuning.jsonl",
        manifest="results/{cohort}/{model}/prompts/{design}/fold-{fold}/manifest.json",
    log:
        "results/{cohort}/{model}/logs/split-{design}-{fold}.log",
    benchmark:
        "results/{cohort}/{model}/benchmarks/split-{design}-{fold}.tsv"
    priority: 10
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
    params:
        settings=settings_of("split"),
        cases=subpath(input.cases, parent=True),
    message:
        "Writing fold {wildcards.fold} for {wildcards.model}"
    shell:
        "exec python -m oncoraft split {input.prompts} {input.rationales} {params.cases} --design {wildcards.design} --fold {wildcards.fold} --train {output.train} --heldout {output.heldout} --tuning {output.tuning} --settings {params.settings:q} 2> {log}"


rule control:
    input:
        instruction=lambda wildcards: plan.config.prompts.instruction_file or [],
        train="results/{cohort}/{model}/prompts/{design}/fold-{fold}/train.jsonl",
        heldout="results/{cohort}/{model}/prompts/{design}/fold-{fold}/heldout.jsonl",
        tuning="results/{cohort}/{model}/prompts/{design}/fold-{fold}/tuning.jsonl",
        evidence="results/{cohort}/prompts/evidence.parquet",
        cases="results/{cohort}/cases/cases.parquet",
        tokenizer=lambda wildcards: plan.tokenizer_files(wildcards.model),
    output:
        train="results/{cohort}/{model}/prompts/{design}/fold-{fold}/{control}/train.jsonl",
        heldout="results/{cohort}/{model}/prompts/{design}/fold-{fold}/{control}/heldout.jsonl",
        tuning="results/{cohort}/{model}/prompts/{design}/fold-{fold}/{control}/tuning.jsonl",
        manifest="results/{cohort}/{model}/prompts/{design}/fold-{fold}/{control}/manifest.json",
    log:
        "results/{cohort}/{model}/logs/control-{design}-{fold}-{control}.log",
    benchmark:
        "results/{cohort}/{model}/benchmarks/control-{design}-{fold}-{control}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
    params:
        settings=settings_of("control"),
        cases=subpath(input.cases, parent=True),
        base=base_folder,
        folder=subpath(output.manifest, parent=True),
    message:
        "Writing fold {wildcards.fold} for {wildcards.model} as the control {wildcards.control}"
    shell:
        "exec python -m oncoraft control {wildcards.control} {params.cases} --train {input.train} --heldout {input.heldout} --tuning {input.tuning} --evidence {input.evidence} --tokenizer {params.base:q} --out {params.folder} --settings {params.settings:q} 2> {log}"


rule tokens:
    input:
        prompts="results/{cohort}/{model}/prompts/prompts.jsonl",
        rationales="results/{cohort}/prompts/rationales.jsonl",
        cases="results/{cohort}/cases/cases.parquet",
        labels="results/{cohort}/cases/labels.parquet",
        tokenizer=lambda wildcards: plan.tokenizer_files(wildcards.model),
    output:
        tokens="results/{cohort}/{model}/prompts/tokens.arrow",
        manifest="results/{cohort}/{model}/prompts/tokens.arrow.manifest.json",
    log:
        "results/{cohort}/{model}/logs/tokens.log",
    benchmark:
        "results/{cohort}/{model}/benchmarks/tokens.tsv"
    priority: 10
    conda:
        "../../envs/data.yaml"
    threads: 2
    resources:
        mem_mb=memory_for_ranges,
        runtime=30,
    params:
        settings=settings_of("tokens"),
        cases=subpath(input.cases, parent=True),
        base=base_folder,
    message:
        "Tokenising prompts and answers for {wildcards.model}"
    shell:
        "exec python -m oncoraft tokens {input.prompts} {input.rationales} {params.cases} --tokenizer {params.base:q} --out {output.tokens} --threads {threads} --settings {params.settings:q} 2> {log}"


rule leakage:
    input:
        prompts="results/{cohort}/{model}/prompts/prompts.jsonl",
        rationales="results/{cohort}/prompts/rationales.jsonl",
        cases="results/{cohort}/cases/cases.parquet",
        labels="results/{cohort}/cases/labels.parquet",
        folds="results/{cohort}/cases/folds.parquet",
    output:
        leakage="results/{cohort}/{model}/prompts/{design}/leakage.json",
        manifest="results/{cohort}/{model}/prompts/{design}/leakage.json.manifest.json",
    log:
        "results/{cohort}/{model}/logs/leakage-{design}.log",
    benchmark:
        "results/{cohort}/{model}/benchmarks/leakage-{design}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("leakage"),
        cases=subpath(input.cases, parent=True),
    message:
        "Looking for the label in rationales and in prompts of {wildcards.model}"
    shell:
        "exec python -m oncoraft leakage {input.prompts} {input.rationales} {params.cases} --design {wildcards.design} --out {output.leakage} --settings {params.settings:q} 2> {log}"
