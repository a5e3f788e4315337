# The tiny base models of the demo; real ones are folders that are already there.


rule base_model:
    input:
        corpus="results/pretraining/prompts/corpus.jsonl",
    output:
        base=[f"results/pretraining/{{model}}/base/{name}" for name in BUILT_FILES],
        manifest="results/pretraining/{model}/base/manifest.json",
    log:
        "results/pretraining/{model}/logs/base-model.log",
    benchmark:
        "results/pretraining/{model}/benchmarks/base-model.tsv"
    priority: 10
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_tables,
        runtime=30,
        gpu=0,
    params:
        settings=settings_of("base-model"),
        base=subpath(output.manifest, parent=True),
    message:
        "Building and pretraining the tiny base model {wildcards.model}"
    shell:
        "exec python -m oncoraft base-model {input.corpus} --out {params.base} --threads {threads} --gpus {resources.gpu} --settings {params.settings:q} 2> {log}"
