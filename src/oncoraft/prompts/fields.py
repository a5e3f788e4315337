"""The allow-list: every field that may enter a prompt, where it comes from, when it becomes known, and how it reads.

What is not declared here cannot enter: only the declared columns are read from the tables, and a record counts only where
`is_known` says so. Undated whole-history columns (highest stage, highest Gleason score, tumour-site flags, PD-L1 ever,
current age as such, smoking as summarised over all notes, survival) are not declared and never will be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from oncoraft.knowledge.tables import table

Known = Literal["before_index", "by_index", "specimen", "from_diagnosis", "fixed", "planned", "derived"]
KNOWN_IN_WORDS: dict[str, str] = {
    "before_index": "from the day after the record; a record of the index day itself does not count",
    "by_index": "from the day of the record",
    "specimen": "from the day on which the specimen was sequenced (setting: or acquired)",
    "from_diagnosis": "undated in the source; shown from the first diagnosis on (setting: or never)",
    "fixed": "fixed for life",
    "planned": "part of the decision itself: agents started within the configured days of the index date",
    "derived": "only a difference of two undated values enters, in bands",
}
NEVER_CUT = 100
LIFETIME_DAYS = 36_525  # a record "known" for more than a hundred years is a date error of the source (one Gleason score is)


@dataclass(frozen=True)
class Field:
    """One kind of fact.

    Args:
        name: the field's name in `evidence.parquet`.
        section: the heading under which it reads.
        priority: higher is kept longer when the token budget is short; 100 is never cut.
        sources: `table.column` of what is read; `cases.…` is the case list itself.
        known: when a record becomes known; see `KNOWN_IN_WORDS`.
        text: how a statement reads; `{value}` is the machine-readable value, `{ago}` the days before treatment in words, other
            names are given by the field's function.
        brief: how it reads in the compact template; empty: not there.
        stale_after_days: an older record is not shown; None: it keeps its meaning for life.
        listed: title under which all statements of a case read as one line; empty: a line each.
        layout_only: shown by the published layout alone, because other fields say the same in words.
        note: what a reader should know.
    """

    name: str
    section: str
    priority: int
    sources: tuple[str, ...]
    known: Known
    text: str
    brief: str = "{value}"
    stale_after_days: int | None = None
    listed: str = ""
    layout_only: bool = False
    note: str = ""

    @property
    def table(self) -> str:
        """Name of the first source table."""
        return self.sources[0].split(".")[0]


def is_known(field: Field, days_before_index: pd.Series) -> pd.Series:
    """Which records of a field may be shown, by their age at the index date in days (negative: later)."""
    earliest = 0 if field.known in {"by_index", "specimen", "from_diagnosis"} else 1
    longest = LIFETIME_DAYS if field.stale_after_days is None else field.stale_after_days
    return (days_before_index >= earliest) & (days_before_index <= longest)


DIAGNOSIS = "timeline_diagnosis"
MARKERS = {"PSA": "timeline_psa_labs", "CEA": "timeline_cea_labs", "CA 19-9": "timeline_ca_19_9_labs", "CA 15-3": "timeline_ca_15_3_labs"}
MARKER_SOURCES = tuple(f"{name}.{column}" for name in MARKERS.values() for column in ("result", "lr_unit_measure"))
AGE_SOURCES = ("clinical_patient.current_age_deid", "clinical_patient.os_days")
MUTATION_SOURCES = ("mutations.hugo_symbol", "mutations.hgvsp_short", "mutations.variant_classification")
FUSION_SOURCES = ("sv.site1_hugo_symbol", "sv.site2_hugo_symbol", "sv.class")
IMAGING = ("timeline_progression.progression", "timeline_progression.procedure_type")
PRIOR_SOURCES = ("cases.agents", "cases.line_of_therapy", "timeline_treatment.agent", *IMAGING, "timeline_cancer_presence.has_cancer")

FIELDS: tuple[Field, ...] = (
    Field("drug", "drugs", 100, ("cases.agents_at_index",), "planned", "{value}"),
    Field(
        "drug_mechanism",
        "drugs",
        30,
        ("cases.agents_at_index",),
        "planned",
        "mechanism of {name}: {value}",
        note="sentence of the drug table",
    ),
    Field("cancer_type", "diagnosis", 100, ("cases.cancer_type",), "fixed", "{value}"),
    Field("line", "prior_treatment", 95, ("cases.line_of_therapy",), "planned", "this is line {value} of treatment", "line {value}"),
    Field("sex", "patient", 60, ("clinical_patient.gender",), "fixed", "{value}"),
    Field(
        "age_at_index",
        "patient",
        70,
        AGE_SOURCES,
        "derived",
        "age {reading}",
        "age {value}",
        note="age at the end of follow-up less the years from the index date to it, in bands of ten years; ages are capped at 89 in the "
        "source, so a capped patient is shown only as 80 or over",
    ),
    Field("race", "patient", 10, ("clinical_patient.race",), "fixed", "{value}"),
    Field("ethnicity", "patient", 5, ("clinical_patient.ethnicity",), "fixed", "{value}", ""),
    Field(
        "diagnosis", "diagnosis", 49, (f"{DIAGNOSIS}.dx_description",), "by_index", "{value}", "", layout_only=True, note="as registered"
    ),
    Field(
        "stage",
        "diagnosis",
        90,
        (f"{DIAGNOSIS}.stage_cdm_derived", f"{DIAGNOSIS}.ajcc", f"{DIAGNOSIS}.clinical_group", f"{DIAGNOSIS}.path_group"),
        "by_index",
        "{value} at diagnosis ({ago})",
        "{value} at diagnosis",
        note="of the diagnosis known at index that fits the cancer type, else the latest; left out where the source's Stage 1-3 only "
        "stands for an unknown stage group",
    ),
    Field("histology", "diagnosis", 50, (f"{DIAGNOSIS}.dx_description",), "by_index", "histology: {reading}", "{value}"),
    Field("primary_site", "diagnosis", 45, (f"{DIAGNOSIS}.dx_description",), "by_index", "primary site: {reading}", ""),
    Field("clinical_group", "diagnosis", 42, (f"{DIAGNOSIS}.clinical_group",), "by_index", "clinical stage group {value}", ""),
    Field("pathological_group", "diagnosis", 41, (f"{DIAGNOSIS}.path_group",), "by_index", "pathological stage group {value}", ""),
    Field("extent", "diagnosis", 43, (f"{DIAGNOSIS}.summary",), "by_index", "extent at diagnosis: {value}", ""),
    Field(
        "hormone_receptor",
        "biomarkers",
        85,
        ("clinical_patient.hr",),
        "from_diagnosis",
        "hormone receptor {value}",
        note="tumour biology, tested at the diagnosis of breast cancer",
    ),
    Field(
        "her2",
        "biomarkers",
        85,
        ("clinical_patient.her2",),
        "from_diagnosis",
        "HER2 {value}",
        note="tumour biology, tested at the diagnosis of breast cancer",
    ),
    Field(
        "ecog",
        "patient",
        92,
        ("timeline_performance_status.ecog",),
        "before_index",
        "ECOG performance status {value} ({ago})",
        "ECOG {value}",
        365,
        note="the worst of a day",
    ),
    Field(
        "progression",
        "disease_status",
        91,
        IMAGING,
        "before_index",
        "{reading} on {modality} ({ago})",
        "progression {value}",
        730,
        note="one statement a day; yes where any report of the day says so; indeterminate reports are left out",
    ),
    Field(
        "imaging_history",
        "disease_status",
        44,
        IMAGING[:1],
        "before_index",
        "progression on {value} imaging days so far",
        "",
        note="days with a decided report",
    ),
    Field(
        "cancer_presence",
        "disease_status",
        88,
        ("timeline_cancer_presence.has_cancer",),
        "before_index",
        "{reading} ({ago}{earlier})",
        "cancer on imaging {value}",
        365,
        note="yes where any report of the day says so",
    ),
    Field(
        "tumor_sites",
        "disease_status",
        93,
        ("timeline_tumor_sites.tumor_site",),
        "before_index",
        "{reading} ({ago})",
        "{value}",
        90,
        "disease seen on imaging",
        note="each site once, when last seen; the organ of origin is among them",
    ),
    Field(
        "tumor_marker",
        "disease_status",
        75,
        MARKER_SOURCES,
        "before_index",
        "{name} {reading} ({ago}{earlier})",
        "{value}",
        180,
        note="rising or falling by more than a fifth since the measurement before; the highest of a day",
    ),
    Field(
        "prior_regimen",
        "prior_treatment",
        82,
        PRIOR_SOURCES,
        "before_index",
        "line {number}, {name} (begun {ago}): {reading}",
        "",
        note="best and worst imaging verdicts from day 15 of that line to the next line, strictly before the index date",
    ),
    Field(
        "prior_agents",
        "prior_treatment",
        80,
        ("timeline_treatment.agent",),
        "before_index",
        "{value} ({ago})",
        "earlier {value}",
        None,
        "agents received before, with the last start",
        note="supportive agents are left out; twice as many as of other kinds",
    ),
    Field(
        "outside_treatment",
        "prior_treatment",
        60,
        ("timeline_prior_meds.prior_med_to_msk",),
        "before_index",
        "{reading} (noted {ago})",
        "",
        note="read from notes by the source",
    ),
    Field(
        "pdl1",
        "biomarkers",
        86,
        ("timeline_pdl1.pdl1_positive",),
        "before_index",
        "PD-L1 {value} ({ago}{earlier})",
        "PD-L1 {value}",
        note="positive where reports of a day differ",
    ),
    Field(
        "mmr",
        "biomarkers",
        86,
        ("timeline_mmr.mmr_absent",),
        "before_index",
        "mismatch repair {value} ({ago}{earlier})",
        "mismatch repair {value}",
        note="deficient where reports of a day differ",
    ),
    Field(
        "gleason",
        "biomarkers",
        65,
        ("timeline_gleason.gleason_score",),
        "before_index",
        "Gleason score {value} ({ago}{earlier})",
        "Gleason {value}",
        note="the highest of a day",
    ),
    Field(
        "radiation",
        "prior_treatment",
        40,
        ("timeline_radiation.start_day",),
        "before_index",
        "radiation therapy begun {number} ({when})",
        "radiation courses {value}",
        note="distinct days",
    ),
    Field(
        "surgery",
        "prior_treatment",
        35,
        ("timeline_surgery.subtype", "timeline_surgery.start_day"),
        "before_index",
        "surgery on {number} ({when})",
        "surgeries {value}",
        note="distinct days; the source's rows for taking a specimen do not count",
    ),
    Field("specimen_type", "specimen", 45, ("clinical_sample.sample_type",), "specimen", "{reading}, {event} {ago}", "{value} specimen"),
    Field(
        "specimen_site",
        "specimen",
        25,
        ("clinical_sample.metastatic_site", "clinical_sample.primary_site"),
        "specimen",
        "specimen taken from {value}",
        "",
    ),
    Field("organ", "specimen", 24, ("clinical_sample.primary_site",), "specimen", "{value}", "", layout_only=True),
    Field("specimen_histology", "specimen", 24, ("clinical_sample.cancer_type_detailed",), "specimen", "classified as {value}", ""),
    Field("tumor_purity", "specimen", 8, ("clinical_sample.tumor_purity",), "specimen", "tumour purity {value} %", ""),
    Field(
        "genomics_status",
        "genomics",
        100,
        ("clinical_sample.sample_id",),
        "specimen",
        "{reading}",
        "",
        note="says that no specimen is known yet, or that a known one shows nothing; otherwise absent",
    ),
    Field("msi", "genomics", 100, ("clinical_sample.msi_type",), "specimen", "{reading}", "MSI {value}"),
    Field(
        "msi_score",
        "genomics",
        100,
        ("clinical_sample.msi_score",),
        "specimen",
        "MSI score {value}",
        "",
        note="left out where not computed",
    ),
    Field("tmb_value", "genomics", 100, ("clinical_sample.tmb_nonsynonymous",), "specimen", "{value}", "", layout_only=True),
    Field("msi_comment", "genomics", 9, ("clinical_sample.msi_comment",), "specimen", "{value}", "", layout_only=True),
    Field(
        "tmb",
        "genomics",
        100,
        ("clinical_sample.tmb_nonsynonymous",),
        "specimen",
        "tumour mutational burden {value} ({number} mutations per megabase)",
        "TMB {value}",
        note="bands of below 2, 6 and 10 mutations per megabase; 10 is the label of pembrolizumab",
    ),
    Field(
        "mutation", "genomics", 100, MUTATION_SOURCES, "specimen", "{value}", listed="mutations", note="silent and non-coding ones left out"
    ),
    Field("copy_number", "genomics", 100, ("cna.gene", "cna.call"), "specimen", "{value}", listed="copy number", note="calls of -2 and 2"),
    Field(
        "structural_variant",
        "genomics",
        100,
        FUSION_SOURCES,
        "specimen",
        "{value} {kind}",
        "{value} fusion",
        None,
        "structural variants",
        note="partners in alphabetical order, since the source has both",
    ),
    Field("not_listed", "genomics", 100, (*MUTATION_SOURCES[:1], "cna.gene"), "specimen", "{value}", "", note="how many more there are"),
)
BY_NAME = {field.name: field for field in FIELDS}
SECTIONS = ("drugs", "diagnosis", "patient", "disease_status", "prior_treatment", "biomarkers", "specimen", "genomics")
# Not dated by a row of their own: the one derived field, and tumour biology that is tested at diagnosis.
UNDATED = {"age_at_index": "derived", "hormone_receptor": "from_diagnosis", "her2": "from_diagnosis"}
KEYS = {"cases": (), "clinical_patient": ("patient_id",), "clinical_sample": ("sample_id", "patient_id", "cancer_type")}
GENOMIC_KEYS = {"mutations": ("tumor_sample_barcode",), "cna": ("sample_id",), "sv": ("sample_id",)}
SPECIMEN_TABLES = {"sequenced": "timeline_specimen", "acquired": "timeline_specimen_surgery"}


def declared_columns() -> dict[str, list[str]]:
    """Table -> columns that the fields declare, with the keys that join them; nothing else is read."""
    columns: dict[str, set[str]] = {name: {"patient_id", "start_day", "sample_id"} for name in SPECIMEN_TABLES.values()}
    for field in FIELDS:
        for source in field.sources:
            name, column = source.split(".")
            keys = KEYS.get(name, GENOMIC_KEYS.get(name, ("patient_id", "start_day")))
            columns.setdefault(name, set(keys)).add(column)
    columns.pop("cases")
    return {name: sorted(found) for name, found in sorted(columns.items())}


def undeclarable() -> dict[str, str]:
    """Field -> source column that may never enter a prompt by the table specification: must be empty."""
    wrong = {}
    for field in FIELDS:
        for source in field.sources:
            name, column = source.split(".")
            if name == "cases" or UNDATED.get(field.name) == field.known:
                continue
            specification = table(name)
            found = {item.name: item.known for item in (*specification.columns, *specification.derived)}
            if found.get(column, "never") == "never":
                wrong[field.name] = source
    return wrong
