"""Follow-up of each case from its index date: `oncoraft followup TABLES CASES`.

Overall survival runs in the source from the first sequencing (day 0), to which a patient had to live: a case that began before
is under observation only from then on. So entry = max(0, -index_day), exit = end of follow-up - index_day. `rwpfs`: first
progression more than 14 days after index, or death; censored at the last informative scan. `ttnt`: next regimen or death.
Cases that never come under observation (entry >= exit) are left out of the endpoint and counted.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from oncoraft.cases.tables import read_tables
from oncoraft.edge import run, settings_record, step_parser
from oncoraft.provenance import manifest, publishing, write_json

log = logging.getLogger("oncoraft")
TABLES = ("clinical_patient", "timeline_progression")
PROGRESSION_LAG_DAYS = 14


def endpoints(cases: pd.DataFrame, patients: pd.DataFrame, progression: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Exit and event of every case for each endpoint, before exclusions; days from index."""
    frame = cases.merge(patients[["patient_id", "os_days", "is_deceased"]], on="patient_id", how="left").set_index("case_id")
    end = frame["os_days"] - frame["index_day"]
    died = frame["is_deceased"].astype("boolean").fillna(False).astype(bool)
    scans = progression[progression["progression"].isin(["Y", "N"])][["patient_id", "start_day", "progression"]]
    scans = cases[["case_id", "patient_id", "index_day"]].merge(scans, on="patient_id")
    scans["day"] = scans["start_day"] - scans["index_day"]
    scans = scans[scans["day"] > PROGRESSION_LAG_DAYS]
    first = scans[scans["progression"] == "Y"].groupby("case_id")["day"].min().reindex(frame.index)
    last = scans.groupby("case_id")["day"].max().reindex(frame.index)
    progressed = first.notna()
    next_start = (frame["next_index_day"] - frame["index_day"]).astype(float)
    switched = next_start.notna()
    return {
        "os": pd.DataFrame({"exit_days": end, "event": died}),
        "rwpfs": pd.DataFrame({"exit_days": first.where(progressed, end.where(died, last)), "event": progressed | died}),
        "ttnt": pd.DataFrame({"exit_days": next_start.where(switched, end), "event": switched | died}),
    }


def follow(cases: pd.DataFrame, patients: pd.DataFrame, progression: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, dict[str, int]]]:
    """Rows of `followup.parquet`, and per endpoint how many cases were left out and why."""
    entry = (-cases.set_index("case_id")["index_day"]).clip(lower=0)
    parts, counts = [], {}
    for name, found in endpoints(cases, patients, progression).items():
        found["entry_days"] = entry.reindex(found.index)
        unknown = found["exit_days"].isna()
        unseen = ~unknown & (found["entry_days"] >= found["exit_days"])
        kept = found[~unknown & ~unseen]
        counts[name] = {
            "cases": len(kept),
            "events": int(kept["event"].sum()),
            "no_follow_up": int(unknown.sum()),
            "never_at_risk": int(unseen.sum()),
        }
        parts.append(kept.reset_index(names="case_id").assign(endpoint=name))
    rows = pd.concat(parts).astype({"entry_days": np.int32, "exit_days": np.int32, "event": bool})
    return rows.sort_values(["case_id", "endpoint"], ignore_index=True)[["case_id", "endpoint", "entry_days", "exit_days", "event"]], counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Read cases, write follow-up."""
    parser = step_parser("followup", "example:\n  oncoraft followup tables cases")
    parser.add_argument("tables", type=Path, metavar="TABLES", help="folder written by `oncoraft ingest`")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases.parquet; followup.parquet is written beside it")
    given = parser.parse_args(arguments)
    tables = read_tables(given.tables, TABLES)
    cases = read_tables(given.cases, ["cases"])["cases"]
    rows, counts = follow(cases, tables["clinical_patient"], tables["timeline_progression"])
    final, record = given.cases / "followup.parquet", given.cases / "followup.parquet.manifest.json"
    with publishing(final, record) as (out, note):
        rows.to_parquet(out, index=False)
        inputs = [given.cases / "cases.parquet", *(given.tables / f"{name}.parquet" for name in TABLES)]
        settings = settings_record(given, {})
        write_json(note, manifest("followup", inputs=inputs, outputs={final: out}, settings=settings, counts=counts, beside=record))
    log.info("followup: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
