"""Facts about the disease before treatment: performance status, imaging, sites of disease, tumour markers.

Several reports of one day become one record: the worst of them. Indeterminate reports decide nothing and are left out. Where the
reports of a day contradict one another, disease wins: a day on which a site is named or progression read is a day on which
cancer was seen.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from oncoraft.evidence.declaration import IndexDay
from oncoraft.evidence.fields import MARKERS
from oncoraft.evidence.known import Tables, closest, daily, facts, in_figures, known_records, of_distinct, with_earlier

MARKER_CHANGE = 0.2  # a fifth up or down reads as rising or falling; assumed, within assay variation below it
DAYS_APART = 1 << 20  # more than any two days of the tables lie apart, so that person and day make one number
VERDICTS = {"Y": True, "N": False}
MODALITIES = {"Submitted Films": "imaging from elsewhere", "Other": "imaging"}
YES_OR_NO = {True: "yes", False: "no"}
SITES = {"cns/brain": "brain or central nervous system", "other": "other site"}


def decided(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Reports with a verdict of yes or no, as booleans in `is_yes`."""
    rows = rows[rows[column].isin(list(VERDICTS))]
    return rows.assign(is_yes=rows[column].map(VERDICTS).astype(bool))


def performance(cases: pd.DataFrame, tables: Tables, count: int, index_day: IndexDay) -> pd.DataFrame:
    """The closest ECOG grades."""
    rows = tables["timeline_performance_status"].dropna(subset=["ecog"])
    records = closest(daily(known_records(cases, rows, "ecog", index_day=index_day), "ecog"), count)
    return facts(records, records["ecog"].astype(int))


def presence(tables: Tables) -> pd.DataFrame:
    """Reports on whether cancer is seen; a site named on the day overrules "no cancer"."""
    rows = decided(tables["timeline_cancer_presence"], "has_cancer")[["person", "start_day", "is_yes"]]
    sites = tables["timeline_tumor_sites"].dropna(subset=["tumor_site"])
    return rows.assign(is_yes=rows["is_yes"] | _on_a_day_of(rows, sites, "person", "start_day"))


def _on_a_day_of(rows: pd.DataFrame, others: pd.DataFrame, who: str, day: str) -> pd.Series:
    """Which rows share person (or case) and day with one of the others."""
    keys, wanted = (frame[who].astype("int64") * DAYS_APART + frame[day].astype("int64") for frame in (rows, others))
    return keys.isin(wanted.unique())


class Reports(NamedTuple):
    """Decided reports, one a row, with person, start_day and is_yes: whether the disease progressed, whether cancer was seen."""

    progression: pd.DataFrame
    presence: pd.DataFrame


def reports(tables: Tables) -> Reports:
    """Those of all people."""
    return Reports(decided(tables["timeline_progression"], "progression"), presence(tables))


def imaging(cases: pd.DataFrame, told: Reports, count: int, index_day: IndexDay) -> dict[str, pd.DataFrame]:
    """Progression on the closest imaging days, how often so far, and whether cancer was seen at all."""
    rows = told.progression[["person", "start_day", "is_yes"]]
    rows = rows.assign(modality=told.progression["procedure_type"].fillna("imaging").replace(MODALITIES))
    # Asked for anew by its own field's rule: an error in one declaration must not hide behind another's.
    last = closest(daily(known_records(cases, rows, "progression", ties="modality"), "is_yes", "modality"), count)
    every = known_records(cases, rows[["person", "start_day", "is_yes"]], "imaging_history")
    ever = daily(every, "is_yes").groupby("case")["is_yes"].agg(["sum", "size"]).reset_index()
    seen = known_records(cases, told.presence, "cancer_presence", index_day=index_day)
    seen["is_yes"] |= _on_a_day_of(seen, every[every["is_yes"]], "case", "days_before_index")
    seen = daily(seen, "is_yes")
    closest_seen, earlier = with_earlier(seen, seen["is_yes"].map({True: "seen", False: "not seen"}), count)
    return {
        "progression": facts(
            last,
            last["is_yes"].map(YES_OR_NO),
            reading=last["is_yes"].map({True: "progression", False: "no progression"}),
            modality=last["modality"],
        ),
        # Series.replace changes whole values alone, so that 11 stays 11.
        "imaging_days": facts(ever, ever["size"], number=ever["size"].astype(str).replace("1", "one") + _days(ever["size"])),
        "imaging_history": facts(ever, ever["sum"], total=ever["size"].astype(str) + " imaging" + _days(ever["size"])),
        "cancer_presence": facts(
            closest_seen,
            closest_seen["is_yes"].map(YES_OR_NO),
            reading=closest_seen["is_yes"].map({True: "cancer seen on imaging", False: "no cancer seen on imaging"}),
            earlier=earlier,
        ),
    }


def _days(number: pd.Series) -> pd.Series:
    return pd.Series(np.where(number == 1, " day", " days"), index=number.index)


def sites(cases: pd.DataFrame, tables: Tables, index_day: IndexDay) -> pd.DataFrame:
    """Each site of disease on recent imaging once, when last seen, in alphabetical order."""
    rows = tables["timeline_tumor_sites"].dropna(subset=["tumor_site"])
    # Numbered in alphabetical order; a few words stand in very many rows.
    codes, distinct = pd.factorize(rows["tumor_site"])
    names, place = np.unique(pd.Series(distinct, dtype=object).str.lower().to_numpy(str), return_inverse=True)
    rows = rows[["person", "start_day"]].assign(place=place[codes])
    records = known_records(cases, rows, "tumor_sites", index_day=index_day).drop_duplicates(["case", "place"])
    records = records.iloc[np.lexsort([records["place"].to_numpy(), records["case"].to_numpy()])]
    name = pd.Series(names[records["place"].to_numpy()], index=records.index, dtype=object)
    return facts(records, name, reading=name.replace(SITES))


def markers(cases: pd.DataFrame, tables: Tables, count: int, index_day: IndexDay) -> pd.DataFrame:
    """The latest value of each tumour marker, its direction since the one before, and the earlier values."""
    found = [_marker(cases, tables[table], name, count, index_day) for name, table in MARKERS.items()]
    return pd.concat(found, ignore_index=True)


def _unit(words: pd.Series) -> pd.Series:
    """Units of measurement as a reader expects them; empty where none is given."""
    return words.fillna("").str.strip().str.replace("Units", "units", regex=False)


def _marker(cases: pd.DataFrame, rows: pd.DataFrame, name: str, count: int, index_day: IndexDay) -> pd.DataFrame:
    """One marker. Zero means below detection; a rise from there is a rise."""
    rows = rows.dropna(subset=["result"])
    rows = rows.assign(unit=of_distinct(rows["lr_unit_measure"], _unit))
    records = daily(known_records(cases, rows, "tumor_marker", ties="unit", index_day=index_day), "result", "unit")
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
    return facts(first, name.lower() + " " + trend, name=name, reading=measured + ", " + trend, earlier=earlier)
