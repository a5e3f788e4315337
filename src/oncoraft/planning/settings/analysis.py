"""Blocks of the analysis: baselines, metrics, survival."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from oncoraft.planning.settings.base import Block, Days, PathText
from oncoraft.planning.settings.cohort import Definition

Endpoint = Literal["overall_survival", "progression_free_survival", "time_to_next_treatment"]
# Covariates that the evidence holds at the index date; `oncoraft.covariates` makes them.
AT_INDEX = (
    *("age", "ecog", "line", "prior_lines", "days_since_imaging", "n_sites", "disease_extent"),
    *("sex", "stage", "setting", "cancer_type", "drug_class", "last_progression", "cancer_present"),
    *("site_liver", "site_bone", "site_brain", "site_lung", "site_pleura", "site_nodes", "site_peritoneum", "site_adrenal"),
    "site_reproductive",
)
CLINICAL_TABLES = ("clinical_patient", "clinical_sample")
OUTCOME_COLUMNS = ("os_months", "os_status", "os_days", "is_deceased")
QUANTILES = {"median": 2, "tertiles": 3, "quartiles": 4}
MOST_CUTS = 5  # six groups: more than a figure can tell apart


def _are_groups(value: Any) -> Any:
    """Checked as a whole: of a union pydantic would tell the problems of each part."""
    if isinstance(value, str) and value in QUANTILES:
        return value
    cuts = list(value) if isinstance(value, list | tuple) else []
    numbers = all(isinstance(cut, int | float) and not isinstance(cut, bool) and 0 < cut < 1 for cut in cuts)
    if not numbers or not 1 <= len(cuts) <= MOST_CUTS or cuts != sorted(set(cuts)):
        raise ValueError(f"expected {', '.join(QUANTILES)}, or one to {MOST_CUTS} rising scores between 0 and 1, found {value!r}")
    return value


Groups = Annotated[Literal["median", "tertiles", "quartiles"] | tuple[float, ...], BeforeValidator(_are_groups)]


class Baselines(Block):
    """Models that any language model has to beat, fitted on the same folds."""

    predictors: tuple[Literal["regimen_prior", "clinical_logistic", "evidence_logistic", "gradient_boosting", "tfidf_logistic"], ...] = (
        Field(
            ("regimen_prior", "clinical_logistic", "evidence_logistic", "gradient_boosting", "tfidf_logistic"),
            description="Which baselines to fit.",
        )
    )
    prior_strength: float = Field(20.0, gt=0, description="Cases' worth of shrinkage of a regimen's response rate to its cancer type's.")
    seed: int = Field(43, description="Of the boosted trees.")


class Evaluation(Block):
    """Metrics and their intervals."""

    bootstrap: int = Field(2000, ge=100, description="Patient-cluster bootstrap resamples.")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Level of the intervals.")
    seed: int = Field(47, description="Of the resamples.")


class Survival(Block):
    """Per-regimen stratification."""

    endpoints: tuple[Endpoint, ...] = Field(
        ("overall_survival", "progression_free_survival", "time_to_next_treatment"),
        min_length=1,
        description="What is analysed, each with its own results and false-discovery family; the first is the headline.",
    )
    anchor: Literal["index", "diagnosis", "sequencing"] = Field(
        "index",
        description="Day from which time is counted. A case is under observation from its index date and the first sequencing on, whichever is later.",
    )
    landmarks: tuple[Days, ...] = Field(
        (), description="Days after the index date from which those still event-free are compared anew, by score and by `response_label`."
    )
    response_label: Definition | None = Field(
        None, description="Label definition by whose response curves are drawn, from each landmark on; null: none. Needs `landmarks`."
    )
    groups: Groups = Field(
        "median",
        description="Score groups: at quantiles of the other folds' scores, or at fixed scores, e.g. [0.3, 0.6]. Of more than two the ratio of low against high stays that of the halves.",
    )
    covariates: tuple[str, ...] | None = Field(
        None,
        description="What the score is adjusted for, first what few events admit first: covariates at the index date (docs/survival.md), columns of `covariate_file`, `clinical_patient.COLUMN` or `clinical_sample.COLUMN`; null: the standard list.",
    )
    covariate_file: PathText | None = Field(
        None, description="CSV with a row a patient, key column patient_id, of whose columns `covariates` names some."
    )
    minimum_events: int = Field(60, ge=5, description="A regimen is tested (enters the false-discovery family) from this many events.")
    minimum_events_shown: int = Field(20, ge=5, description="Estimates are shown from this many events.")
    powered_events: int = Field(
        128,
        ge=5,
        description="Below as many events a regimen is marked underpowered: 80 % power at a hazard ratio of 0.61 (Schoenfeld 1981).",
    )
    minimum_group: int = Field(10, ge=2, description="Smallest score group in cases.")
    alpha: float = Field(0.05, gt=0, lt=0.5, description="False-discovery rate at which a regimen counts as separated.")
    horizons_months: tuple[int, ...] = Field((12, 24), description="Times for survival and restricted mean survival.")
    bootstrap: int = Field(0, ge=0, description="Patient-cluster bootstrap resamples of each regimen's estimates; 0: none.")
    seed: int = Field(53, description="Of the resamples.")

    @property
    def file_columns(self) -> tuple[str, ...]:
        """Covariates that are columns of `covariate_file`."""
        return tuple(name for name in self.covariates or () if name not in AT_INDEX and "." not in name)

    def table_columns(self, table: str) -> tuple[str, ...]:
        """Covariates that are columns of a clinical table."""
        return tuple(name.partition(".")[2] for name in self.covariates or () if name.startswith(f"{table}."))

    @model_validator(mode="after")
    def _each_once_and_in_order(self) -> Survival:
        for key in ("endpoints", "landmarks", "covariates", "horizons_months"):
            if len(set(given := getattr(self, key) or ())) < len(given):
                raise ValueError(f"{key}: expected each once, found {next(one for one in given if given.count(one) > 1)!r} twice")
        if not self.horizons_months or min(self.horizons_months) < 1:
            raise ValueError(f"horizons_months: expected at least one, of 1 month or more, found {list(self.horizons_months)}")
        return self

    @model_validator(mode="after")
    def _response_from_a_landmark(self) -> Survival:
        if self.response_label is not None and not self.landmarks:
            raise ValueError(
                "response_label: expected a day in landmarks to draw from, since a responder cannot die before the scan that makes him one (immortal time)"
            )
        return self

    @model_validator(mode="after")
    def _covariates_have_a_source(self) -> Survival:
        for name in self.covariates or ():
            table, dot, column = name.partition(".")
            if dot and (table not in CLINICAL_TABLES or not column):
                raise ValueError(f"covariates: expected one of {', '.join(f'{one}.COLUMN' for one in CLINICAL_TABLES)}, found {name!r}")
            if dot and column.casefold() in OUTCOME_COLUMNS:
                raise ValueError(f"covariates: expected no column that tells the outcome, found {name!r}")
        if self.file_columns and self.covariate_file is None:
            raise ValueError(
                f"covariates: expected one of {', '.join(AT_INDEX)}, or covariate_file with it, found {self.file_columns[0]!r}"
            )
        if self.covariate_file is not None and not self.file_columns:
            raise ValueError("covariate_file: expected covariates to name some of its columns, found none")
        return self


class Selection(Block):
    """Selection audit: when being in the cohort tells too much of the outcome."""

    auroc_limit: float = Field(0.6, gt=0.5, lt=1, description="AUROC for response within a regimen above which selection is flagged.")
    hazard_ratio_limit: float = Field(1.5, gt=1, description="Hazard ratio, or its inverse, beyond which selection is flagged.")
    alpha: float = Field(0.05, gt=0, lt=0.5, description="False-discovery rate that a flagged hazard ratio must reach.")
    minimum_events: int = Field(20, ge=5, description="A regimen has a hazard ratio of its own from this many events.")


class Report(Block):
    """What the report's page and data files show."""

    smallest_cell: int = Field(
        10,
        ge=1,
        description="Counts of fewer people are hidden, on the page and in its data, with what would give them away; curves end where fewer are at risk. 1 hides nothing.",
    )
    individuals: bool = Field(
        False,
        description="Draw pictures in which one patient can be told from another: swimmer plots, waterfalls, timelines of single cases with "
        "their prompts, and write their data. Meant for synthetic cohorts.",
    )
