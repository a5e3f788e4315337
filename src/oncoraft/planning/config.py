"""Typed configuration: every key with its unit, its default and its reason; unknown keys are refused.

One frozen model per block. The JSON schema (`workflow/schemas/config.schema.json`) is generated from
these models, and so is the list of what a rule depends on: a step sees only the blocks that it declares
in `oncoraft.planning.steps`. Defaults are those of the real study; the demo (`config/config.yaml`) says what it
changes. Threads, memory, partitions and output folders are not configuration: profiles hold them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import Field, model_validator

from oncoraft.foundation.errors import InputError
from oncoraft.planning.settings.alignment import Alignment, DirectPreference, GroupPolicy, Preferences
from oncoraft.planning.settings.analysis import Baselines, Evaluation, Report, Selection, Survival
from oncoraft.planning.settings.base import Block, Days, Fraction, PathText, Slug
from oncoraft.planning.settings.cells import LEAKING, CellColumns, CellDesign, CellModel, CellStudy, CellTwin, check_cells
from oncoraft.planning.settings.cohort import SUBTYPES, CohortFilter, Definition, Design, Folds, Followup, Ingest, Labels, Regimens, Twin
from oncoraft.planning.settings.cohorts import Cohort, External, Pooling
from oncoraft.planning.settings.models import Adapter, Final, Inference, Model, Strategy, TinyModel, Training
from oncoraft.planning.settings.strategy_checks import check_final, check_fp8, check_lenders, check_scores, check_shard, check_starts
from oncoraft.planning.settings.tasks import KINDS, Radiation, TaskName, TextTask, declared_value
from oncoraft.planning.settings.text import Audit, Evidence, Prompts, Rationales, Split, VerifierName

POOLED = "pooled"  # the cohort that is made of all, for designs that train on all
PRETRAINING = "pretraining"  # the cohort whose text a tiny model reads before it is fine-tuned
RESERVED_FOLDERS = {
    "study",
    "tables",
    "cases",
    "prompts",
    "baselines",
    "comparisons",
    "selection",
    "report",
    "logs",
    "benchmarks",
    "base",
    "state",
    "release",
    "overlap",
    "mapping",
    "label_validity",
    "grid",
    "final",
    "tasks",
    "cells",
}

# Block of a step -> the mapping that it is an entry of.
MAPPINGS = {"model": "models", "strategy": "strategies", "task": "tasks", "cell_study": "cells", "cell_model": "cell_models"}


class Config(Block):
    """The whole configuration."""

    cohort: Slug = Field("msk-chord", description="Name of the cohort; the first folder under results/.")
    study: PathText | None = Field(None, description="Study folder in cBioPortal format; null: make the twin.")
    cohorts: dict[Slug, Cohort] = Field(
        default_factory=dict, description="Further cohorts by name, to which the trained models are applied (external validation)."
    )
    external: External = External()
    pooling: Pooling = Pooling()
    twin: Twin = Twin()
    pretraining: Twin = Field(
        Twin(patients=2000, seed=1009), description="The population whose text a tiny model reads before it is fine-tuned."
    )
    ingest: Ingest = Ingest()
    cohort_filter: CohortFilter = CohortFilter()
    regimens: Regimens = Regimens()
    labels: Labels = Labels()
    followup: Followup = Followup()
    folds: Folds = Folds()
    evidence: Evidence = Evidence()
    audit: Audit = Audit()
    rationales: Rationales = Rationales()
    prompts: Prompts = Prompts()
    split: Split = Split()
    models: dict[Slug, Model] = Field(default_factory=dict, description="Base models by name.")
    strategies: dict[Slug, Strategy] = Field({"raft": Strategy()}, min_length=1, description="Training strategies by name.")
    adapter: Adapter = Adapter()
    training: Training = Training()
    final: Final = Final()
    alignment: Alignment = Alignment()
    preferences: Preferences = Preferences()
    dpo: DirectPreference = DirectPreference()
    grpo: GroupPolicy = GroupPolicy()
    inference: Inference = Inference()
    baselines: Baselines = Baselines()
    evaluation: Evaluation = Evaluation()
    survival: Survival = Survival()
    selection: Selection = Selection()
    report: Report = Report()
    radiation: Radiation = Radiation()
    tasks: dict[TaskName, TextTask] = Field(default_factory=dict, description="Text tasks by name, beside response; none by default.")
    task_training: Training = Training()
    task_adapter: Adapter | None = Field(None, description="LoRA of the tasks' models; null: as `adapter`.")
    cells: dict[TaskName, CellStudy] = Field(
        default_factory=dict, description="Single-cell cohorts by name, beside response; none by default."
    )
    cell_models: dict[Slug, CellModel] = Field(
        default_factory=dict, description="Models of cells by name, which read genes as tokens of their own."
    )
    cell_training: Training = Training()

    @model_validator(mode="after")
    def _one_that_develops(self) -> Config:
        developed = [name for name, one in self.cohorts.items() if one.role == "develop"]
        if len(developed) > 1:
            raise ValueError(f"cohorts: expected one of role develop, found {' and '.join(developed)}")
        for name in developed:
            for key, value in (("cohort", name), ("study", self.cohorts[name].study)):
                if key in self.model_fields_set and getattr(self, key) != value:
                    raise ValueError(f"{key}: expected {value!r}, as cohorts.{name} says, or nothing, found {getattr(self, key)!r}")
                object.__setattr__(self, key, value)
            if self.study is None and self.cohorts[name].reader != "cbioportal":
                raise ValueError(f"cohorts.{name}.study: expected a folder; the twin that models are trained on has MSK-CHORD's layout")
        for name, one in self.cohorts.items():
            if name == PRETRAINING or (name == self.cohort and one.role == "validate"):
                raise ValueError(
                    f"cohorts.{name}: expected a name of its own; it is that of the cohort that {'models are trained on' if name == self.cohort else 'tiny models read'}"
                )
            if one.twin.overlap and (self.study is not None or one.twin.overlap > self.twin.patients or one.twin.seed == self.twin.seed):
                raise ValueError(
                    f"cohorts.{name}.twin.overlap: expected a cohort that is a twin of another seed, with at least so many patients"
                )
        return self

    @model_validator(mode="after")
    def _names_of_their_own(self) -> Config:
        if self.cohort == PRETRAINING:
            raise ValueError(f"cohort: {PRETRAINING!r} is the name of the tiny models' own population")
        if POOLED in (self.cohort, *self.cohorts):
            raise ValueError(
                f"{'cohort' if self.cohort == POOLED else f'cohorts.{POOLED}'}: {POOLED!r} is the name of all cohorts together"
            )
        if self.pooling.designs and not any(one.role == "validate" for one in self.cohorts.values()):
            raise ValueError("pooling.designs: expected a cohort of role validate to pool with")
        if taken := RESERVED_FOLDERS & ({*self.models, *self.strategies, *self.cell_models}):
            raise ValueError(f"{sorted(taken)[0]!r} is the name of a results folder; call the model or strategy something else")
        return self

    @model_validator(mode="after")
    def _strategies_that_fit(self) -> Config:
        check_lenders(self.strategies)
        check_scores(self.strategies)
        check_final(self.final.strategies, self.strategies)
        check_starts(self.strategies)
        check_shard(self.training, self.strategies)
        check_fp8(self.training, self.task_training, self.cell_training, self.strategies)
        return self

    @model_validator(mode="after")
    def _tasks_that_can_be_asked(self) -> Config:
        for name, task in self.tasks.items():
            kind = task.kind or name.replace("-", "_")
            if kind not in KINDS:
                raise ValueError(f"tasks.{name}.kind: expected one of {', '.join(KINDS)}, found {kind!r}")
            if (kind == "file") != (task.file is not None):
                raise ValueError(f"tasks.{name}.file: expected a file just where the kind is file, and the kind is {kind}")
            if task.parts == "from_file" and kind != "file":
                raise ValueError(f"tasks.{name}.parts: expected by_patient; only a file tells its parts")
            if task.strategy == "raft" and task.choices == "free":
                raise ValueError(f"tasks.{name}.strategy: expected choices scored or trie beside raft; its head learns which choice it is")
            if (task.heldout_folds or 0) > self.folds.folds:
                raise ValueError(
                    f"tasks.{name}.heldout_folds: expected at most folds.folds, {self.folds.folds}, found {task.heldout_folds}"
                )
            if declared_value(kind, "needs_courses", False) and self.study is not None and self.radiation.courses is None:
                raise ValueError(f"tasks.{name}: expected radiation.courses; a study's own radiation table holds no dose and no modality")
            object.__setattr__(task, "kind", kind)  # filled in here, so that a step sees what is asked
        return self

    @model_validator(mode="after")
    def _cells_that_can_be_learned_from(self) -> Config:
        check_cells(self.cells, self.models, self.strategies, self.cell_models)
        return self

    @model_validator(mode="after")
    def _one_template(self) -> Config:
        shown = self.rationales.fields_of
        if shown is None:
            # Filled in here, so that the step that writes rationales need not depend on all of `prompts`.
            object.__setattr__(self, "rationales", self.rationales.model_copy(update={"fields_of": self.prompts.template}))
        elif shown != self.prompts.template:
            raise ValueError(f"rationales.fields_of: expected {self.prompts.template!r}, the prompts' template, found {shown!r}")
        return self

    def blocks(self, names: Iterable[str], **choice: str) -> dict[str, Any]:
        """The named blocks; those of `MAPPINGS` are entries of their mappings, picked by `choice`.

        Raises:
            InputError: a chosen entry does not exist.
        """
        picked: dict[str, Any] = {}
        for name in names:
            if name in MAPPINGS:
                entries: dict[str, Block] = getattr(self, MAPPINGS[name])
                chosen = choice.get(name) or next(iter(entries), "")
                if chosen not in entries:
                    raise InputError(f"expected one of {', '.join(entries) or 'none configured'}", column=name, found=chosen)
                picked[name] = entries[chosen]
            else:
                picked[name] = getattr(self, name)
        return picked


BLOCK_TYPES: dict[str, type[Block]] = {
    "external": External,
    "pooling": Pooling,
    "twin": Twin,
    "ingest": Ingest,
    "cohort_filter": CohortFilter,
    "regimens": Regimens,
    "labels": Labels,
    "followup": Followup,
    "folds": Folds,
    "evidence": Evidence,
    "audit": Audit,
    "rationales": Rationales,
    "prompts": Prompts,
    "split": Split,
    "model": Model,
    "strategy": Strategy,
    "adapter": Adapter,
    "training": Training,
    "alignment": Alignment,
    "preferences": Preferences,
    "dpo": DirectPreference,
    "grpo": GroupPolicy,
    "inference": Inference,
    "baselines": Baselines,
    "evaluation": Evaluation,
    "selection": Selection,
    "report": Report,
    "survival": Survival,
    "radiation": Radiation,
    "task": TextTask,
    "task_training": Training,
    "task_adapter": Adapter,
    "cell_study": CellStudy,
    "cell_model": CellModel,
    "cell_training": Training,
}

__all__ = [
    "BLOCK_TYPES",
    "LEAKING",
    "POOLED",
    "PRETRAINING",
    "RESERVED_FOLDERS",
    "SUBTYPES",
    "Adapter",
    "Alignment",
    "Audit",
    "Baselines",
    "Block",
    "CellColumns",
    "CellDesign",
    "CellModel",
    "CellStudy",
    "CellTwin",
    "Cohort",
    "CohortFilter",
    "Config",
    "Days",
    "Definition",
    "Design",
    "DirectPreference",
    "Evaluation",
    "Evidence",
    "External",
    "Folds",
    "Followup",
    "Fraction",
    "GroupPolicy",
    "Inference",
    "Ingest",
    "Labels",
    "Model",
    "Preferences",
    "Prompts",
    "Radiation",
    "Rationales",
    "Regimens",
    "Slug",
    "Split",
    "Strategy",
    "Survival",
    "TextTask",
    "TinyModel",
    "Training",
    "Twin",
    "VerifierName",
]
