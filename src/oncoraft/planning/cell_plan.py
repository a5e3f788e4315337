"""What the workflow has to know of single-cell cohorts before it runs: their files, designs and folds, who reads them, settings of rules.

Light, as all that is imported when the workflow is parsed: neither pandas nor torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oncoraft.foundation.provenance import canonical_json
from oncoraft.planning.config import LEAKING, PRETRAINING, Block, CellColumns, CellStudy, CellTwin, Config
from oncoraft.planning.content import Content
from oncoraft.planning.sources import code_digest
from oncoraft.planning.steps import STEPS

NOTHING = "(?!)"  # a wildcard's pattern that matches nothing
# Keys that no step reads but those that are named: a change of one reruns these and what follows from them alone.
READERS = {
    "twin": {"twin-cells"},
    "pretraining": set(),
    "models": set(),
    "strategies": set(),
    "model_designs": set(),
    "designs": {"cell-folds", "cell-baselines"},
    "cell_models": set(),
    "cell_strategies": set(),
    "token_budget": {"cell-prompts"},
    "max_training_cases": {"cell-split"},
    "max_heldout_cases": {"cell-split"},
    "variable_genes": {"cell-expression", "cell-baselines"},
    "marker_genes": {"cell-removals"},
    "marker_cases": {"cell-removals"},
    "bootstrap": {"cell-scores", "cell-markers"},
}

# Of real files, how those of the twin that tiny models read first are declared; sentences are made as the files' own.
DEFAULTS = CellStudy()
AS_A_TWIN = {
    name: getattr(DEFAULTS, name) for name in ("files", "labels", "matrix", "values", "gene_ids", "gene_column", "gene_table", "donors")
} | {
    "columns": CellColumns(time="timepoint", doublet="doublet"),
    "times": ("before",),
}


def cell_paths(config: Config) -> dict[str, str | None]:
    """Paths that the configuration gives of cells, by their keys."""
    found: dict[str, str | None] = {f"cells.{name}.gene_table": study.gene_table for name, study in config.cells.items()}
    found |= {
        f"cell_models.{name}.{key}": getattr(one, key)
        for name, one in config.cell_models.items()
        for key in ("path", "vocabulary", "gene_table")
    }
    return found | {f"cells.{name}.files[{place}]": file for name, study in config.cells.items() for place, file in enumerate(study.files)}


class CellPlan:
    """The single-cell cohorts of a configuration, asked by the rules."""

    def __init__(self, config: Config, content: Content, steps_asked: set[str]) -> None:
        self.config, self.content, self.steps_asked = config, content, steps_asked

    def names(self) -> list[str]:
        """The cohorts of cells."""
        return list(self.config.cells)

    def study(self, name: str) -> CellStudy:
        """The settings of one."""
        return self.config.cells[name]

    def is_twin(self, name: str) -> bool:
        """Whether its files are made here."""
        return not self.study(name).files

    def patterns(self) -> dict[str, str]:
        """Patterns of the wildcards `cells` and `cell_design`; they match nothing where there are no cohorts of cells."""
        designs = dict.fromkeys(design for name in self.names() for design in self.study(name).designs)
        found = {"cells": self.names(), "cell_design": designs, "cell_model": self.config.cell_models}
        return {name: "|".join(values) or NOTHING for name, values in found.items()}

    def folds(self, name: str, design: str) -> range:
        """The held-out folds of a design, from 0."""
        return range(self.study(name).designs[design])  # type: ignore[index]

    def models(self, name: str) -> list[str]:
        """The base models that read its sentences."""
        chosen = self.study(name).models
        return list(self.config.models if chosen is None else chosen)

    def model_designs(self, name: str) -> list[str]:
        """The designs that language models are judged by."""
        chosen = self.study(name).model_designs
        return list(self.study(name).designs if chosen is None else chosen)

    def strategies(self, name: str, design: str) -> list[str]:
        """The strategies of language models in a design: where donors are on both sides, an example would be of the donor who is asked about."""
        return [one for one in self.study(name).strategies if design != LEAKING or not self.config.strategies[one].examples]

    def marked(self, name: str) -> tuple[str, str, str] | None:
        """Model, strategy and design whose fold 0 is asked which genes move its score: the first that trains a score head; None where none does."""
        study = self.study(name)
        heads = [one for one in study.strategies if self.config.strategies[one].has_head]
        models, designs = self.models(name), self.model_designs(name)
        return (models[0], heads[0], designs[0]) if study.marker_genes and heads and models and designs else None

    def data_files(self, cohort: str, name: str) -> list[str]:
        """What its cells are read from: files, or the folder of a twin's."""
        given = self.study(name).files
        return list(given) if given and cohort != PRETRAINING else [f"results/{cohort}/cells/{name}/twin/files"]

    def files(self, name: str) -> list[str]:
        """Files from outside that one reads."""
        study = self.study(name)
        return [*study.files, *([study.gene_table] if study.gene_table else [])]

    def all_files(self) -> list[str]:
        """Files from outside that any reads."""
        models = dict.fromkeys(model for name in self.names() for model in self.study(name).cell_models)
        return [file for name in self.names() for file in self.files(name)] + [file for model in models for file in self.model_files(model)]

    def model_files(self, model: str) -> list[str]:
        """The files of a model of cells that a rule depends on; of a folder that does not exist, what must be in it."""
        asked = self.config.cell_models[model]
        folder = Path(asked.path)
        found = sorted(file.as_posix() for file in folder.glob("*") if file.suffix in {".json", ".safetensors"} and file.is_file())
        more = [asked.vocabulary, *([asked.gene_table] if asked.gene_table else [])]
        return list(dict.fromkeys([*(found or [f"{asked.path}/config.json"]), *more]))

    def model_content(self, model: str) -> str:
        """Digest of these files."""
        return self.content.of(Path(file) for file in self.model_files(model))

    def file_content(self, cohort: str, name: str) -> str:
        """Digest of the files from outside that one reads; of a twin's nothing."""
        return "" if cohort == PRETRAINING else self.content.of(Path(file) for file in self.files(name))

    def has_own_base(self, model: str, name: str) -> bool:
        """Whether a tiny model reads cells of another population before it is fine-tuned, rather than clinical text."""
        return self.config.models[model].build is not None and self.study(name).pretraining is not None

    def with_own_base(self) -> str:
        """A wildcard's pattern for the cohorts whose tiny models read cells first."""
        return "|".join(name for name in self.names() if self.study(name).pretraining is not None) or NOTHING

    def settings(self, step: str, name: str, cohort: str = "", strategy: str = "", model: str = "", cell_model: str = "") -> str:
        """The one tracked parameter of a rule that runs `step` for a cohort of cells, as JSON: what the step reads, and its code.

        Args:
            step: a key of `STEPS`.
            name: of the cohort of cells.
            cohort: the first folder under results; that of pretraining is another population.
            strategy, model, cell_model: for steps that train or infer, or build a model.
        """
        self.steps_asked.add(step)
        config, blocks = self.config, dict[str, object]()
        for block in STEPS[step].blocks:
            if block == "cell_study":
                blocks[block] = self._study_for(step, name, cohort)
            else:
                found: Block = {
                    "strategy": lambda: config.strategies[strategy],
                    "model": lambda: self._model(name, model),
                    "cell_model": lambda: config.cell_models[cell_model],
                    "training": lambda: config.cell_training,
                    # Of a cell no rationale is known that could be checked; the score is what is judged.
                    "inference": lambda: config.inference.model_copy(
                        update={"rationales": 0, "score_only": True, "engine": "transformers"}
                    ),
                }.get(block, lambda block=block: getattr(config, block))()
                blocks[block] = found.model_dump(mode="json")
        return canonical_json(blocks | {"code": code_digest(step)})

    def _model(self, name: str, model: str) -> Block:
        """A model as it is built: of the size that is stated for cells, where it reads cells first."""
        asked, first = self.config.models[model], self.study(name).pretraining
        return asked if first is None else asked.model_copy(update={"build": first.build})

    def _study_for(self, step: str, name: str, cohort: str) -> dict[str, object]:
        study = self.study(name)
        if cohort == PRETRAINING and study.pretraining is not None:
            changed = {"twin": CellTwin(**study.pretraining.model_dump(exclude={"build"})), "cells_per_donor": None}
            study = study.model_copy(update=changed | (AS_A_TWIN if study.files else {}))
        if step == "twin-cells":
            return study.model_dump(mode="json", include={"twin"})
        unread = {key for key, steps in READERS.items() if step not in steps}
        # The default designs hold one that pseudobulks refuse; a step that reads none is told of one that all have.
        always = {"designs": {"pooled_by_donor": 2}} if "designs" in unread else {}
        return study.model_dump(mode="json", exclude=unread) | always

    def missing(self) -> list[str]:
        """Files from outside that are not there, one line each."""
        return [
            f"{file}: no such file (configuration block `cells` or `cell_models`)" for file in self.all_files() if not Path(file).is_file()
        ]

    def runs(self, name: str, cohort: str, design: str) -> dict[str, list[str]]:
        """Model and strategy -> predictions of every fold, of one design."""
        if design not in self.model_designs(name):
            return {}
        study, folds = self.study(name), self.folds(name, design)
        readers = [(model, strategy, "predictions/heldout") for model in self.models(name) for strategy in self.strategies(name, design)]
        readers += [(model, strategy, "predictions") for model in study.cell_models for strategy in study.cell_strategies]
        return {
            f"{model}/{strategy}": [f"results/{cohort}/{model}/cells/{name}/{strategy}/{design}/fold-{fold}/{file}.jsonl" for fold in folds]
            for model, strategy, file in readers
        }

    def products(self, cohort: str, patterns: Sequence[str]) -> list[str]:
        """Files of every cohort of cells and design: patterns with `{home}` and, where they have it, `{design}`."""
        found = []
        for name in self.names():
            for pattern in patterns:
                home = f"results/{cohort}/cells/{name}"
                found += [
                    pattern.format(home=home, design=design) for design in (self.study(name).designs if "{design}" in pattern else [""])
                ]
        return found
