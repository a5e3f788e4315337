# Further cohorts: read in their own layout, freed of whom the models have seen, and judged by the models of the configured cohort, unchanged.


rule twin_release:
    output:
        release=directory("results/{cohort}/release"),
        truth="results/{cohort}/truth.parquet",
        manifest="results/{cohort}/truth.parquet.manifest.json",
    log:
        "results/{cohort}/logs/twin-release.log",
    benchmark:
        "results/{cohort}/benchmarks/twin-release.tsv"
    wildcard_constraints:
        cohort=plan.cohorts_where(converted=True, truth=True),
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_ranges,
        runtime=20,
    params:
        settings=settings_of("twin"),
        shared=lambda wildcards: plan.config.cohorts[wildcards.cohort].twin.overlap,
        seed=lambda wildcards: plan.config.twin.seed,
    message:
        "Making the synthetic release '{wildcards.cohort}'"
    shell:
        "exec python -m oncoraft twin --layout genie-bpc --out {output.release} --truth {output.truth} --overlap {params.shared} --overlap-seed {params.seed} --processes {threads} --settings {params.settings:q} 2> {log}"


rule convert:
    input:
        source=lambda wildcards: plan.source_files(wildcards.cohort),
    output:
        study=directory("results/{cohort}/study"),
    log:
        "results/{cohort}/logs/convert.log",
    benchmark:
        "results/{cohort}/benchmarks/convert.tsv"
    wildcard_constraints:
        cohort=plan.cohorts_where(converted=True),
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=30,
    params:
        settings=settings_of("convert"),
        source=lambda wildcards: plan.source_folder(wildcards.cohort),
        content=lambda wildcards: plan.source_content(wildcards.cohort),
        reader=lambda wildcards: plan.reader(wildcards.cohort),
        mapping=lambda wildcards: mapping_option(wildcards),
    message:
        "Reading '{wildcards.cohort}' as {params.reader}"
    shell:
        "exec python -m oncoraft convert {params.source:q} --reader {params.reader} {params.mapping} --out {output.study} --settings {params.settings:q} 2> {log}"


rule overlap:
    input:
        second="results/{cohort}/tables/clinical_patient.parquet",
        second_samples="results/{cohort}/tables/clinical_sample.parquet",
        first=f"results/{plan.config.cohort}/tables/clinical_patient.parquet",
        first_samples=f"results/{plan.config.cohort}/tables/clinical_sample.parquet",
        listed=plan.config.external.shared_patients or [],
    output:
        patients="results/{cohort}/overlap/patients.txt",
        overlap="results/{cohort}/overlap/overlap.json",
        matched="results/{cohort}/overlap/matched.csv",
        manifest="results/{cohort}/overlap/manifest.json",
    log:
        "results/{cohort}/logs/overlap.log",
    benchmark:
        "results/{cohort}/benchmarks/overlap.tsv"
    wildcard_constraints:
        cohort=JUDGED_COHORTS,
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("overlap"),
        second=subpath(input.second, parent=True),
        first=subpath(input.first, parent=True),
        folder=subpath(output.overlap, parent=True),
    message:
        "Looking for patients of '{wildcards.cohort}' whom the models have seen"
    shell:
        "exec python -m oncoraft overlap {params.second} {params.first} --out {params.folder} --settings {params.settings:q} 2> {log}"


rule outside_folds:
    input:
        cases="results/{cohort}/cases/cases.parquet",
    output:
        folds="results/{cohort}/cases/folds.parquet",
        manifest="results/{cohort}/cases/folds.parquet.manifest.json",
    log:
        "results/{cohort}/logs/outside-folds.log",
    benchmark:
        "results/{cohort}/benchmarks/outside-folds.tsv"
    wildcard_constraints:
        cohort=JUDGED_COHORTS,
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("outside-folds"),
        cases=subpath(input.cases, parent=True),
    message:
        "Parting the patients of '{wildcards.cohort}'"
    shell:
        "exec python -m oncoraft outside-folds {params.cases} --settings {params.settings:q} 2> {log}"


rule mapping:
    input:
        tables=TABLES,
        ingested="results/{cohort}/tables/manifest.json",
        evidence="results/{cohort}/prompts/evidence.parquet",
        study=lambda wildcards: reader_folder(wildcards),
    output:
        mapping="results/{cohort}/mapping/mapping.csv",
        manifest="results/{cohort}/mapping/mapping.csv.manifest.json",
    log:
        "results/{cohort}/logs/mapping.log",
    benchmark:
        "results/{cohort}/benchmarks/mapping.tsv"
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("mapping"),
        tables=subpath(input.ingested, parent=True),
        told=lambda wildcards, input: option(
            "--reader-mapping", [f"{one}/mapping.json" for one in input.study]
        ),
    message:
        "Telling what '{wildcards.cohort}' has of every field"
    shell:
        "exec python -m oncoraft mapping {params.tables} --evidence {input.evidence} {params.told} --out {output.mapping} --settings {params.settings:q} 2> {log}"


rule outside_cases:
    input:
        prompts="results/{cohort}/{model}/prompts/prompts.jsonl",
        cases="results/{cohort}/cases/cases.parquet",
        labels="results/{cohort}/cases/labels.parquet",
        folds="results/{cohort}/cases/folds.parquet",
        audit="results/{cohort}/prompts/audit.json",
        tokenizer=lambda wildcards: plan.tokenizer_files(wildcards.model),
        models=lambda wildcards: home_models(
            wildcards, ["training_patients.txt", "manifest.json"]
        ),
    output:
        heldout="results/{cohort}/{model}/{strategy}/{design}/heldout.jsonl",
        manifest="results/{cohort}/{model}/{strategy}/{design}/heldout.jsonl.manifest.json",
    log:
        "results/{cohort}/{model}/{strategy}/{design}/logs/outside-cases.log",
    benchmark:
        "results/{cohort}/{model}/{strategy}/{design}/benchmarks/outside-cases.tsv"
    wildcard_constraints:
        cohort=JUDGED_COHORTS,
        strategy=APPLIED_STRATEGIES,
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("outside-cases"),
        cases=subpath(input.cases, parent=True),
        base=base_folder,
        models=lambda wildcards: " ".join(home_models(wildcards, [""])),
    message:
        "Writing the cases of '{wildcards.cohort}' for the models of {wildcards.strategy}"
    shell:
        "exec python -m oncoraft outside-cases {input.prompts} {params.cases} --models {params.models} --tokenizer {params.base:q} --design {wildcards.design} --out {output.heldout} --settings {params.settings:q} 2> {log}"


rule apply:
    input:
        heldout="results/{cohort}/{model}/{strategy}/{design}/heldout.jsonl",
        base=base_files,
        fold_model=lambda wildcards: applied_model_files(wildcards),
        examples=lambda wildcards: applied_examples(wildcards),
    output:
        shard="results/{cohort}/{model}/{strategy}/{design}/applied/fold-{fold}/shard-{shard}.jsonl",
        manifest="results/{cohort}/{model}/{strategy}/{design}/applied/fold-{fold}/shard-{shard}.jsonl.manifest.json",
    log:
        "results/{cohort}/{model}/{strategy}/{design}/logs/apply-{fold}-{shard}.log",
    benchmark:
        "results/{cohort}/{model}/{strategy}/{design}/benchmarks/apply-{fold}-{shard}.tsv"
    wildcard_constraints:
        cohort=JUDGED_COHORTS,
        strategy=APPLIED_READERS,
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
        fold_model=applied_model_option,
        examples=examples_option,
        shards=len(SHARDS),
    message:
        "Applying {wildcards.model} by {wildcards.strategy}, fold {wildcards.fold}, to '{wildcards.cohort}', shard {wildcards.shard}"
    shell:
        "exec python -m oncoraft infer {input.heldout} --base {params.base:q} {params.fold_model} {params.examples} --shard {wildcards.shard} --shards {params.shards} --out {output.shard} --threads {threads} --gpus {resources.gpu} --settings {params.settings:q} 2> {log}"


rule average:
    input:
        shards=lambda wildcards: [
            shard
            for fold in plan.folds(wildcards.design)
            for shard in applied_shards(wildcards, fold)
        ],
        heldout="results/{cohort}/{model}/{strategy}/{design}/heldout.jsonl",
        recalibration=lambda wildcards: [
            f"results/{plan.config.cohort}/{wildcards.model}/{wildcards.strategy}/{wildcards.design}/fold-{fold}/recalibration.json"
            for fold in plan.folds(wildcards.design)
        ],
    output:
        predictions="results/{cohort}/{model}/{strategy}/{design}/predictions.jsonl",
        manifest="results/{cohort}/{model}/{strategy}/{design}/predictions.jsonl.manifest.json",
    log:
        "results/{cohort}/{model}/{strategy}/{design}/logs/average.log",
    benchmark:
        "results/{cohort}/{model}/{strategy}/{design}/benchmarks/average.tsv"
    wildcard_constraints:
        cohort=JUDGED_COHORTS,
        strategy=APPLIED_STRATEGIES,
    conda:
        "../../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("average"),
        folds=lambda wildcards: " ".join(
            "--fold " + " ".join(applied_shards(wildcards, fold))
            for fold in plan.folds(wildcards.design)
        ),
    message:
        "Averaging the models of {wildcards.model} by {wildcards.strategy} on '{wildcards.cohort}'"
    shell:
        "exec python -m oncoraft average {params.folds} --heldout {input.heldout} --recalibration {input.recalibration} --out {output.predictions} --settings {params.settings:q} 2> {log}"


rule apply_baselines:
    input:
        first=f"results/{plan.config.cohort}/cases/cases.parquet",
        first_labels=f"results/{plan.config.cohort}/cases/labels.parquet",
        first_folds=f"results/{plan.config.cohort}/cases/folds.parquet",
        first_evidence=f"results/{plan.config.cohort}/prompts/evidence.parquet",
        second="results/{cohort}/cases/cases.parquet",
        second_labels="results/{cohort}/cases/labels.parquet",
        second_folds="results/{cohort}/cases/folds.parquet",
        second_evidence="results/{cohort}/prompts/evidence.parquet",
        truth=truth_of,
    output:
        predictions="results/{cohort}/baselines/{design}/predictions.parquet",
        manifest="results/{cohort}/baselines/{design}/manifest.json",
    log:
        "results/{cohort}/logs/apply-baselines-{design}.log",
    benchmark:
        "results/{cohort}/benchmarks/apply-baselines-{design}.tsv"
    wildcard_constraints:
        cohort=JUDGED_COHORTS,
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=60,
    params:
        settings=settings_of("apply-baselines"),
        first=subpath(input.first, parent=True),
        second=subpath(input.second, parent=True),
        truth=truth_option,
    message:
        "Applying the baselines to '{wildcards.cohort}'"
    shell:
        "exec python -m oncoraft apply-baselines --first {params.first} {input.first_evidence} --second {params.second} {input.second_evidence} --design {wildcards.design} {params.truth} --out {output.predictions} --settings {params.settings:q} 2> {log}"


rule external:
    input:
        home=lambda wildcards: f"results/{plan.config.cohort}/{wildcards.model}/{wildcards.strategy}/{wildcards.design}/predictions.jsonl",
        home_cases=f"results/{plan.config.cohort}/cases/cases.parquet",
        home_labels=f"results/{plan.config.cohort}/cases/labels.parquet",
        home_folds=f"results/{plan.config.cohort}/cases/folds.parquet",
        home_baselines=f"results/{plan.config.cohort}/baselines/{{design}}/predictions.parquet",
        away="results/{cohort}/{model}/{strategy}/{design}/predictions.jsonl",
        away_cases="results/{cohort}/cases/cases.parquet",
        away_labels="results/{cohort}/cases/labels.parquet",
        away_folds="results/{cohort}/cases/folds.parquet",
        away_baselines="results/{cohort}/baselines/{design}/predictions.parquet",
        final=lambda wildcards: final_predictions(wildcards),
    output:
        external="results/{cohort}/{model}/{strategy}/{design}/external/external.json",
        table="results/{cohort}/{model}/{strategy}/{design}/external/external.csv",
        calibration="results/{cohort}/{model}/{strategy}/{design}/external/calibration.csv",
        manifest="results/{cohort}/{model}/{strategy}/{design}/external/manifest.json",
    log:
        "results/{cohort}/{model}/{strategy}/{design}/logs/external.log",
    benchmark:
        "results/{cohort}/{model}/{strategy}/{design}/benchmarks/external.tsv"
    wildcard_constraints:
        cohort=JUDGED_COHORTS,
        strategy=APPLIED_STRATEGIES,
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("external"),
        home_cases=subpath(input.home_cases, parent=True),
        away_cases=subpath(input.away_cases, parent=True),
        home_name=plan.config.cohort,
        folder=subpath(output.external, parent=True),
        final=lambda wildcards, input: option("--final", input.final),
    message:
        "Judging {wildcards.model} by {wildcards.strategy} on '{wildcards.cohort}'"
    shell:
        "exec python -m oncoraft external --home {input.home} {params.home_cases} {input.home_baselines} --home-name {params.home_name} --away {input.away} {params.away_cases} {input.away_baselines} --away-name {wildcards.cohort} --model {wildcards.model} --strategy {wildcards.strategy} --design {wildcards.design} {params.final} --out {params.folder} --settings {params.settings:q} 2> {log}"


# Of a cohort whose scans people have read. Patients of both cohorts serve this comparison, and nothing else.
rule label_validity:
    input:
        study=lambda wildcards: reader_folder(wildcards),
        second=TABLES,
        second_ingested="results/{cohort}/tables/manifest.json",
        second_cases="results/{cohort}/cases/cases.parquet",
        second_labels="results/{cohort}/cases/labels.parquet",
        second_folds="results/{cohort}/cases/folds.parquet",
        first=expand(TABLES, cohort=plan.config.cohort),
        first_ingested=f"results/{plan.config.cohort}/tables/manifest.json",
        first_cases=f"results/{plan.config.cohort}/cases/cases.parquet",
        first_labels=f"results/{plan.config.cohort}/cases/labels.parquet",
        first_folds=f"results/{plan.config.cohort}/cases/folds.parquet",
        matched="results/{cohort}/overlap/matched.csv",
        applied=lambda wildcards: applied_predictions(wildcards, wildcards.cohort),
        home=lambda wildcards: applied_predictions(wildcards, plan.config.cohort),
    output:
        labels="results/{cohort}/label_validity/{design}/labels.json",
        agreement="results/{cohort}/label_validity/{design}/agreement.csv",
        confusion="results/{cohort}/label_validity/{design}/confusion.csv",
        auroc="results/{cohort}/label_validity/{design}/auroc.csv",
        manifest="results/{cohort}/label_validity/{design}/manifest.json",
    log:
        "results/{cohort}/logs/label-validity-{design}.log",
    benchmark:
        "results/{cohort}/benchmarks/label-validity-{design}.tsv"
    wildcard_constraints:
        cohort=CURATED_COHORTS,
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
    params:
        settings=settings_of("label-validity"),
        second=subpath(input.second_ingested, parent=True),
        second_cases=subpath(input.second_cases, parent=True),
        first=subpath(input.first_ingested, parent=True),
        first_cases=subpath(input.first_cases, parent=True),
        folder=subpath(output.labels, parent=True),
    message:
        "Holding the labels of '{wildcards.cohort}' against what people have read"
    shell:
        "exec python -m oncoraft label-validity --study {input.study} --second {params.second} {params.second_cases} --first {params.first} {params.first_cases} --matched {input.matched} --applied {input.applied} --home {input.home} --design {wildcards.design} --out {params.folder} --settings {params.settings:q} 2> {log}"
