"""Blocks of the analysis: baselines, metrics, survival."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from oncoraft.planning.settings.base import Block


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
