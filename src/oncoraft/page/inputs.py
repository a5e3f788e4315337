"""How each field of the evidence declarations is asked for: its words, bounds and unit, taken from the column that it reads.

What the workflow derives (lines of imaging history, mechanisms, bands) is derived here too, by the same code, and is not asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from oncoraft.evidence.declaration import KNOWN_IN_WORDS, Field
from oncoraft.evidence.fields import FIELDS, MARKERS, SECTIONS
from oncoraft.knowledge.tables import Column, table

SETTINGS = ("metastatic", "adjuvant", "neoadjuvant", "unknown")
# Fields that are entered in another column than the first that they read; empty: in none of one table alone.
COLUMNS = {
    "diagnosed": "",
    "primary_site": "",
    "histology": "",
    "other_cancer": "",
    "specimen_site": "clinical_sample.metastatic_site",
    "specimen_histology": "clinical_sample.cancer_type_detailed",
    "pathological_group": "timeline_diagnosis.path_group",
    "mutation": "",
    "copy_number": "",
    "structural_variant": "",
    "tumor_marker": "timeline_psa_labs.result",
    "drug": "",
    "prior_regimen": "",
    "line": "",
    "line_overall": "",
    "setting": "",
    "concurrent_radiation": "",
    "cancer_type": "clinical_sample.cancer_type",
}
# What the workflow makes of other entries.
DERIVED = frozenset(
    [
        "drug_mechanism",
        "diagnosis",
        "imaging_history",
        "imaging_days",
        "organ",
        "tmb_value",
        "msi_comment",
        "not_listed",
        "prior_agents",
        "agents_of_other_cancer",
        "mutations_profiled",
        "copy_number_profiled",
        "structural_variants_profiled",
    ]
)
REPEATED = frozenset(
    [
        "progression",
        "cancer_presence",
        "tumor_sites",
        "tumor_marker",
        "ecog",
        "pdl1",
        "mmr",
        "gleason",
        "prior_regimen",
        "radiation",
        "surgery",
        "mutation",
        "copy_number",
        "structural_variant",
        "drug",
        "other_cancer",
        "outside_treatment",
    ]
)
OF_DIAGNOSIS = frozenset(("stage", "histology", "primary_site", "clinical_group", "pathological_group", "extent"))
OF_SPECIMEN = frozenset(
    ("specimen_site", "specimen_histology", "tumor_purity", "msi", "msi_score", "tmb", *("mutation", "copy_number", "structural_variant"))
)
DATED = REPEATED - {"drug", "mutation", "copy_number", "structural_variant"} | {"diagnosed", "specimen_type"}
WITHOUT_VALUE = frozenset(("diagnosed", "radiation", "surgery"))
LABELS = {
    "drug": "drug about to start",
    "ecog": "ECOG performance status",
    "age_at_index": "age",
    "tmb": "tumour mutational burden",
    "msi": "microsatellites",
    "msi_score": "MSI score",
    "her2": "HER2",
    "pdl1": "PD-L1",
    "mmr": "mismatch repair",
    "gleason": "Gleason score",
    "prior_regimen": "earlier regimen",
    "outside_treatment": "treatment elsewhere",
    "specimen_type": "specimen sequenced",
    "line": "line within the setting",
    "line_overall": "line among all",
    "diagnosed": "cancer diagnosed",
    "extent": "extent at diagnosis",
    "clinical_group": "clinical stage group",
    "pathological_group": "pathological stage group",
    "other_cancer": "another cancer",
    "progression": "progression on imaging",
    "cancer_presence": "cancer seen on imaging",
    "tumor_sites": "tumour site on imaging",
    "imaging_days": "days of imaging",
    "tumor_marker": "tumour marker",
    "tumor_purity": "tumour purity",
    "copy_number": "copy-number change",
    "structural_variant": "gene fusion",
}
WORDS = {"Y": "yes", "N": "no"}  # how a choice reads that the source abbreviates
SETTING = re.compile(r" \(setting[^)]*\)")  # a name of the configuration, which a reader of the page has not written
BOOLEANS = {"mmr": ("deficient", "intact"), "concurrent_radiation": ("yes", "no")}
UNITS = {"gleason": "", "ecog": ""}
EXAMPLES = {
    "drug": "osimertinib",
    "prior_regimen": "carboplatin + pemetrexed",
    "mutation": "EGFR L858R",
    "copy_number": "MET amplification",
    "structural_variant": "EML4-ALK",
    "histology": "adenocarcinoma",
    "primary_site": "upper lobe, lung",
    "other_cancer": "Breast Cancer",
}


def label_of(name: str) -> str:
    """How a field is called on the page."""
    return LABELS.get(name, name.replace("_", " "))


@dataclass(frozen=True)
class Input:
    """How a field is asked for.

    Attributes:
        choices: words to choose from; empty: free.
        is_closed: whether nothing else may be entered.
        is_number: of `minimum` to `maximum` (None: no bound).
    """

    field: Field
    label: str
    unit: str
    choices: tuple[str, ...]
    is_closed: bool
    is_number: bool
    minimum: float | None
    maximum: float | None

    @property
    def name(self) -> str:
        """Of the field."""
        return self.field.name

    @property
    def has_days(self) -> bool:
        """Whether the days before treatment are asked for."""
        return self.name in DATED

    @property
    def has_value(self) -> bool:
        """Whether more than the days is asked for."""
        return self.name not in WITHOUT_VALUE

    @property
    def is_repeated(self) -> bool:
        """Whether there may be several."""
        return self.name in REPEATED

    @property
    def details(self) -> tuple[str, ...]:
        """Which one of several is meant."""
        return tuple(MARKERS) if self.name == "tumor_marker" else ()

    @property
    def example(self) -> str:
        """What could be written."""
        return EXAMPLES.get(self.name, "")

    @property
    def note(self) -> str:
        """What a reader should know: the declaration's note, and when a record counts."""
        stale = f"; not shown when older than {self.field.stale_after_days} days" if self.field.stale_after_days else ""
        known = SETTING.sub("", KNOWN_IN_WORDS[self.field.known]) + stale
        return "; ".join(filter(None, (self.field.note, known if self.has_days else "")))

    def word(self, choice: str) -> str:
        """How a choice reads."""
        return WORDS.get(choice, choice)


def column_of(field: Field) -> Column | None:
    """The column in which a field is entered."""
    source = COLUMNS.get(field.name, field.sources[0])
    if not source:
        return None
    name, wanted = source.split(".")
    specification = table(name)
    return next(one for one in (*specification.columns, *specification.derived) if one.name == wanted)


def unit_of_marker(name: str) -> str:
    """The unit in which the source reports a tumour marker."""
    return next(column.unit for column in table(MARKERS[name]).columns if column.name == "result")


def _input(field: Field) -> Input:
    column = None if field.name in WITHOUT_VALUE else column_of(field)
    choices: tuple[str, ...] = ()
    is_closed, is_number = False, field.name in {"line", "line_overall"}
    low, high, unit = (1.0, 99.0, "") if is_number else (None, None, "")
    if column is not None:
        choices = BOOLEANS.get(field.name, ("positive", "negative")) if column.kind == "boolean" else column.vocabulary
        is_closed = column.kind == "boolean" or column.closed or field.name in {"stage", "msi", "outside_treatment", "specimen_type", "sex"}
        is_number = column.kind in {"integer", "number"}
        low, high = column.minimum, column.maximum
        unit = UNITS.get(field.name, column.unit) if is_number else ""
    if field.name == "tumor_marker":
        unit = "; ".join(f"{name}: {unit_of_marker(name)}" for name in MARKERS)
    if field.name == "setting":
        choices, is_closed = SETTINGS, True
    if field.name == "concurrent_radiation":
        choices, is_closed = BOOLEANS[field.name], True
    if field.name == "other_cancer":
        choices, is_closed = next(one.vocabulary for one in table("clinical_sample").columns if one.name == "cancer_type"), True
    return Input(field, label_of(field.name), unit, choices, is_closed, is_number, low, high)


@cache
def inputs() -> dict[str, Input]:
    """Every field that can be entered, in the order of the declarations."""
    return {field.name: _input(field) for field in FIELDS if field.name not in DERIVED}


def sections() -> list[tuple[str, list[Input]]]:
    """The form: sections in prompt order with their inputs."""
    found = [(name, [one for one in inputs().values() if one.field.section == name]) for name in SECTIONS]
    return [(name, some) for name, some in found if some]
