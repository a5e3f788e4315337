# The way from a rule of single cells to the plan.


def cell_settings_of(step):
    """The tracked parameter of a rule that runs `step` for a single-cell cohort."""
    return lambda wildcards: plan.cells.settings(
        step,
        wildcards.cells,
        wildcards.get("cohort", "pretraining"),
        wildcards.get("strategy", ""),
        wildcards.get("model", ""),
        wildcards.get("cell_model", ""),
    )


def cell_home(wildcards):
    """The folder of a single-cell cohort, whatever model reads it."""
    return f"results/{wildcards.cohort}/cells/{wildcards.cells}"


def cell_twin_product(wildcards, name):
    """A file of the twin's truth; of real files there is none."""
    is_twin = plan.cells.is_twin(wildcards.cells)
    return [f"{cell_home(wildcards)}/twin/{name}"] if is_twin else []


def cell_base_folder(wildcards):
    """The base model that reads a cohort's sentences: one that has read cells, where the settings ask for that."""
    own = plan.cells.has_own_base(wildcards.model, wildcards.cells)
    built = f"results/pretraining/cells/{wildcards.cells}/{wildcards.model}/base"
    return built if own else plan.base_folder(wildcards.model)


def cell_base_files(wildcards):
    """Its files."""
    own = plan.cells.has_own_base(wildcards.model, wildcards.cells)
    folder = cell_base_folder(wildcards)
    return (
        [f"{folder}/{name}" for name in BUILT_FILES]
        if own
        else plan.base_files(wildcards.model)
    )


def cell_fold_model(wildcards):
    """The folder of a trained fold."""
    return f"results/{wildcards.cohort}/{wildcards.model}/cells/{wildcards.cells}/{wildcards.strategy}/{wildcards.cell_design}/fold-{wildcards.fold}"


def cell_fold_model_files(wildcards):
    """What training left for it; nothing where a strategy trains nothing."""
    names = plan.fold_model_names(wildcards.strategy)
    return [f"{cell_fold_model(wildcards)}/{name}" for name in names]


def cell_fold_model_option(wildcards):
    """The argument that hands it to inference."""
    trained = plan.fold_model_names(wildcards.strategy)
    return f"--fold-model {cell_fold_model(wildcards)}" if trained else ""


def cell_examples(wildcards):
    """The training cases that a few-shot prompt takes its examples from."""
    wanted = plan.config.strategies[wildcards.strategy].examples
    folder = f"{cell_home(wildcards)}/{wildcards.cell_design}/fold-{wildcards.fold}"
    return [f"{folder}/train.jsonl"] if wanted else []


def cell_runs_option(wildcards):
    """The arguments that hand every model's predictions of a design to the scores."""
    found = plan.cells.runs(wildcards.cells, wildcards.cohort, wildcards.cell_design)
    return " ".join(f"--run {name} {' '.join(files)}" for name, files in found.items())
