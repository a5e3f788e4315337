"""Columns of `cases.parquet` and their types: the same whichever patients a part of it holds."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

TEXT, LIST, DAY, NUMBER, FLAG = pa.string(), pa.list_(pa.string()), pa.int32(), pa.int16(), pa.bool_()
CASES = pa.schema(
    {
        "case_id": TEXT, "patient_id": TEXT, "cancer_type": TEXT, "index_day": DAY, "stop_day": DAY, "next_index_day": DAY,
        "next_treatment_day": DAY, "regimen": TEXT, "regimen_name": TEXT, "regimen_at_index": TEXT, "agents": LIST,
        "agents_at_index": LIST, "agents_carried_over": LIST, "agents_joined_later": LIST, "setting": TEXT, "line_of_therapy": NUMBER,
        "line_overall": NUMBER, "protocol": TEXT, "protocol_part": NUMBER, "opened_by": TEXT, "is_maintenance": FLAG,
        "is_chemoradiation": FLAG, "is_chemoradiation_at_index": FLAG, "maintenance_start_day": DAY, "is_investigational": FLAG,
        "is_before_sequencing": FLAG, "diagnosis_day": DAY, "is_diagnosis_unknown": FLAG, "has_other_cancer": FLAG, "drug_class": TEXT,
        "specimen_id": TEXT, "gene_panel": TEXT, "is_prior_outside": FLAG,
    }
)  # fmt: skip
# Days that a case may lack are integers in pandas too.
NULLABLE = ("next_index_day", "next_treatment_day", "maintenance_start_day", "diagnosis_day")
PANDAS_TYPES = {
    **{name: "int32" for name in ("index_day", "stop_day")},
    **{name: "int16" for name in ("line_of_therapy", "line_overall", "protocol_part")},
    **{name: "Int32" for name in NULLABLE},
}


def case_table(cases: pd.DataFrame) -> pa.Table:
    """Cases as they are written."""
    return pa.Table.from_pandas(cases.astype(PANDAS_TYPES), CASES, preserve_index=False)
