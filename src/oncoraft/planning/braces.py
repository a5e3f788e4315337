"""Paths that the engine cannot be given."""

from __future__ import annotations

from oncoraft.foundation.errors import InputError
from oncoraft.planning.cell_plan import cell_paths
from oncoraft.planning.config import Config


def refuse_braces(config: Config) -> None:
    """Refuse input paths with braces: the engine (snakemake 9.27) takes them for wildcards, also where a function returns the path.

    Raises:
        InputError: the first, by its key.
    """
    paths = {
        "study": config.study,
        "folds.frozen": config.folds.frozen,
        "cohort_filter.patients": config.cohort_filter.patients,
        "survival.covariate_file": config.survival.covariate_file,
        "external.shared_patients": config.external.shared_patients,
        **{f"cohorts.{name}.{key}": getattr(one, key) for name, one in config.cohorts.items() for key in ("study", "mapping")},
        "prompts.instruction_file": config.prompts.instruction_file,
        "rationales.file": config.rationales.file,
        "rationales.endpoint_instruction": config.rationales.endpoint_instruction,
        "preferences.file": config.preferences.file,
        "radiation.courses": config.radiation.courses,
        **{f"tasks.{name}.file": task.file for name, task in config.tasks.items()},
        **cell_paths(config),
        **{f"models.{name}.path": model.path for name, model in config.models.items()},
    }
    for key, path in paths.items():
        if path is not None and {"{", "}"} & set(path):
            raise InputError(
                f"{key}: expected a path without braces, which the engine takes for wildcards; a link by another name will do", found=path
            )
