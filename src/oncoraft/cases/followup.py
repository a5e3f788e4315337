"""Follow-up of each case from its index date: `oncoraft followup TABLES CASES`.

Overall survival runs in the source from the first sequencing (day 0), to which a patient had to live: a case that began before
is under observation only from then on. So entry = max(0, -index_day), exit = end of follow-up - index_day. `rwpfs`: first
progression more than `progression_lag_days` after index, or death; censored at the last informative scan, as trials censor at the
last adequate assessment. `ttnt`: next line of therapy (maintenance and later parts of a protocol are none) or death. Cases that never
come under observation (entry >= exit), those of patients whose survival is not recorded, and for `rwpfs` the living without an
assessment, are left out of the endpoint and counted.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from oncoraft.cases.tables import of_patients, open_tables, ranges_of
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.ranges import RangedTable, write_ranges
from oncoraft.planning.config import Followup
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
CASE_COLUMNS = ["case_id", "patient_id", "cancer_type", "index_day", "next_treatment_day", "line_overall"]
COLUMNS = {
    "clinical_patient": ["patient_id", "os_days", "is_deceased"],
    "timeline_progression": ["patient_id", "start_day", "progression"],
}
# What is written, of one type whatever a range of patients holds.
ONE = {"case_id": "", "endpoint": "", "entry_days": np.int32(0), "exit_days": np.int32(0), "event": False}
FOLLOWUP = pa.Schema.from_pandas(pd.DataFrame([ONE]).astype({"entry_days": np.int32, "exit_days": np.int32}), preserve_index=False)


def next_line_day(cases: pd.DataFrame) -> pd.Series:
    """First day of the next line of therapy of the patient's cancer, in whatever setting; null where there is none; aligned with `cases`."""
    course = ["patient_id", "cancer_type"]
    lines = cases.groupby([*course, "line_overall"])["index_day"].min().rename("line_day").reset_index()
    lines["following"] = lines.sort_values("line_overall").groupby(course)["line_day"].shift(-1)
    found = cases[[*course, "line_overall"]].merge(lines, on=[*course, "line_overall"], how="left", validate="many_to_one")
    return pd.Series(found["following"].to_numpy(dtype=float), index=cases.index)


def scans_of(cases: pd.DataFrame, progression: pd.DataFrame, settings: Followup) -> pd.DataFrame:
    """Informative scans after index, up to the last that may count: case_id, day (from index), progressed; sorted, a day once.

    With `assessment_gap_days`, scans after a longer gap than that (from index or from the scan before) do not count; unless a new
    regimen is ignored, nor do scans from its first day on.
    """
    said = progression[progression["progression"].isin(["Y", "N"])]
    # Both verdicts on a day are a progression (docs/labels.md).
    days = said.assign(progressed=said["progression"] == "Y").groupby(["patient_id", "start_day"])["progressed"].any().reset_index()
    scans = cases[["case_id", "patient_id", "index_day", "next_treatment_day"]].merge(days, on="patient_id")
    scans["day"] = scans["start_day"] - scans["index_day"]
    # A progression within the lag is of the time before index (conventions of real-world PFS, docs/labels.md).
    scans = scans[scans["day"] > settings.progression_lag_days]
    if settings.at_next_regimen != "ignore":
        # Where there is no next regimen a nullable integer compares to NA, which is no mask.
        scans = scans[~(scans["start_day"] >= scans["next_treatment_day"]).fillna(False).astype(bool)]
    scans = scans.sort_values(["case_id", "day"])
    if settings.assessment_gap_days is not None:
        gap = scans["day"] - scans.groupby("case_id")["day"].shift(fill_value=0)
        # Everything from the first long gap on is left out, not the one scan that ends it.
        scans = scans[(gap > settings.assessment_gap_days).groupby(scans["case_id"]).cumsum() == 0]
    return scans[["case_id", "day", "progressed"]]


def progression_free(frame: pd.DataFrame, end: pd.Series, died: pd.Series, scans: pd.DataFrame, settings: Followup) -> pd.DataFrame:
    """Exit and event of progression-free survival, by case_id; exit is null where a living patient was never assessed."""
    first = scans[scans["progressed"]].groupby("case_id")["day"].min().reindex(frame.index)
    last = scans.groupby("case_id")["day"].max().reindex(frame.index)
    switch = (frame["next_treatment_day"].astype("Float64") - frame["index_day"]).astype(float)
    # Death counts unless the patient had been lost to imaging for too long, or had gone on to another regimen that censors.
    seen = died.copy()
    if settings.assessment_gap_days is not None:
        seen &= end - last.fillna(0) <= settings.assessment_gap_days
    if settings.at_next_regimen != "ignore":
        seen &= switch.isna()
    exit_days, event = first.where(first.notna(), end.where(seen, last)), first.notna() | seen
    if settings.at_next_regimen == "event":
        by_switch = switch.notna() & first.isna()
        exit_days, event = exit_days.mask(by_switch, switch), event | by_switch
    return pd.DataFrame({"exit_days": exit_days, "event": event})


def endpoints(cases: pd.DataFrame, patients: pd.DataFrame, progression: pd.DataFrame, settings: Followup) -> dict[str, pd.DataFrame]:
    """Exit and event of every case for each endpoint, before exclusions; days from index."""
    people = patients[["patient_id", "os_days", "is_deceased"]]
    frame = cases.merge(people, on="patient_id", how="left", validate="many_to_one").set_index("case_id")
    end = (frame["os_days"] - frame["index_day"]).astype(float)
    died = frame["is_deceased"].eq(True).fillna(False).astype(bool)
    following = next_line_day(cases)
    next_start = pd.Series((following - cases["index_day"]).to_numpy(dtype=float), index=frame.index)
    switched = next_start.notna()
    return {
        "os": pd.DataFrame({"exit_days": end, "event": died}),
        "rwpfs": progression_free(frame, end, died, scans_of(cases, progression, settings), settings),
        "ttnt": pd.DataFrame({"exit_days": next_start.where(switched, end), "event": switched | died}),
    }


def follow(
    cases: pd.DataFrame, patients: pd.DataFrame, progression: pd.DataFrame, settings: Followup, *, has_verdicts: bool | None = None
) -> tuple[pd.DataFrame, dict[str, dict[str, int]]]:
    """Rows of `followup.parquet`, and per endpoint how many cases were left out and why.

    `has_verdicts`: whether the study has a progression timeline; None: where the table has a row.
    """
    has_verdicts = len(progression) > 0 if has_verdicts is None else has_verdicts
    entry = (-cases.set_index("case_id")["index_day"]).clip(lower=0)
    recorded = patients.loc[patients["os_days"].notna() & patients["is_deceased"].notna(), "patient_id"]
    has_survival = cases.set_index("case_id")["patient_id"].isin(recorded)
    parts, counts = [], {}
    for name, found in endpoints(cases, patients, progression, settings).items():
        found["entry_days"] = entry.reindex(found.index)
        if name == "rwpfs" and not has_verdicts:
            found["exit_days"] = np.nan  # nobody was assessed; with deaths alone it would be overall survival of the dead
        lost = ~has_survival.reindex(found.index)
        unassessed = ~lost & found["exit_days"].isna()
        unseen = ~lost & ~unassessed & (found["entry_days"] >= found["exit_days"])
        kept = found[~lost & ~unassessed & ~unseen]
        counts[name] = {
            "cases": len(kept),
            "events": int(kept["event"].sum()),
            "no_follow_up": int(lost.sum()),
            **({"never_assessed": int(unassessed.sum())} if name == "rwpfs" else {}),
            "never_at_risk": int(unseen.sum()),
        }
        parts.append(kept.reset_index(names="case_id").assign(endpoint=name))
    rows = pd.concat(parts).astype({"entry_days": np.int32, "exit_days": np.int32, "event": bool})
    return rows.sort_values(["case_id", "endpoint"], ignore_index=True)[["case_id", "endpoint", "entry_days", "exit_days", "event"]], counts


class Followed:
    """The follow-up of a cohort, one range of patients after another, with what was counted of the ranges so far."""

    def __init__(self, cases: RangedTable, tables: dict[str, RangedTable], settings: Followup) -> None:
        self.cases, self.tables, self.settings = cases, tables, settings
        self.total: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def parts(self) -> Iterator[pa.Table]:
        """Rows of each range, as `follow` gives them."""
        has_verdicts = self.tables["timeline_progression"].file.metadata.num_rows > 0
        for one in ranges_of(self.cases):
            own = of_patients(self.tables, one.patient_ids)
            patients, progression = own["clinical_patient"], own["timeline_progression"]
            rows, counts = follow(self.cases.rows(one.case_ids), patients, progression, self.settings, has_verdicts=has_verdicts)
            for name, told in counts.items():
                for what, count in told.items():
                    self.total[name][what] += count
            # What pandas notes of its columns must not depend on whether a range has a row.
            yield pa.Table.from_pandas(rows, FOLLOWUP, preserve_index=False).replace_schema_metadata(FOLLOWUP.metadata)

    def counts(self) -> dict[str, dict[str, int]]:
        """Per endpoint how many cases are in it, and how many were left out and why."""
        return {name: dict(told) for name, told in self.total.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Read cases, write follow-up."""
    parser = step_parser(
        "followup",
        "in:  cases.parquet; clinical_patient, timeline_progression\n"
        "out: followup.parquet, one row a case and endpoint: entry and exit in days from index, event (docs/artefacts.md)\n\n"
        "example:\n  oncoraft followup tables cases",
    )
    parser.add_argument("tables", type=Path, metavar="TABLES", help="folder written by `oncoraft ingest`")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases.parquet; followup.parquet is written beside it")
    given = parser.parse_args(arguments)
    blocks = read_settings("followup", given)
    tables = open_tables(given.tables, COLUMNS, COLUMNS)
    cases = open_tables(given.cases, ["cases"], {"cases": CASE_COLUMNS})["cases"]
    followed = Followed(cases, tables, blocks["followup"])
    final, record = given.cases / "followup.parquet", given.cases / "followup.parquet.manifest.json"
    with publishing(final, record, step="followup") as (out, note):
        write_ranges(out, followed.parts())
        counts = followed.counts()
        inputs = [given.cases / "cases.parquet", *(given.tables / f"{name}.parquet" for name in COLUMNS)]
        settings = settings_record(given, blocks)
        write_json(note, manifest("followup", inputs=inputs, outputs={final: out}, settings=settings, counts=counts, beside=record))
    log.info("followup: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
