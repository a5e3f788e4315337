"""Which cohorts a run makes and where each comes from: the one that models are trained on, and further ones to which they are applied."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from oncoraft.foundation.errors import InputError
from oncoraft.planning.config import POOLED, PRETRAINING, Config
from oncoraft.planning.content import Content
from oncoraft.planning.final import FinalModels
from oncoraft.planning.mapped_headers import refuse_absent
from oncoraft.planning.missing import missing_of_study
from oncoraft.planning.settings.cohorts import WITH_CURATED_READINGS, Cohort

LEAVE_COHORT_OUT = "leave_cohort_out"


class FurtherCohorts(FinalModels):
    """The part of a plan that is about cohorts: how they are read, who of them may be judged, what further ones lack."""

    config: Config
    content: Content
    cohorts: tuple[str, ...]

    def is_built(self, model: str) -> bool:
        """Whether a base model is built on the spot, so that it needs neither a folder nor a GPU."""
        return self.config.models[model].build is not None

    def judged_cohorts(self) -> tuple[str, ...]:
        """Further cohorts, to which the trained models are applied."""
        return tuple(name for name, one in self.config.cohorts.items() if one.role == "validate")

    def pooled_cohort(self) -> tuple[str, ...]:
        """The cohort of all, where a design trains on all."""
        return (POOLED,) if self.config.pooling.designs else ()

    def pooled_from(self) -> tuple[str, ...]:
        """The cohorts that are pooled, the configured one first."""
        return (self.config.cohort, *self.judged_cohorts())

    def pooled_strategies(self) -> list[str]:
        """Strategies that are run in pooled designs: those that need no other strategy's models to start from."""
        return [name for name in self.applied_strategies() if not self.config.strategies[name].is_aligned]

    def strategies_with(self, *, adapter: bool, head: bool) -> str:
        """A wildcard's pattern for the strategies that train just these parts; it matches nothing where there are none."""
        supervised = {
            name: one for name, one in self.config.strategies.items() if not one.is_aligned and not one.model_of and not one.probe
        }
        return "|".join(name for name, one in supervised.items() if (one.has_adapter, one.has_head) == (adapter, head)) or "(?!)"

    def probes(self, *, are: bool = True) -> str:
        """A wildcard's pattern for the strategies that are linear probes, or for those that are not."""
        return "|".join(name for name, one in self.config.strategies.items() if bool(one.probe) == are) or "(?!)"

    def read_point(self, strategy: str) -> str:
        """Where a probe reads the base model."""
        return str(self.config.strategies[strategy].probe)

    def read_points(self, strategies: Iterable[str]) -> list[str]:
        """Where the probes among some strategies read, each point once."""
        return sorted({str(point) for name in strategies if (point := self.config.strategies[name].probe)})

    def designs(self) -> list[str]:
        """Every design, of one cohort or of all."""
        return list(dict.fromkeys([*self.config.folds.designs, *self.config.pooling.designs]))

    def curated_cohorts(self) -> tuple[str, ...]:
        """Further cohorts whose reader may tell what people said of each scan."""
        return tuple(name for name in self.judged_cohorts() if self.config.cohorts[name].reader in WITH_CURATED_READINGS)

    def applied_strategies(self) -> list[str]:
        """Strategies whose models are applied to further cohorts: negative controls stay at home."""
        return [name for name, one in self.config.strategies.items() if one.control is None]

    @staticmethod
    def judged_list(cohort: str) -> str:
        """Where stands who of a further cohort may be judged."""
        return f"results/{cohort}/overlap/patients.txt"

    def reader(self, cohort: str) -> str:
        """The reader of a cohort."""
        one = self.config.cohorts.get(cohort)
        return "cbioportal" if one is None else one.reader

    def is_converted(self, cohort: str) -> bool:
        """Whether a cohort is brought into the layout and clock of MSK-CHORD first."""
        one = self.config.cohorts.get(cohort)
        return one is not None and (one.reader != "cbioportal" or one.mapping is not None)

    def source_folder(self, cohort: str) -> str:
        """The folder of a cohort that is converted: the configured one, or where its twin is written."""
        study = self._study(cohort)
        return f"results/{cohort}/release" if study is None else study

    def source_files(self, cohort: str) -> list[str]:
        """What conversion depends on: the folder of a twin, or every file of the source's folder, and the mapping file."""
        folder, mapping = self.source_folder(cohort), self.mapping_file(cohort)
        files = sorted(path.as_posix() for path in Path(folder).rglob("*") if path.is_file()) if not self.has_truth(cohort) else [folder]
        return [*files, *([mapping] if mapping else [])]

    def source_content(self, cohort: str) -> str:
        """Digest of a source's files; of a twin's nothing."""
        return "" if self.has_truth(cohort) else self.content.of(Path(file) for file in self.source_files(cohort))

    def mapping_file(self, cohort: str) -> str | None:
        """The mapping file of a cohort, if it has one."""
        one = self.config.cohorts.get(cohort)
        return None if one is None else one.mapping

    def _study(self, cohort: str) -> str | None:
        """The configured folder of a cohort; None: a twin is made."""
        if cohort == self.config.cohort:
            return self.config.study
        one = self.config.cohorts.get(cohort)
        return None if one is None else one.study

    def cohorts_where(self, *, converted: bool, truth: bool | None = None) -> str:
        """A wildcard's pattern for the cohorts that are converted, or are not; of both, those that are twins, or are not."""
        found = [one for one in self.cohorts if self.is_converted(one) == converted and truth in (None, self.has_truth(one))]
        return "|".join(found) or "(?!)"

    def has_truth(self, cohort: str) -> bool:
        """Whether the true response probabilities are known, as they are for a twin."""
        return cohort == PRETRAINING or (cohort != POOLED and self._study(cohort) is None)

    def _rules_of_judged(self, cohort: str) -> list[str]:
        made = ["twin_release" if self.is_converted(cohort) else "twin"] if self.has_truth(cohort) else []
        made += ["convert"] if self.is_converted(cohort) else []
        shared = ["ingest", "overlap", "regimens", "labels", "followup", "outside_folds", "flow", "evidence", "audit", "mapping"]
        return [*made, *shared, *(["label_truth"] if self.has_truth(cohort) else [])]

    def _missing_of_further(self) -> list[str]:
        """What further cohorts lack: a folder, a mapping file, a list of patients."""
        lines = []
        for name in self.judged_cohorts():
            study = self._study(name)
            if study is not None and self.is_converted(name) and not Path(study).is_dir():
                lines.append(f"{study}: no such folder (configuration key `cohorts.{name}.study`)")
            elif study is not None and not self.is_converted(name):
                lines += missing_of_study(study, f"cohorts.{name}.study")
        lines += [line for one in self.config.cohorts.values() for line in self._missing_columns(one)]
        named = {f"cohorts.{name}.mapping": one.mapping for name, one in self.config.cohorts.items()}
        if self.judged_cohorts():
            named["external.shared_patients"] = self.config.external.shared_patients
        return lines + [
            f"{file}: no such file (configuration key `{key}`)" for key, file in named.items() if file and not Path(file).is_file()
        ]

    @staticmethod
    def _missing_columns(one: Cohort) -> list[str]:
        """A column that a mapping file asks for and a table lacks: hours of training may come before the tables are read."""
        if (
            one.reader != "csv"
            or one.study is None
            or one.mapping is None
            or not (Path(one.study).is_dir() and Path(one.mapping).is_file())
        ):
            return []
        try:
            refuse_absent(Path(one.study), Path(one.mapping))
        except InputError as error:
            return [str(error)]
        return []

    def study_folder(self, cohort: str) -> str:
        """The folder of a cohort that ingestion reads: the configured one, or where the twin or the conversion writes it."""
        study = self._study(cohort)
        return f"results/{cohort}/study" if study is None or self.is_converted(cohort) else study

    def rules_of_cohort(self, cohort: str) -> list[str]:
        """Names of the rules that run once for a cohort, whatever is trained on it."""
        if cohort in self.judged_cohorts():
            return self._rules_of_judged(cohort)
        made = "convert" if self.is_converted(cohort) else "twin" if self.has_truth(cohort) else None
        shared = [*([made] if made else []), "ingest", "regimens", "labels", "evidence", "rationales"]
        if cohort == PRETRAINING:
            return [*shared, "corpus_prompts", "corpus"]
        return [*shared, "followup", "folds", "flow", "audit", *(["label_truth"] if self.has_truth(cohort) else [])]

    def cohorts_to_make(self) -> list[str]:
        """The cohorts whose tables and cases a finished run holds: a tiny model's own population only where one is built."""
        built = any(self.is_built(model) for model in self.config.models)
        return [self.config.cohort, *([PRETRAINING] if built else []), *self.judged_cohorts()]
