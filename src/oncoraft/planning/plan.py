"""What the workflow has to know before it runs: settings per rule, folders of models and study, what is missing.

Pure and light: it is imported each time that the workflow is parsed, on a cluster once per job, so neither
pandas nor torch may be imported from here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import canonical_json
from oncoraft.knowledge.study_files import case_list_files, data_files
from oncoraft.knowledge.tables import DERIVED_TABLES, TABLES
from oncoraft.planning.braces import refuse_braces
from oncoraft.planning.cell_plan import CellPlan
from oncoraft.planning.config import MAPPINGS, PRETRAINING, CohortFilter, Config, Twin
from oncoraft.planning.config_files import check_config
from oncoraft.planning.content import Content
from oncoraft.planning.further import LEAVE_COHORT_OUT, FurtherCohorts
from oncoraft.planning.missing import missing_of_model, missing_of_study, module_on_path
from oncoraft.planning.settings.analysis import CLINICAL_TABLES
from oncoraft.planning.sources import code_digest
from oncoraft.planning.steps import STEPS
from oncoraft.planning.task_plan import TaskPlan

BUILT_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
CLOCK_SKEW_SECONDS = 60  # between this machine and a file server
TABLE_NAMES = tuple(table.name for table in (*TABLES, *DERIVED_TABLES))


class Plan(FurtherCohorts):
    """A checked configuration, asked by the rules.

    Args:
        values: the merged configuration as the engine holds it.
        files: the files that it came from, for line numbers in messages.
        words: what of it the command line said; within a mapping the engine (snakemake 9.27) reads every number there as a text.

    Raises:
        InputError: the first problem in the configuration.
    """

    def __init__(self, values: Mapping[str, object], files: Iterable[str] = (), words: Mapping[str, Any] | None = None) -> None:
        self.config: Config = check_config(dict(values), [Path(file) for file in files], words)
        if not self.config.models:
            raise InputError("models: expected at least one base model to fine-tune", file=next(iter(files), None))
        refuse_braces(self.config)
        self.cohorts = (self.config.cohort, PRETRAINING, *self.judged_cohorts(), *self.pooled_cohort())
        self.steps_asked: set[str] = set()  # steps of the jobs of this plan
        self.content = Content()
        self.base_listed: dict[str, list[str]] = {}  # by model: a plan's jobs, hundreds of them, ask for the same folder
        self.base_digests: dict[str, str] = {}
        self.settings_told: dict[tuple[str, ...], str] = {}  # by step and what picks its blocks
        self.tasks = TaskPlan(self.config, self.content, self.steps_asked)
        self.cells = CellPlan(self.config, self.content, self.steps_asked)

    def settings(self, step: str, **choice: str) -> str:
        """The one tracked parameter of a rule: the blocks that its step reads and the digest of its code, as JSON.

        Args:
            step: a key of `STEPS`.
            choice: `model=`, `strategy=`, and `cohort=` where they matter.
        """
        self.steps_asked.add(step)
        # Nothing else of a job's wildcards picks a block: folds and shards, hundreds of them, share theirs.
        key = (step, *(choice.get(name, "") for name in ("cohort", *MAPPINGS)))
        if key not in self.settings_told:
            self.settings_told[key] = self._settings(step, **choice)
        return self.settings_told[key]

    def _settings(self, step: str, **choice: str) -> str:
        blocks = self.config.blocks(STEPS[step].blocks, **choice)
        if choice.get("cohort") == PRETRAINING and "twin" in blocks:
            blocks["twin"] = self.config.pretraining
        second = self.config.cohorts.get(choice.get("cohort", "")) if choice.get("cohort") in self.judged_cohorts() else None
        if second is not None and "twin" in blocks:
            blocks["twin"] = Twin(patients=second.twin.patients, seed=second.twin.seed, clean=self.config.twin.clean)
        if second is not None and "cohort_filter" in blocks:
            blocks["cohort_filter"] = CohortFilter(patients=self.judged_list(choice["cohort"]))
        # The filter limits the configured cohort; of their own population tiny models read everyone.
        if choice.get("cohort") == PRETRAINING and "cohort_filter" in blocks:
            blocks["cohort_filter"] = CohortFilter()
        values = {name: block.model_dump(mode="json") for name, block in blocks.items()}
        return canonical_json(values | {"code": code_digest(step)})

    def base_folder(self, model: str) -> str:
        """The folder of a base model."""
        path = self.config.models[model].path
        return f"results/{PRETRAINING}/{model}/base" if path is None else path

    def base_files(self, model: str) -> list[str]:
        """The files of a base model that a rule depends on; of a folder that does not exist, none."""
        folder = self.base_folder(model)
        if self.is_built(model):
            return [f"{folder}/{name}" for name in BUILT_FILES]
        if model not in self.base_listed:
            found = sorted(Path(folder).glob("*"))
            self.base_listed[model] = [file.as_posix() for file in found if file.suffix in {".json", ".safetensors", ".model", ".jinja"}]
        return self.base_listed[model]

    def folds(self, design: str) -> range:
        """The held-out folds of a design, from 0."""
        return range(len(self.pooled_from()) if design == LEAVE_COHORT_OUT else self.config.folds.count(design))

    def aligned_strategies(self, method: str | None = None) -> str:
        """A wildcard's pattern for the strategies that go on from another, by one method or any; nothing where there are none."""
        methods = (method,) if method else ("dpo", "grpo")
        return "|".join(name for name, one in self.config.strategies.items() if one.method in methods) or "(?!)"

    def is_aligned(self, strategy: str) -> bool:
        """Whether a strategy goes on from another."""
        return self.config.strategies[strategy].is_aligned

    def method_of(self, strategy: str) -> str:
        """How a strategy is trained: supervised, dpo or grpo."""
        return self.config.strategies[strategy].method

    def start_of(self, strategy: str) -> str:
        """The strategy that an aligned one goes on from.

        Raises:
            KeyError: it goes on from none.
        """
        start = self.config.strategies[strategy].start
        if start is None:
            raise KeyError(strategy)
        return start

    def trainer_of(self, strategy: str) -> str:
        """The strategy whose fold models a strategy scores with: its own, unless it borrows another's."""
        return self.config.strategies[strategy].model_of or strategy

    def controls(self) -> list[str]:
        """The negative controls that some strategy is."""
        return sorted({one.control for one in self.config.strategies.values() if one.control})

    def fold_model_names(self, strategy: str) -> list[str]:
        """Names of the files that training or alignment leaves for inference; none where a strategy trains nothing."""
        one = self.config.strategies[strategy]
        if one.probe:
            return ["probe.json", "manifest.json"]
        adapter = ["adapter_config.json", "adapter_model.safetensors"] if one.has_adapter else []
        head = ["score_head.pt"] if one.has_head else []
        return [*adapter, *head, "manifest.json"] if one.is_trained else []

    def tokenizer_files(self, model: str) -> list[str]:
        """The files of a base model that decide how text becomes tokens."""
        return [file for file in self.base_files(model) if "token" in Path(file).name]

    @staticmethod
    def study_file_names() -> list[str]:
        """Names of a study's data files, in the order of their specifications."""
        return [table.file for table in TABLES]

    def study_files(self, cohort: str) -> list[str]:
        """The data files that ingestion depends on: all of a twin's, those that exist of a real study with its case lists.

        Of a study whose files cannot be told apart, none: `missing` says which and why before anything runs.
        """
        folder = self.study_folder(cohort)
        if self.is_converted(cohort):
            return [folder]
        if self.has_truth(cohort):
            return [f"{folder}/{table.file}" for table in TABLES]
        try:
            files = [*data_files(Path(folder)).values(), *case_list_files(Path(folder)).values()]
            return sorted({path.as_posix() for path in files})
        except InputError:
            return []

    def study_content(self, cohort: str) -> str:
        """Digest of a study's data files; of a twin's nothing, unless somebody changed what the twin wrote."""
        if self.is_converted(cohort):
            return ""  # the workflow's own
        files = [Path(file) for file in self.study_files(cohort)]
        if not self.has_truth(cohort):
            return self.content.of(files)
        record = Path(f"results/{cohort}/truth.parquet.manifest.json")
        try:
            written = {Path(name).name: digest for name, digest in json.loads(record.read_text(encoding="utf-8"))["outputs"].items()}
        except (OSError, ValueError, KeyError, AttributeError):
            return ""  # not made yet: the engine makes it, and what follows
        altered = [file for file in files if file.is_file() and self.content.digest(file) != written.get(file.name)]
        return self.content.of(altered)

    def base_content(self, model: str) -> str:
        """Digest of the files of a base model from outside; of one that the workflow builds nothing."""
        if model not in self.base_digests:
            self.base_digests[model] = "" if self.is_built(model) else self.content.of(Path(file) for file in self.base_files(model))
        return self.base_digests[model]

    def teacher_content(self) -> str:
        """Digest of the files that the teacher reads."""
        return self.content.of(Path(file) for file in self.teacher_files())

    def dated_ahead(self, now: float) -> list[str]:
        """Files from outside whose time lies in the future, one line each: the engine would throw away what is made from them.

        Args:
            now: seconds since the epoch.
        """
        cohorts = [one for one in (self.config.cohort, *self.judged_cohorts()) if self._study(one) is not None]
        files = [file for one in cohorts for file in (self.source_files(one) if self.is_converted(one) else self.study_files(one))]
        files += [*self.teacher_files(), *self.covariate_files(), *self.tasks.files(), *self.cells.all_files()]
        files += [file for model in self.config.models if not self.is_built(model) for file in self.base_files(model)]
        late = [file for file in files if Path(file).is_file() and Path(file).stat().st_mtime > now + CLOCK_SKEW_SECONDS]
        return [f"{file}: dated in the future, so that nothing made from it would count as current; run `touch` on it" for file in late]

    def filter_files(self, cohort: str) -> list[str]:
        """The list of patients that a cohort is limited to, if it is."""
        if cohort in self.judged_cohorts():
            return [self.judged_list(cohort)]
        listed = self.config.cohort_filter.patients
        return [listed] if listed is not None and cohort == self.config.cohort else []

    def covariate_files(self) -> list[str]:
        """The covariates of one's own that survival is adjusted for, if any."""
        given = self.config.survival.covariate_file
        return [given] if given is not None else []

    def survival_tables(self) -> list[str]:
        """Clinical tables that survival takes covariates from."""
        return [name for name in CLINICAL_TABLES if self.config.survival.table_columns(name)]

    def teacher_files(self) -> list[str]:
        """Files that the teacher reads: given rationales, or the instruction of an endpoint."""
        block = self.config.rationales
        given = {"file": block.file, "endpoint": block.endpoint_instruction, "template": None}[block.teacher]
        return [given] if given is not None else []

    def choice_files(self) -> list[str]:
        """The file of clinicians' choices that pairs are made from, if there is one."""
        return [self.config.preferences.file] if self.config.preferences.file else []

    def choice_content(self) -> str:
        """Digest of the file of clinicians' choices."""
        return self.content.of(Path(file) for file in self.choice_files())

    def own_reward_files(self) -> dict[str, Path | None]:
        """Reward of the user's own -> the file of its module on the Python path of the jobs; None where there is none.

        Looked for by name alone: nothing of the user's is imported while a workflow is planned.
        """
        return {name: module_on_path(reward.function.partition(":")[0]) for name, reward in self.config.alignment.own_rewards.items()}

    def own_reward_content(self) -> str:
        """Digest of the modules that hold rewards of the user's own; what those import themselves is not in it."""
        return self.content.of({file for file in self.own_reward_files().values() if file is not None})

    def missing(self) -> list[str]:
        """What a real run needs and does not find, one line each: study tables and base models."""
        lines = []
        if self.config.study is not None and self.is_converted(self.config.cohort):
            lines += [] if Path(self.config.study).is_dir() else [f"{self.config.study}: no such study folder (configuration key `study`)"]
        elif self.config.study is not None:
            lines += missing_of_study(self.config.study)
        lines += self._missing_of_further()
        lines += [f"{file}: no such file (configuration block `rationales`)" for file in self.teacher_files() if not Path(file).is_file()]
        if any(one.method == "dpo" for one in self.config.strategies.values()):
            key = "configuration key `preferences.file`"
            lines += [f"{file}: no such file ({key})" for file in self.choice_files() if not Path(file).is_file()]
        if any(one.is_aligned for one in self.config.strategies.values()):
            lines += [
                f"{self.config.alignment.own_rewards[name].function}: no such module in the folder of the run, and none is installed "
                f"(configuration key `alignment.own_rewards.{name}.function`)"
                for name, file in self.own_reward_files().items()
                if file is None
            ]
        listed = self.filter_files(self.config.cohort)
        lines += [f"{file}: no such file (configuration key `cohort_filter.patients`)" for file in listed if not Path(file).is_file()]
        lines += [
            f"{file}: no such file (configuration key `survival.covariate_file`)"
            for file in self.covariate_files()
            if not Path(file).is_file()
        ]
        lines += [*self.tasks.missing(), *self.cells.missing()]
        for name, model in self.config.models.items():
            lines += missing_of_model(name, model.path)
        return lines
