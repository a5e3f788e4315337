"""The allow-list: every field that may enter a prompt, where it comes from, when it becomes known, and how it reads.

What is not declared here cannot enter: only the declared columns are read from the tables, and a record counts only where
`declaration.is_known` says so. Undated whole-history columns (highest stage, highest Gleason score, tumour-site flags, PD-L1
ever, current age as such, smoking as summarised over all notes, survival) are not declared and never will be.
"""

from __future__ import annotations

from oncoraft.evidence.declaration import Field
from oncoraft.evidence.fields_genomic import GENOMIC_FIELDS

DIAGNOSIS = "timeline_diagnosis"
MARKERS = {"PSA": "timeline_psa_labs", "CEA": "timeline_cea_labs", "CA 19-9": "timeline_ca_19_9_labs", "CA 15-3": "timeline_ca_15_3_labs"}
MARKER_SOURCES = tuple(f"{name}.{column}" for name in MARKERS.values() for column in ("result", "lr_unit_measure"))
AGE_SOURCES = ("clinical_patient.current_age_deid", "clinical_patient.os_days")
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
        "",
        note="sentence of the drug table",
    ),
    Field("cancer_type", "diagnosis", 100, ("cases.cancer_type",), "fixed", "{value}"),
    Field(
        "line", "prior_treatment", 95, ("cases.line_of_therapy",), "planned", "this is line {value} of systemic treatment", "line {value}"
    ),
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
    Field("race", "patient", 10, ("clinical_patient.race",), "fixed", "{value}", ""),
    Field("ethnicity", "patient", 5, ("clinical_patient.ethnicity",), "fixed", "{value}", ""),
    Field(
        "diagnosis", "diagnosis", 49, (f"{DIAGNOSIS}.dx_description",), "by_index", "{value}", "", layout_only=True, note="as registered"
    ),
    Field("diagnosed", "diagnosis", 89, (f"{DIAGNOSIS}.start_day",), "by_index", "diagnosed {ago}", ""),
    Field(
        "stage",
        "diagnosis",
        90,
        (f"{DIAGNOSIS}.stage_cdm_derived", f"{DIAGNOSIS}.ajcc", f"{DIAGNOSIS}.clinical_group", f"{DIAGNOSIS}.path_group"),
        "by_index",
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
        brief="hormone receptor {value}",
        note="tumour biology, tested at the diagnosis of breast cancer",
    ),
    Field(
        "her2",
        "biomarkers",
        85,
        ("clinical_patient.her2",),
        "from_diagnosis",
        "HER2 {value}",
        brief="HER2 {value}",
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
        "{reading} ({ago}){earlier}",
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
        "{name} {reading} ({ago}){earlier}",
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
        "PD-L1 {value} ({ago}){earlier}",
        "PD-L1 {value}",
        note="positive where reports of a day differ",
    ),
    Field(
        "mmr",
        "biomarkers",
        86,
        ("timeline_mmr.mmr_absent",),
        "before_index",
        "mismatch repair {value} ({ago}){earlier}",
        "mismatch repair {value}",
        note="deficient where reports of a day differ",
    ),
    Field(
        "gleason",
        "biomarkers",
        65,
        ("timeline_gleason.gleason_score",),
        "before_index",
        "Gleason score {value} ({ago}){earlier}",
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
        "",
        note="distinct days",
    ),
    Field(
        "surgery",
        "prior_treatment",
        35,
        ("timeline_surgery.subtype", "timeline_surgery.start_day"),
        "before_index",
        "surgery on {number} ({when})",
        "",
        note="distinct days; the source's rows for taking a specimen do not count",
    ),
    *GENOMIC_FIELDS,
)
BY_NAME = {field.name: field for field in FIELDS}
SECTIONS = ("drugs", "diagnosis", "patient", "disease_status", "prior_treatment", "biomarkers", "specimen", "genomics")
