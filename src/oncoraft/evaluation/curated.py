"""Response as people read it, in the windows that the rule on scans has judged, and the days of two cohorts brought to one clock.

The same windows, the same first informative day; what differs is who read the scan, and what: curators say whether a tumour shrinks,
the rule has to tell it from the sites that are gone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from oncoraft.foundation.csv_file import iterate_csv, plain
from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.curated import CATEGORIES, COLUMNS, NO_CANCER, READINGS, SHOWS_CANCER
from oncoraft.knowledge.drug_names import resolve

SAME_START_DAYS = 3  # a drug's start in two cohorts, once their clocks are aligned


def read_readings(path: Path) -> pd.DataFrame:
    """What people said of each scan: patient_id, start_day (from the first sequencing), reading.

    Raises:
        InputError: no such file, a column that is missing, a day that is no whole number, a reading of another name.
    """
    rows = []
    for line, row in iterate_csv(path, COLUMNS, "readings of scans by people, written by `oncoraft convert`"):
        if row["reading"] not in READINGS:
            raise InputError(f"expected one of {', '.join(READINGS)}", file=path, line=line, column="reading", found=row["reading"])
        try:
            rows.append((plain(row["patient_id"]), int(row["start_day"]), row["reading"]))
        except ValueError:
            raise InputError("expected a whole number of days", file=path, line=line, column="start_day", found=row["start_day"]) from None
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"start_day": "int64"})


def curated_response(cases: pd.DataFrame, readings: pd.DataFrame, baseline_days: int) -> pd.DataFrame:
    """The category of each case by the first informative day of its window: the worse of two readings of that day.

    Args:
        cases: case_id, patient_id, index_day, window_start_days, window_end_days (from the index date, both inside the window).
        readings: patient_id, start_day on the same clock, reading.
        baseline_days: readings of so many days up to the index date tell whether there was disease before.

    Returns:
        case_id, category: PD, SD, PR; without evidence of cancer CR where a reading before showed cancer, NED where one showed none, NE
        where there was none; NE too without an informative reading. responder: of CR, PR, SD and PD, else null.
    """
    joined = cases.merge(readings, on="patient_id", how="inner")
    day = joined["start_day"] - joined["index_day"]
    before = joined[(day <= 0) & (day >= -baseline_days)]
    diseased = set(before.loc[before["reading"].isin(SHOWS_CANCER), "case_id"])
    imaged = set(before.loc[before["reading"].isin((*SHOWS_CANCER, NO_CANCER)), "case_id"])
    inside = joined[(day >= joined["window_start_days"]) & (day <= joined["window_end_days"])]
    rank = inside["reading"].map({name: place for place, name in enumerate(CATEGORIES)})
    decided = inside.assign(rank=rank)[rank.notna()].sort_values(["case_id", "start_day", "rank"]).drop_duplicates("case_id")
    found = decided.set_index("case_id")["reading"].map(CATEGORIES).reindex(cases["case_id"])
    names = found.index
    without = np.where(names.isin(imaged), "NED", "NE")
    undecided = (found == "CR").to_numpy() & ~names.isin(diseased)
    category = pd.Series(np.where(undecided, without, found.fillna("NE")), index=names)
    responder = category.isin(("CR", "PR")).astype("boolean").mask(category.isin(("NED", "NE")).to_numpy())
    return pd.DataFrame({"case_id": names, "category": category.to_numpy(), "responder": responder.array})


def first_starts(treatment: pd.DataFrame) -> pd.DataFrame:
    """The first day of each agent of a patient, agents by their one name: patient_id, agent, start_day.

    Args:
        treatment: patient_id, start_day, agent as a cohort spells it.
    """
    agents = {name: resolve(name).agents for name in treatment["agent"].dropna().unique()}
    long = treatment.assign(agent=treatment["agent"].map(agents)).explode("agent").dropna(subset=["agent"])
    return long.groupby(["patient_id", "agent"])["start_day"].min().reset_index()


def offsets(first: pd.DataFrame, second: pd.DataFrame, matched: pd.DataFrame) -> tuple[pd.Series, dict[str, int]]:
    """By how many days the first cohort's clock is ahead of the second's, for each patient who is in both.

    The median over the drugs that both name of how far their first starts lie apart; it holds where at least half of them then start
    within three days of one another. One cohort counts from sequencing, the other may count from the report of it.

    Args:
        first, second: patient_id, start_day, agent.
        matched: patient_id of the second, patient_id_there of the first.

    Returns:
        patient_id of the second -> days to add to its days; patients by whether they could be aligned.
    """
    one, other = first_starts(first), first_starts(second)
    pairs = matched.merge(other, on="patient_id").merge(
        one, left_on=["patient_id_there", "agent"], right_on=["patient_id", "agent"], suffixes=("", "_first")
    )
    apart = pairs["start_day_first"] - pairs["start_day"]
    shift = apart.groupby(pairs["patient_id"]).median().round()
    near = (apart - pairs["patient_id"].map(shift)).abs() <= SAME_START_DAYS
    holds = near.astype(float).groupby(pairs["patient_id"]).mean() >= 0.5
    counts = {
        "matched_patients": len(matched),
        "aligned": int(holds.sum()),
        "contradictory": int((~holds).sum()),
        "no_shared_drug": len(matched) - len(holds),
    }
    return shift[holds], counts
