"""Response to each regimen, judged from the scans in its window: `oncoraft labels TABLES CASES`.

All definitions are computed; the configuration says which one trains. `strict`: the first day after (lag_days] on which imaging
gave an informative verdict (Y or N; both on one day is Y) decides, up to `window_days`, the next regimen or the end of follow-up.
Y is PD. N is CR where imaging says no cancer and disease was seen before, PR where at least `partial_response_fraction` of the
sites seen in the `baseline_days` before index are gone, else SD. A scan is held against what its body regions could show, and sites
named on its day overrule "no cancer". Death in the window before any assessment is PD. No assessment is NE and never a response.
`definitions` has the variants, `published_rule` the published one, `docs/labels.md` the sources.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.cases.assessments import assess
from oncoraft.cases.definitions import PUBLISHED, SCORES, STRICT_DEFINITIONS
from oncoraft.cases.judging import judge, local_between
from oncoraft.cases.local_treatment import COLUMNS as LOCAL_COLUMNS
from oncoraft.cases.local_treatment import local_days
from oncoraft.cases.published_rule import published
from oncoraft.cases.regions import REGIONS
from oncoraft.cases.scans import case_frame, draw_indeterminate, near
from oncoraft.cases.tables import completed, of_patients, open_tables, ranges_of
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.ranges import RangedTable, write_ranges
from oncoraft.planning.config import Labels
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
CASE_COLUMNS = ["case_id", "patient_id", "index_day", "next_treatment_day", "drug_class"]
COLUMNS = {
    "clinical_patient": ["patient_id", "os_days", "is_deceased"],
    "timeline_progression": ["patient_id", "start_day", "progression", "nlp_progression_probability"],
    "timeline_cancer_presence": ["patient_id", "start_day", "has_cancer", "procedure_type", *REGIONS],
    "timeline_tumor_sites": ["patient_id", "start_day", "tumor_site"],
    **LOCAL_COLUMNS,
}
# What is written, but for the days of scans: of one type whatever a range of patients holds.
LABELS = pa.schema(
    [("case_id", pa.string()), ("definition", pa.string()), ("category", pa.string()), ("score", pa.float64())]
    + [("responder", pa.bool_()), ("disease_control", pa.bool_()), ("window_start_days", pa.int32()), ("window_end_days", pa.int32())]
    + [(name, pa.bool_()) for name in ("is_baseline_unknown", "is_immortal", "is_contradicted")]
    + [("local_treatment_between", pa.string()), ("reason", pa.string())]
)


def finish(result: pd.DataFrame, name: str, target: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Scores, binary labels and flags of one definition, one row a case by position.

    NED and NE have no score and no `responder`: nothing was there to respond. NED is disease control.
    """
    score = result["category"].map(SCORES)
    controlled = (result["category"] != "PD").astype("boolean").where(result["category"] != "NE")
    answer = controlled if target == "disease_control" else (score >= 0.5).astype("boolean")
    return pd.DataFrame(
        {
            "case_id": frame["case_id"],
            "definition": name,
            "category": result["category"],
            "score": score,
            "responder": answer.where(score.notna()),
            "disease_control": controlled,
            "window_start_days": result["window_start_days"].astype(np.int32),
            "window_end_days": result["window_end_days"].astype(np.int32),
            "is_baseline_unknown": result["is_baseline_unknown"].astype(bool),
            # Day 0 is the first sequencing, to which everybody lived: in such a window nobody could have died.
            "is_immortal": frame["index_day"] + result["window_end_days"] <= 0,
            "is_contradicted": result["is_contradicted"].astype(bool),
            "local_treatment_between": result["local_treatment_between"],
            "reason": result["reason"],
        }
    )


def numbered(cases: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Cases, and the rows of their patients in tables that name patients, with a number for each patient: numbers join quicker than texts."""
    people = pd.Index(cases["patient_id"].unique())
    found = dict(tables)
    for name, rows in tables.items():
        if "patient_id" in rows:
            place = people.get_indexer(pd.Index(rows["patient_id"]))
            found[name] = rows.assign(patient_id=place)[place >= 0].reset_index(drop=True)
    return cases.assign(patient_id=people.get_indexer(pd.Index(cases["patient_id"]))), found


def label(cases: pd.DataFrame, tables: dict[str, pd.DataFrame], settings: Labels, *, has_verdicts: bool | None = None) -> pa.Table:
    """One row a case and definition, sorted by both; columns as in `docs/artefacts.md`.

    Args:
        cases: columns of `cases.parquet`.
        tables: those of `COLUMNS`.
        settings: windows in days.
        has_verdicts: whether the study has a progression timeline; None: where the table has a row.
    """
    tables = completed(tables, COLUMNS)
    progression = tables["timeline_progression"]
    tables["timeline_progression"] = progression.assign(drawn=draw_indeterminate(progression, settings.seed))
    cases, tables = numbered(cases.sort_values("case_id"), tables)
    frame = case_frame(cases, tables["clinical_patient"], settings)
    frame["has_verdicts"] = len(progression) > 0 if has_verdicts is None else has_verdicts
    longest = int(max([frame["nominal_days"].max(), *(rule.window_days or 0 for rule in STRICT_DEFINITIONS)]))
    assessments, state = assess(frame, tables, settings, longest)
    local = near(frame, local_days(tables), ["surgery", "radiation"]).sort_values(["case", "day"], ignore_index=True)
    parts: dict[str, tuple[pd.DataFrame, pd.DataFrame]] = {}
    for rule in STRICT_DEFINITIONS:
        result, scans = judge(frame, assessments, state, local, rule, settings.lag_days)
        parts[rule.name] = (finish(result, rule.name, rule.target, frame), scans)
    result, scans = published(frame, tables)
    first = np.minimum(state["since"].to_numpy() + 1, 0)
    result["local_treatment_between"] = local_between(first, result["window_end_days"].to_numpy(), local)[0]
    result["is_contradicted"] = False  # no single day decides
    parts[PUBLISHED] = (finish(result, PUBLISHED, "response", frame), scans)
    return interleave(parts)


def interleave(parts: dict[str, tuple[pd.DataFrame, pd.DataFrame]]) -> pa.Table:
    """Labels of all definitions, each with one row a case in one order, as one table by case, then definition, with its scans."""
    names = sorted(parts)
    size = len(parts[names[0]][0])
    place = np.arange(size * len(names)).reshape(len(names), size).T.ravel()
    rows = pd.concat([parts[name][0] for name in names], ignore_index=True).take(place).reset_index(drop=True)
    keys = np.concatenate([parts[name][1]["case"].to_numpy() * len(names) + number for number, name in enumerate(names)])
    days = np.concatenate([parts[name][1]["day"].to_numpy() for name in names]).astype(np.int32)
    offsets = np.concatenate([[0], np.bincount(keys, minlength=len(rows)).cumsum()]).astype(np.int32)
    used = pa.ListArray.from_arrays(pa.array(offsets), pa.array(days[np.argsort(keys, kind="stable")]))
    table = pa.Table.from_pandas(rows, LABELS, preserve_index=False)
    return table.add_column(table.schema.get_field_index("is_baseline_unknown"), "scan_days", used)


def labels_of(cases: RangedTable, tables: dict[str, RangedTable], settings: Labels, counted: list[pd.DataFrame]) -> Iterator[pa.Table]:
    """Labels of a cohort, one range of patients after another; categories and flags of each range are counted into `counted`."""
    has_verdicts = tables["timeline_progression"].file.metadata.num_rows > 0
    for one in ranges_of(cases):
        part = label(cases.rows(one.case_ids), of_patients(tables, one.patient_ids), settings, has_verdicts=has_verdicts)
        local = pc.not_equal(part["local_treatment_between"], "")
        short = part.select(["definition", "category", "is_contradicted"]).append_column("local_treatment_between", local)
        flags = [("is_contradicted", "sum"), ("local_treatment_between", "sum"), ("category", "count")]
        counted.append(short.group_by(["definition", "category"]).aggregate(flags).to_pandas())
        yield part


def counts_of(counted: list[pd.DataFrame]) -> dict[str, dict[str, int]]:
    """By definition: cases of each category, how many rest on a contradicted day, and how many follow local treatment."""
    total = pd.concat(counted).groupby(["definition", "category"]).sum().astype(int)
    return {
        str(name): {
            **{str(category): int(cases) for category, cases in part["category_count"].droplevel("definition").items()},
            "contradicted": int(part["is_contradicted_sum"].sum()),
            "local_treatment_between": int(part["local_treatment_between_sum"].sum()),
        }
        for name, part in total.groupby("definition")
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Read cases and scans, write labels."""
    parser = step_parser(
        "labels",
        "in:  cases.parquet; clinical_patient, clinical_sample; timeline_progression, _cancer_presence, _tumor_sites, _surgery,\n"
        "     _specimen_surgery, _radiation\n"
        "out: labels.parquet, one row a case and definition (docs/artefacts.md); rules and sources in docs/labels.md\n\n"
        "example:\n  oncoraft labels tables cases",
    )
    parser.add_argument("tables", type=Path, metavar="TABLES", help="folder written by `oncoraft ingest`")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases.parquet; labels.parquet is written beside it")
    given = parser.parse_args(arguments)
    blocks = read_settings("labels", given)
    cases = open_tables(given.cases, ["cases"], {"cases": CASE_COLUMNS})["cases"]
    tables = open_tables(given.tables, COLUMNS, COLUMNS)
    counted: list[pd.DataFrame] = []
    final, record = given.cases / "labels.parquet", given.cases / "labels.parquet.manifest.json"
    with publishing(final, record, step="labels") as (out, note):
        written = write_ranges(out, labels_of(cases, tables, blocks["labels"], counted))
        counts = counts_of(counted)
        inputs = [table.path for table in (cases, *tables.values())]
        settings = settings_record(given, blocks)
        write_json(note, manifest("labels", inputs=inputs, outputs={final: out}, settings=settings, counts=counts, beside=record))
    log.info("labels: %d cases, %s trains: %s", written // len(counts), blocks["labels"].definition, counts[blocks["labels"].definition])
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
