"""Facts about the disease before treatment: performance status, imaging, sites of disease, tumour markers.

Several reports of one day become one record: the worst of them. Indeterminate reports decide nothing and are left out.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from oncoraft.evidence.fields import MARKERS
from oncoraft.evidence.known import Tables, closest, daily, facts, in_figures, known_records, with_earlier

MARKER_CHANGE = 0.2  # a fifth up or down reads as rising or falling; assumed, within assay variation below it
VERDICTS = {"Y": True, "N": False}
YES_OR_NO = {True: "yes", False: "no"}
SITES = {"cns/brain": "brain or central nervous system", "other": "other site"}


def decided(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Reports with a verdict of yes or no, as booleans in `is_yes`."""
    rows = rows[rows[column].isin(list(VERDICTS))]
    return rows.assign(is_yes=rows[column].map(VERDICTS).astype(bool))


def performance(cases: pd.DataFrame, tables: Tables, count: int) -> pd.DataFrame:
    """The closest ECOG grades."""
    rows = tables["timeline_performance_status"].dropna(subset=["ecog"])
    records = closest(daily(known_records(cases, rows, "ecog"), "ecog"), count)
    return facts(records, records["ecog"].astype(int))


def imaging(cases: pd.DataFrame, tables: Tables, count: int) -> dict[str, pd.DataFrame]:
    """Progression on the closest imaging days, how often so far, and whether cancer was seen at all."""
    rows = decided(tables["timeline_progression"], "progression")
    rows = rows.assign(modality=rows["procedure_type"].fillna("imaging").replace("Submitted Films", "imaging from elsewhere"))
    records = daily(known_records(cases, rows, "progression", ties="modality"), "is_yes", "modality")
    last = closest(records, count)
    ever = daily(known_records(cases, rows, "imaging_history"), "is_yes").groupby("case")["is_yes"].agg(["sum", "size"]).reset_index()
    presence = daily(known_records(cases, decided(tables["timeline_cancer_presence"], "has_cancer"), "cancer_presence"), "is_yes")
    seen, earlier = with_earlier(presence, presence["is_yes"].map({True: "seen", False: "not seen"}), count)
    return {
        "progression": facts(
            last,
            last["is_yes"].map(YES_OR_NO),
            reading=last["is_yes"].map({True: "progression", False: "no progression"}),
            modality=last["modality"],
        ),
        "imaging_history": facts(ever, ever["sum"].astype(str) + " of " + ever["size"].astype(str)),
        "cancer_presence": facts(
            seen,
            seen["is_yes"].map(YES_OR_NO),
            reading=seen["is_yes"].map({True: "cancer seen on imaging", False: "no cancer seen on imaging"}),
            earlier=earlier,
        ),
    }


def sites(cases: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Each site of disease on recent imaging once, when last seen, in alphabetical order."""
    rows = tables["timeline_tumor_sites"].dropna(subset=["tumor_site"])
    names, place = np.unique(rows["tumor_site"].str.lower().to_numpy(str), return_inverse=True)
    records = known_records(cases, rows[["person", "start_day"]].assign(place=place), "tumor_sites").drop_duplicates(["case", "place"])
    records = records.iloc[np.lexsort([records["place"].to_numpy(), records["case"].to_numpy()])]
    name = pd.Series(names[records["place"].to_numpy()], index=records.index, dtype=object)
    return facts(records, name + " disease", reading=name.replace(SITES))


def markers(cases: pd.DataFrame, tables: Tables, count: int) -> pd.DataFrame:
    """The latest value of each tumour marker, its direction since the one before, and the earlier values."""
    return pd.concat([_marker(cases, tables[table], name, count) for name, table in MARKERS.items()], ignore_index=True)


def _marker(cases: pd.DataFrame, rows: pd.DataFrame, name: str, count: int) -> pd.DataFrame:
    """One marker. Zero means below detection; a rise from there is a rise."""
    rows = rows.dropna(subset=["result"])
    unit = rows["lr_unit_measure"].fillna("").str.strip()
    rows = rows.assign(unit=unit.str.replace("Units", "units", regex=False))
    records = daily(known_records(cases, rows, "tumor_marker", ties="unit"), "result", "unit")
    place = records.groupby("case", sort=False).cumcount()
    before = records["result"].shift(-1).where(place.shift(-1) == place + 1)  # the record before in time stands in the next row
    change = np.select(
        [before.isna(), records["result"] > (1 + MARKER_CHANGE) * before, records["result"] < (1 - MARKER_CHANGE) * before],
        ["measured once", "rising", "falling"],
        "steady",
    )
    figures = in_figures(records["result"]).mask(records["result"] <= 0, "below detection")
    first, earlier = with_earlier(records, figures, count)
    trend = pd.Series(change, index=records.index).loc[first.index]
    measured = figures.loc[first.index] + (" " + first["unit"]).where((first["unit"] != "") & (first["result"] > 0), "")
    return facts(first, name + " " + trend, name=name, reading=measured + ", " + trend, earlier=earlier)
