"""Surgery and radiation by day, and which regimens are chemoradiation.

The source names no procedure and no radiation field, and one code covers operations, biopsies and ports. What it tells is used: a row
`SAMPLE` took a specimen, and so did a procedure on the day on which a sequenced specimen of a metastasis was acquired. Everything
else of the code `PROCEDURE` counts as an operation, the acquisition of a primary tumour's specimen too: it may be its resection.
"""

from __future__ import annotations

import numpy as np
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


def days_by_patient(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Sorted days of each patient."""
    ordered = rows[["patient_id", "start_day"]].drop_duplicates().sort_values(["patient_id", "start_day"])
    people, first = np.unique(ordered["patient_id"].to_numpy(dtype=object), return_index=True)
    return dict(zip(people, np.split(ordered["start_day"].to_numpy(), first[1:])))


def any_between(days: np.ndarray | None, first: int, last: int) -> bool:
    """Whether any of the sorted days is in [first, last]."""
    return days is not None and bool(np.searchsorted(days, last, side="right") > np.searchsorted(days, first, side="left"))
