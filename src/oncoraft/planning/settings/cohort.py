"""Blocks of the cohort and its cases: twin, ingestion, regimens, labels, follow-up, folds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from oncoraft.planning.settings.base import Block, Days, Fraction, PathText

SUBTYPES = ("Chemo", "Hormone", "Targeted", "Biologic", "Immuno", "Investigational", "Bone Treatment", "Other")
Definition = Literal[
    "strict",
    "disease_control",
    "oncoraft",
    "strict_60",
    "strict_90",
    "strict_120",
    "strict_180",
    "strict_indeterminate_progression",
    "strict_indeterminate_none",
    "strict_indeterminate_drawn",
    "strict_any_scan",
    "strict_death_excluded",
    "strict_switch_progression",
    "strict_local_excluded",
    "strict_local_censored",
    "strict_as_reported",
]


class Twin(Block):
    """The synthetic study that stands in for a cohort that one may not have."""

    patients: int = Field(24_950, ge=50, description="Patients to make; the released cohort has 24,950.")
    seed: int = Field(1, description="Another seed is another population with the same laws.")
    clean: bool = Field(False, description="Leave out the quirks of the released files (duplicates, padding, CRLF).")


class Ingest(Block):
    """How strictly source rows are read."""

    strictness: Literal["refuse", "fail"] = Field(
        "refuse", description="refuse: a bad row is set aside and counted; fail: the first bad row ends the run."
    )
    accept_mostly_refused: tuple[str, ...] = Field(
        (),
        description="Tables, by name as in docs/tables.md, of which most rows may be refused, or all for want of a required column.",
    )


class CohortFilter(Block):
    """What the cohort is limited to; of several limits all must hold, and the flow counts what falls out. Lines, labels and follow-up stay."""

    cancer_types: tuple[str, ...] = Field(
        (), description="Cancer types whose cases stay, named as in CANCER_TYPE; one that the study does not have is an error."
    )
    gene_panels: tuple[str, ...] = Field(
        (), description="Sequencing panels whose cases stay, named as in GENE_PANEL; one that the study does not have is an error."
    )
    patients: str | None = Field(
        None, description="File of patients whose cases stay, an id a line (PATIENT_ID); ids that the study does not have are counted."
    )

    @property
    def is_set(self) -> bool:
        """Whether there is any limit."""
        return bool(self.cancer_types or self.gene_panels or self.patients is not None)


class Regimens(Block):
    """How dated agents become regimens and lines of therapy; `docs/regimens.md` has the source of every rule."""

    combination_window_days: Days = Field(
        28,
        description="Agents started within this many days of a regimen's first day belong to it (28 d: Merck line-of-therapy algorithm).",
    )
    known_at_index_days: int = Field(
        7, ge=0, le=28, description="Agents started within this many days of the index date count as planned, so the prompt may name them."
    )
    partner_days: int = Field(
        14,
        ge=0,
        le=28,
        description="An infusion started within this many days of an oral agent that it is given with (knowledge/partners.csv) was planned too.",
    )
    diagnosis_grace_days: int = Field(
        30,
        ge=0,
        le=365,
        description="Treatment begun more than this many days before the first diagnosis is for another or an unknown cancer: set aside, counted.",
    )
    gap_days: Days = Field(90, description="Days without any of the regimen's agents after which the same agents are a new regimen.")
    carry_over_days: Days = Field(
        28, description="An agent of the regimen before belongs to the new one too if its record goes on more than this many days into it."
    )
    merge_identical_days: Days | None = Field(
        None,
        description="Consecutive regimens of the very same agents are one if no more than this many days lie between them; null: gap_days.",
    )
    gap_exempt: tuple[Literal["oral_targeted", "endocrine"], ...] = Field(
        ("oral_targeted", "endocrine"),
        description="Agents whose gaps never end a regimen: they are refilled for longer than they are recorded.",
    )
    substitutions: bool = Field(
        True, description="An agent that stands in for one of the same kind (knowledge/substitutions.csv) does not open a regimen."
    )
    backbone_classes: tuple[str, ...] = Field(
        ("GnRH agonist", "GnRH antagonist"),
        description="Drug classes that join a running regimen at any time and open one only where none runs.",
    )
    maintenance_days: int = Field(
        60,
        ge=0,
        le=365,
        description="A maintenance agent started within this many days of its induction's last day keeps the line; 0: never.",
    )
    protocols: bool = Field(
        True, description="Parts of a protocol sequence (knowledge/protocols.csv) are one line and, for labels, one treatment."
    )
    perioperative_days: int = Field(
        180,
        ge=0,
        le=365,
        description="The same agents again after an operation, within this many days of their last one, are one protocol; 0: never.",
    )
    chemoradiation_days: int = Field(
        14, ge=0, le=60, description="Radiation begun within this many days of a radiosensitising agent's start makes chemoradiation."
    )
    neoadjuvant_days: int = Field(
        180, ge=0, le=730, description="Treatment of a disease below stage 4, not operated on, so soon after its diagnosis is neoadjuvant."
    )
    adjuvant_days: int = Field(
        180, ge=0, le=730, description="Treatment within this many days of an operation, or of adjuvant treatment, is adjuvant."
    )
    investigational: Literal["keep", "set_aside"] = Field(
        "keep", description="keep: undisclosed trial agents make regimens of their own class; set_aside: they are ignored, counted."
    )
    regimen_agents: tuple[str, ...] = Field(
        (), description="Agents that make regimens although the drug table sets them aside: [MEGESTROL]."
    )
    set_aside_agents: tuple[str, ...] = Field((), description="Further agents to set aside as supportive, e.g. [LEUPROLIDE].")
    unknown_agents: Literal["count", "refuse"] = Field(
        "count",
        description="Agents not in the drug table. count: they take the class of their source rows, with a warning; refuse: an error.",
    )

    @model_validator(mode="after")
    def _rules_agree(self) -> Regimens:
        window = self.combination_window_days
        for key, value, floor, other in (
            ("combination_window_days", window, self.known_at_index_days, "known_at_index_days"),
            ("gap_days", self.gap_days, window, "combination_window_days"),
            ("merge_identical_days", self.merge_identical_days or self.gap_days, self.gap_days, "gap_days"),
        ):
            if value < floor:
                raise ValueError(f"{key}: expected at least {floor}, as {other} says, found {value}")
        if both := sorted(set(self.regimen_agents) & set(self.set_aside_agents)):
            raise ValueError(f"set_aside_agents: expected agents that are not in regimen_agents too, found {both[0]!r}")
        return self


class Labels(Block):
    """Which response definition trains, and its windows. All definitions are computed whatever is chosen; see `docs/labels.md`."""

    definition: Definition = Field(
        "strict",
        description="strict: first informative scan decides; oncoraft: the published rule; disease_control: not progressed; strict_…: variants.",
    )
    lag_days: int = Field(14, ge=0, le=60, description="A scan counts only after this many days from the index date.")
    window_days: Days = Field(120, description="Last day after the index date on which a scan may decide.")
    window_days_by_drug_class: dict[str, Days] = Field(
        default_factory=dict,
        description="Another window for a drug class, e.g. {Immuno: 150}; of several classes the longest window holds.",
    )
    baseline_days: Days = Field(90, description="Imaging in this many days before index, or on it, tells the disease at baseline.")
    partial_response_fraction: Fraction = Field(
        0.3, gt=0, description="PR where at least this share of the baseline sites is gone at the deciding scan."
    )
    seed: int = Field(13, description="Draws the verdict of Indeterminate reads in strict_indeterminate_drawn.")

    @model_validator(mode="after")
    def _windows_hold_a_scan(self) -> Labels:
        for key, days in {"window_days": self.window_days}.items() | self.window_days_by_drug_class.items():
            name = key if key == "window_days" else f"window_days_by_drug_class.{key}"
            if days <= self.lag_days:
                raise ValueError(f"{name}: expected more than {self.lag_days}, as lag_days says, found {days}")
            if unknown := [part for part in key.split(" + ") if key != "window_days" and part not in SUBTYPES]:
                raise ValueError(f"{name}: expected drug classes among {', '.join(SUBTYPES)}, found {unknown[0]!r}")
        return self


class Followup(Block):
    """Endpoints counted from the index date; overall survival has no choices."""

    progression_lag_days: int = Field(14, ge=0, le=60, description="A progression counts only after this many days from the index date.")
    assessment_gap_days: Days | None = Field(
        None, description="Progression-free survival is censored at the last scan before a gap longer than this; null: gaps do not matter."
    )
    at_next_regimen: Literal["ignore", "censor", "event"] = Field(
        "ignore", description="What a new regimen before progression is to progression-free survival; censor: at the last scan before it."
    )


Design = Literal["kfold", "kfold_stratified", "leave_cancer_out", "panel_era"]


class Folds(Block):
    """Cross-validation: patients, never cases, are assigned."""

    designs: tuple[Design, ...] = Field(
        ("kfold",),
        min_length=1,
        description="kfold: stable hash; kfold_stratified: exact balance; leave_cancer_out: a fold a cancer type; panel_era: newest panel held out.",
    )
    folds: int = Field(5, ge=2, le=20, description="Number of disjoint folds of kfold and kfold_stratified.")
    seed: int = Field(17, description="Enters the stable hash of the patient id.")
    tuning_fraction: Fraction = Field(0.1, description="Share of patients kept for tuning inside every training part.")
    balance_label: Definition = Field("strict", description="The label definition that kfold_stratified balances.")
    frozen: PathText | None = Field(
        None, description="folds.parquet of an earlier run: kfold_stratified leaves its patients where they were."
    )
    cancer_types: tuple[str, ...] = Field(
        ("Non-Small Cell Lung Cancer", "Colorectal Cancer", "Breast Cancer", "Prostate Cancer", "Pancreatic Cancer"),
        min_length=2,
        description="leave_cancer_out holds these out in turn, named as in CANCER_TYPE; fold k is the k-th of them.",
    )
    older_panels: tuple[str, ...] = Field(
        ("IMPACT341", "IMPACT410", "IMPACT468"), min_length=1, description="panel_era trains on patients first sequenced with these."
    )
    newest_panels: tuple[str, ...] = Field(
        ("IMPACT505",), min_length=1, description="panel_era holds out patients first sequenced with these."
    )

    @model_validator(mode="after")
    def _parts_are_apart(self) -> Folds:
        if both := sorted(set(self.older_panels) & set(self.newest_panels)):
            raise ValueError(f"newest_panels: expected panels that are not in older_panels too, found {both[0]!r}")
        if len(set(self.cancer_types)) < len(self.cancer_types):
            raise ValueError("cancer_types: expected each cancer type once")
        if len(set(self.designs)) < len(self.designs):
            raise ValueError("designs: expected each design once")
        return self

    def count(self, design: str) -> int:
        """How many folds a design holds out: numbered from 0; fold -1 marks cases that only ever train."""
        return {"leave_cancer_out": len(self.cancer_types), "panel_era": 1}.get(design, self.folds)
