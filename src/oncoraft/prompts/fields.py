"""The allow-list: every field that may enter a prompt, its section, its place among what is cut, and how it reads.

What is not declared here cannot enter. Undated whole-history columns (highest stage, highest Gleason score, tumour-site
flags, PD-L1 ever, current age as such, smoking as summarised over all notes, survival) are not declared and never will be.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """One kind of fact.

    Args:
        name: the field's name in `evidence.parquet`.
        section: the heading under which it reads.
        priority: higher is kept longer when the token budget is short; 100 is never cut.
        text: how a value reads in a prompt.
        known: when the fact is known, in words.
    """

    name: str
    section: str
    priority: int
    text: str
    known: str


STRICTLY_BEFORE = "records dated before the index date"
FIELDS: tuple[Field, ...] = (
    Field("drug", "drugs", 100, "{value}", "agents started within the configured days of the index date"),
    Field("drug_mechanism", "drugs", 30, "{value}", "the drug table"),
    Field("cancer_type", "diagnosis", 100, "{value}", "fixed"),
    Field("line", "prior_treatment", 95, "line {value}", "earlier regimens"),
    Field("sex", "patient", 60, "{value}", "fixed"),
    Field("age_at_index", "patient", 70, "age {value}", "age at the end of follow-up less the time since the index date, in bands"),
    Field("race", "patient", 10, "{value}", "fixed"),
    Field("stage", "diagnosis", 90, "{value} at diagnosis", "the latest diagnosis on or before the index date"),
    Field("histology", "diagnosis", 50, "{value}", "the latest diagnosis on or before the index date"),
    Field("hormone_receptor", "biomarkers", 85, "hormone receptor {value}", "breast cancer biology, fixed at diagnosis"),
    Field("her2", "biomarkers", 85, "HER2 {value}", "breast cancer biology, fixed at diagnosis"),
    Field("ecog", "patient", 92, "ECOG {value}", STRICTLY_BEFORE),
    Field("progression", "disease_status", 91, "progression {value}", STRICTLY_BEFORE),
    Field("cancer_presence", "disease_status", 88, "cancer on imaging {value}", STRICTLY_BEFORE),
    Field("tumor_sites", "disease_status", 93, "{value}", "imaging in the 90 days before the index date"),
    Field("prior_agents", "prior_treatment", 80, "earlier {value}", STRICTLY_BEFORE),
    Field("tumor_marker", "disease_status", 75, "{value}", STRICTLY_BEFORE),
    Field("pdl1", "biomarkers", 86, "PD-L1 {value}", STRICTLY_BEFORE),
    Field("mmr", "biomarkers", 86, "mismatch repair {value}", STRICTLY_BEFORE),
    Field("gleason", "biomarkers", 65, "Gleason {value}", STRICTLY_BEFORE),
    Field("radiation", "prior_treatment", 40, "radiation courses {value}", STRICTLY_BEFORE),
    Field("surgery", "prior_treatment", 35, "surgeries {value}", STRICTLY_BEFORE),
    Field("specimen_type", "specimen", 45, "{value} specimen", "specimens sequenced (or acquired) by the index date"),
    Field("msi", "genomics", 100, "MSI {value}", "specimens sequenced (or acquired) by the index date"),
    Field("tmb", "genomics", 100, "TMB {value}", "specimens sequenced (or acquired) by the index date"),
    Field("mutation", "genomics", 100, "{value}", "specimens sequenced (or acquired) by the index date"),
    Field("copy_number", "genomics", 100, "{value}", "specimens sequenced (or acquired) by the index date"),
    Field("structural_variant", "genomics", 100, "{value} fusion", "specimens sequenced (or acquired) by the index date"),
)
BY_NAME = {field.name: field for field in FIELDS}
SECTIONS = ("drugs", "diagnosis", "patient", "disease_status", "prior_treatment", "biomarkers", "specimen", "genomics")
