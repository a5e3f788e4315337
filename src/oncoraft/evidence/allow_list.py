"""What the declarations amount to: which columns are read at all, and whether each may be."""

from __future__ import annotations

from oncoraft.evidence import fields
from oncoraft.knowledge.tables import table

# Not dated by a row of their own: the one derived field, and tumour biology that is tested at diagnosis.
UNDATED = {"age_at_index": "derived", "hormone_receptor": "from_diagnosis", "her2": "from_diagnosis"}
KEYS = {"cases": (), "clinical_patient": ("patient_id",), "clinical_sample": ("sample_id", "patient_id", "cancer_type")}
GENOMIC_KEYS = {"mutations": ("tumor_sample_barcode",), "cna": ("sample_id",), "sv": ("sample_id",), "profiled": ("sample_id",)}
SPECIMEN_TABLES = {"sequenced": "timeline_specimen", "acquired": "timeline_specimen_surgery"}


def declared_columns() -> dict[str, list[str]]:
    """Table -> columns that the fields declare, with the keys that join them; nothing else is read."""
    columns: dict[str, set[str]] = {name: {"patient_id", "start_day", "sample_id"} for name in SPECIMEN_TABLES.values()}
    for field in fields.FIELDS:
        for source in field.sources:
            name, column = source.split(".")
            keys = KEYS.get(name, GENOMIC_KEYS.get(name, ("patient_id", "start_day")))
            columns.setdefault(name, set(keys)).add(column)
    columns.pop("cases")
    return {name: sorted(found) for name, found in sorted(columns.items())}


def undeclarable() -> dict[str, str]:
    """Field -> source column that may never enter a prompt by the table specification: must be empty."""
    wrong = {}
    for field in fields.FIELDS:
        for source in field.sources:
            name, column = source.split(".")
            if name == "cases" or UNDATED.get(field.name) == field.known:
                continue
            specification = table(name)
            found = {item.name: item.known for item in (*specification.columns, *specification.derived)}
            if found.get(column, "never") == "never":
                wrong[field.name] = source
    return wrong
