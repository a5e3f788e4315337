"""Response to each regimen, judged from the scans in its window: `oncoraft labels TABLES CASES`.

All definitions are computed; the configuration says which one trains. `strict`: the first day after (lag_days] on which imaging
gave an informative verdict (Y or N; both on one day is Y) decides, up to `window_days`, the next regimen or the end of follow-up.
Y is PD. N is CR where imaging says no cancer and disease was seen before, PR where at least `partial_response_fraction` of the
sites seen in the `baseline_days` before index are gone, else SD. Death in the window before any assessment is PD. No
assessment is NE and never a response. `oncoraft` is the published rule, its gaps included: no scan counts as a response.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from oncoraft.cases.tables import read_tables
from oncoraft.config import Labels
from oncoraft.edge import read_settings, run, settings_record, step_parser
from oncoraft.provenance import manifest, publishing, write_json

log = logging.getLogger("oncoraft")
TABLES = ("clinical_patient", "timeline_progression", "timeline_cancer_presence", "timeline_tumor_sites")
SCORES = {"CR": 1.0, "PR": 0.7, "SD": 0.3, "PD": 0.0}
PUBLISHED_DAYS, PUBLISHED_LONG_DAYS = 56, 84
PUBLISHED_LONG_CLASSES = ("Hormone", "Immuno", "Investigational")
COLUMNS = (
    "case_id",
    "definition",
    "category",
    "score",
    "responder",
    "disease_control",
    "window_start_days",
    "window_end_days",
    "scan_days",
    "is_baseline_unknown",
    "is_immortal",
    "reason",
)


def windows(cases: pd.DataFrame, patients: pd.DataFrame, settings: Labels) -> pd.DataFrame:
    """Cases with the end of their window in days from index, and whether it ends by death."""
    frame = cases.merge(patients[["patient_id", "os_days", "is_deceased"]], on="patient_id", how="left")
    nominal = frame["drug_class"].map(settings.window_days_by_drug_class).fillna(settings.window_days)
    to_end = (frame["os_days"] - frame["index_day"]).fillna(0)
    to_next = (frame["next_index_day"] - frame["index_day"] - 1).astype("Float64").fillna(np.inf)
    ends = pd.DataFrame({"nominal": nominal, "follow_up": to_end, "next_regimen": to_next}).astype(float)
    frame["window_end_days"] = ends.min(axis=1).clip(lower=0).astype(np.int32)
    frame["dies_in_window"] = frame["is_deceased"].fillna(False).astype(bool) & (to_end <= nominal) & (to_end <= to_next.astype(float))
    return frame


def near(frame: pd.DataFrame, rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Records of each case with their day from its index date."""
    joined = frame[["case_id", "patient_id", "index_day", "window_end_days"]].merge(
        rows[["patient_id", "start_day", *columns]], on="patient_id"
    )
    joined["day"] = joined["start_day"] - joined["index_day"]
    return joined


def deciding_scans(frame: pd.DataFrame, progression: pd.DataFrame, lag_days: int) -> pd.DataFrame:
    """The first informative scan day in each window: case_id, day, progressed."""
    scans = near(frame, progression[progression["progression"].isin(["Y", "N"])], ["progression"])
    scans = scans[(scans["day"] > lag_days) & (scans["day"] <= scans["window_end_days"])]
    days = scans.assign(progressed=scans["progression"] == "Y").groupby(["case_id", "day"])["progressed"].any().reset_index()
    return days.sort_values(["case_id", "day"]).drop_duplicates("case_id").set_index("case_id")


def disease_state(frame: pd.DataFrame, tables: dict[str, pd.DataFrame], scans: pd.DataFrame, baseline_days: int) -> pd.DataFrame:
    """Per case: sites at baseline and how many of them are left at the deciding scan; cancer said to be present then and there."""
    sites = near(frame, tables["timeline_tumor_sites"], ["tumor_site"]).drop_duplicates(["case_id", "day", "tumor_site"])
    presence = near(frame, tables["timeline_cancer_presence"], ["has_cancer"])
    decisive = scans["day"]
    before = sites[(sites["day"] < 0) & (sites["day"] >= -baseline_days)].drop_duplicates(["case_id", "tumor_site"])
    after = sites[sites["day"] == sites["case_id"].map(decisive)].drop_duplicates(["case_id", "tumor_site"])
    left = before.merge(after[["case_id", "tumor_site"]], on=["case_id", "tumor_site"])
    earlier = presence[(presence["day"] < 0) & (presence["day"] >= -baseline_days)]
    then = presence[presence["day"] == presence["case_id"].map(decisive)]
    state = frame.set_index("case_id")[[]]
    state["sites_before"] = before.groupby("case_id").size()
    state["sites_left"] = left.groupby("case_id").size()
    state["sites_after"] = after.groupby("case_id").size()
    state["cancer_before"] = earlier.assign(seen=earlier["has_cancer"] == "Y").groupby("case_id")["seen"].any()
    state["imaged_before"] = (
        pd.concat([earlier["case_id"], before["case_id"]]).drop_duplicates().to_frame().set_index("case_id").assign(x=True)["x"]
    )
    state["cancer_after"] = then.assign(seen=then["has_cancer"] == "Y").groupby("case_id")["seen"].any()
    state["free_after"] = then.assign(free=then["has_cancer"] == "N").groupby("case_id")["free"].any()
    counts, flags = ["sites_before", "sites_left", "sites_after"], ["cancer_before", "imaged_before", "cancer_after", "free_after"]
    state[counts] = state[counts].fillna(0).astype(int)
    state[flags] = state[flags].astype("boolean").fillna(False).astype(bool)
    state["free_after"] &= ~state["cancer_after"]
    return state


def strict(frame: pd.DataFrame, tables: dict[str, pd.DataFrame], settings: Labels) -> pd.DataFrame:
    """Category, reason and the scan used, by the strict definition."""
    scans = deciding_scans(frame, tables["timeline_progression"], settings.lag_days)
    state = disease_state(frame, tables, scans, settings.baseline_days)
    case = frame.set_index("case_id")
    day = scans["day"].reindex(case.index)
    progressed = scans["progressed"].reindex(case.index).astype("boolean").fillna(False).astype(bool)
    disease_before = state["cancer_before"] | (state["sites_before"] > 0)
    disease_after = state["cancer_after"] | (state["sites_after"] > 0)
    unknown = ~state["imaged_before"]
    gone = 1 - state["sites_left"] / state["sites_before"].clip(lower=1)
    fewer = (state["sites_before"] > 0) & (gone >= settings.partial_response_fraction - 1e-9)
    judged = day.notna()
    conditions = [
        (~judged & case["dies_in_window"], "PD", "died in the window before any assessment"),
        (~judged, "NE", "no informative scan in the window"),
        (progressed, "PD", "progression on the first informative scan"),
        (state["free_after"] & disease_before, "CR", "no cancer on imaging, disease seen before"),
        (~disease_after & ~disease_before & ~unknown, "NED", "no disease before or at the assessment"),
        (~disease_after & unknown, "NE", "never imaged before index and no disease at the assessment"),
        (fewer, "PR", "sites seen before index are gone"),
        (judged, "SD", "no progression, sites remain"),
    ]
    masks = [mask.to_numpy() for mask, _, _ in conditions]
    result = pd.DataFrame({"case_id": case.index, "is_baseline_unknown": unknown.to_numpy()})
    result["category"] = np.select(masks, [category for _, category, _ in conditions], "NE")
    result["reason"] = np.select(masks, [reason for _, _, reason in conditions], "")
    result["scan_days"] = [[int(value)] if value == value else [] for value in day.to_numpy(dtype=float)]
    result["window_start_days"], result["window_end_days"] = settings.lag_days + 1, case["window_end_days"].to_numpy()
    return result


def published(frame: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The reference rule as its code applies it: 56 days (84 for hormone, immuno and investigational agents), from day 0, sites counted.

    Its gaps are kept on purpose: without any scan in the window a patient with an earlier site is a partial responder, and a
    site first seen in the window is progression.
    """
    long = frame["drug_class"].apply(lambda text: any(name in text for name in PUBLISHED_LONG_CLASSES))
    window = frame.assign(window_end_days=np.where(long, PUBLISHED_LONG_DAYS, PUBLISHED_DAYS).astype(np.int32))
    reads = near(window, tables["timeline_progression"], ["progression", "nlp_progression_probability"])
    ever_read = set(reads["case_id"])
    reads = reads[(reads["day"] >= 0) & (reads["day"] <= reads["window_end_days"])]
    sites = near(window, tables["timeline_tumor_sites"], ["tumor_site"]).drop_duplicates(["case_id", "day", "tumor_site"])
    before = sites[sites["day"] < 0].drop_duplicates(["case_id", "tumor_site"])
    during = sites[(sites["day"] >= 0) & (sites["day"] <= sites["window_end_days"])].drop_duplicates(["case_id", "tumor_site"])
    kept = during.merge(before[["case_id", "tumor_site"]], on=["case_id", "tumor_site"])
    yes = reads[reads["progression"] == "Y"]
    likely = (
        yes[yes["nlp_progression_probability"] > 0.7]
        .groupby("case_id")
        .agg(count=("day", "size"), top=("nlp_progression_probability", "max"), first=("day", "min"), last=("day", "max"))
    )
    state = window.set_index("case_id")[["window_end_days"]].copy()
    state["before"], state["during"] = before.groupby("case_id").size(), during.groupby("case_id").size()
    state["kept"], state["yes"] = kept.groupby("case_id").size(), yes.groupby("case_id").size()
    state["no"] = reads[reads["progression"] == "N"].groupby("case_id").size()
    state["sure"] = yes[yes["nlp_progression_probability"] > 0.95].groupby("case_id").size()
    state = state.join(likely).fillna(0)
    recorded = state.index.isin(list(set(sites["case_id"]) & ever_read))
    repeated = (state["count"] >= 2) & ((state["top"] > 0.8) | (state["last"] - state["first"] >= 28))
    new_site = state["during"] > state["kept"]
    vanished = (state["before"] > 0) & (state["during"] == 0)
    informative = state["yes"] + state["no"]
    shrunk = (state["before"] > 0) & (state["during"] > 0) & (state["during"] <= 0.7 * state["before"]) & (state["count"] == 0)
    conditions = [
        (~recorded, "NE", "no site or no progression record at any time"),
        ((state["sure"] > 0) | repeated | new_site, "PD", "progression read or a new site"),
        (vanished & (state["yes"] > 0), "SD", "sites gone but a progression read"),
        (vanished & (informative == 0), "PR", "sites gone, no informative read"),
        (vanished, "CR", "sites gone, all reads without progression"),
        (shrunk, "PR", "at most 70 % of the sites"),
        (recorded, "SD", "otherwise"),
    ]
    masks = [np.asarray(mask) for mask, _, _ in conditions]
    days = reads[reads["progression"].isin(["Y", "N"])].groupby("case_id")["day"].agg(lambda found: sorted(set(found)))
    return pd.DataFrame(
        {
            "case_id": state.index,
            "category": np.select(masks, [category for _, category, _ in conditions], "NE"),
            "reason": np.select(masks, [reason for _, _, reason in conditions], ""),
            "scan_days": [list(map(int, found)) if isinstance(found, list) else [] for found in days.reindex(state.index)],
            "window_start_days": 0,
            "window_end_days": state["window_end_days"].to_numpy(),
            "is_baseline_unknown": (state["before"] == 0).to_numpy(),
        }
    )


def finish(result: pd.DataFrame, definition: str, index_day: pd.Series) -> pd.DataFrame:
    """Scores, binary labels and flags of one definition."""
    result = result.assign(definition=definition)
    result["score"] = result["category"].map(SCORES)
    evaluable = result["score"].notna()
    result["responder"] = (result["score"] >= 0.5).astype("boolean").where(evaluable)
    result["disease_control"] = (result["category"] != "PD").astype("boolean").where(result["category"] != "NE")
    if definition == "disease_control":
        result["responder"] = result["disease_control"].where(evaluable)
    result["is_immortal"] = (result["case_id"].map(index_day) + result["window_end_days"]) <= 0
    return result.astype({"window_start_days": np.int32, "window_end_days": np.int32})[list(COLUMNS)]


def label(cases: pd.DataFrame, tables: dict[str, pd.DataFrame], settings: Labels) -> pd.DataFrame:
    """One row a case and definition, sorted.

    Args:
        cases: columns of `cases.parquet`.
        tables: clinical_patient, timeline_progression, timeline_cancer_presence, timeline_tumor_sites.
        settings: windows in days.
    """
    frame = windows(cases, tables["clinical_patient"], settings)
    index_day = cases.set_index("case_id")["index_day"]
    ours = strict(frame, tables, settings)
    parts = [
        finish(ours, "strict", index_day),
        finish(ours, "disease_control", index_day),
        finish(published(frame, tables), "oncoraft", index_day),
    ]
    return pd.concat(parts).sort_values(["case_id", "definition"], ignore_index=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read cases and scans, write labels."""
    parser = step_parser("labels", "example:\n  oncoraft labels tables cases")
    parser.add_argument("tables", type=Path, metavar="TABLES", help="folder written by `oncoraft ingest`")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases.parquet; labels.parquet is written beside it")
    given = parser.parse_args(arguments)
    blocks = read_settings("labels", given)
    cases = read_tables(given.cases, ["cases"])["cases"]
    labels = label(cases, read_tables(given.tables, TABLES), blocks["labels"])
    counts = {str(name): part["category"].value_counts().sort_index().to_dict() for name, part in labels.groupby("definition")}
    final, record = given.cases / "labels.parquet", given.cases / "labels.parquet.manifest.json"
    with publishing(final, record) as (out, note):
        labels.to_parquet(out, index=False)
        inputs = [given.cases / "cases.parquet", *(given.tables / f"{name}.parquet" for name in TABLES)]
        settings = settings_record(given, blocks)
        write_json(note, manifest("labels", inputs=inputs, outputs={final: out}, settings=settings, counts=counts, beside=record))
    log.info("labels: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
