"""Surgery and radiation by day, and which regimens are chemoradiation.

The source names no procedure and no radiation field, and one code covers operations, biopsies and ports. What it tells is used: a row
`SAMPLE` took a specimen, and so did a procedure on the day on which a sequenced specimen of a metastasis was acquired. Everything
else of the code `PROCEDURE` counts as an operation, the acquisition of a primary tumour's specimen too: it may be its resection.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import pandas as pd

COLUMNS = {
    "timeline_surgery": ["patient_id", "start_day", "subtype"],
    "timeline_radiation": ["patient_id", "start_day"],
    "timeline_specimen_surgery": ["patient_id", "start_day", "sample_id"],
    "clinical_sample": ["sample_id", "sample_type"],
}


def operations(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Days with a procedure that is not known to have taken a specimen alone: patient_id, start_day, once each."""
    rows = tables["timeline_surgery"]
    rows = rows.loc[rows["subtype"].astype("string").str.upper() != "SAMPLE", ["patient_id", "start_day"]].drop_duplicates()
    samples = tables["clinical_sample"]
    of_metastasis = samples.loc[samples["sample_type"] == "Metastasis", "sample_id"]
    taken = tables["timeline_specimen_surgery"]
    taken = taken.loc[taken["sample_id"].isin(of_metastasis), ["patient_id", "start_day"]]
    known = pd.MultiIndex.from_frame(rows).isin(pd.MultiIndex.from_frame(taken))
    return rows[~known].reset_index(drop=True)


def local_days(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Days with local treatment: patient_id, start_day, surgery, radiation (bool); a day once, sorted."""
    surgery = operations(tables).assign(surgery=True, radiation=False)
    radiation = tables["timeline_radiation"][["patient_id", "start_day"]].drop_duplicates().assign(surgery=False, radiation=True)
    kinds = ["surgery", "radiation"]
    return pd.concat([surgery, radiation]).groupby(["patient_id", "start_day"])[kinds].any().astype(bool).reset_index()


def days_by_patient(rows: pd.DataFrame) -> dict[int, list[int]]:
    """Sorted days of each patient, who stands in the rows by place."""
    found: dict[int, list[int]] = {}
    ordered = rows[["patient_id", "start_day"]].drop_duplicates().sort_values("start_day")
    for patient, day in zip(ordered["patient_id"].tolist(), ordered["start_day"].tolist()):
        found.setdefault(patient, []).append(day)
    return found


def any_between(days: Sequence[int] | None, first: int, last: int) -> bool:
    """Whether any of the sorted days is in [first, last]."""
    # A patient has few days: numpy would take longer to be called than to look.
    return days is not None and bisect_right(days, last) > bisect_left(days, first)
