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
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.cases.assessments import assess, sites_near
from oncoraft.cases.definitions import KINDS, PUBLISHED, SCORES, STRICT_DEFINITIONS
from oncoraft.cases.judging import LOCAL_WORDS, Judged, Local, judge
from oncoraft.cases.local_treatment import COLUMNS as LOCAL_COLUMNS
from oncoraft.cases.local_treatment import local_days
from oncoraft.cases.published_rule import published
from oncoraft.cases.regions import REGIONS
from oncoraft.cases.scans import case_frame, draw_indeterminate, near, numbered
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
# What is written, but for the days of scans: of one type whatever a range of patients holds, and as pandas reads it.
LABELS = pa.schema(
    [("case_id", pa.string()), ("definition", pa.string()), ("category", pa.string()), ("score", pa.float64())]
    + [("responder", pa.bool_()), ("disease_control", pa.bool_()), ("window_start_days", pa.int32()), ("window_end_days", pa.int32())]
    + [(name, pa.bool_()) for name in ("is_baseline_unknown", "is_immortal", "is_contradicted")]
    + [("local_treatment_between", pa.string()), ("reason", pa.string())]
)
LABELS = LABELS.with_metadata(
    pa.Table.from_pandas(
        LABELS.empty_table()
        .to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)
        .astype({name: bool for name in LABELS.names[8:11]}),
        LABELS,
        preserve_index=False,
    ).schema.metadata
)
TARGETS = {rule.name: rule.target for rule in STRICT_DEFINITIONS}
SCORE_OF = np.array([SCORES.get(kind, np.nan) for kind in KINDS])


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
    _, tables = numbered(cases["patient_id"], tables | {"cases": cases.sort_values("case_id")})
    frame = case_frame(tables["cases"], tables["clinical_patient"], settings)
    frame["has_verdicts"] = len(progression) > 0 if has_verdicts is None else has_verdicts
    longest = int(max([frame["nominal_days"].max(), *(rule.window_days or 0 for rule in STRICT_DEFINITIONS)]))
    sites, treated = sites_near(frame, tables["timeline_tumor_sites"]), local_days(tables)
    found, state = assess(frame, tables, sites, settings, longest)
    beside = near(frame, treated)
    local = Local(beside, *(treated[kind].to_numpy()[beside.row] for kind in ("surgery", "radiation")))
    parts = {rule.name: judge(frame, found, state, local, rule) for rule in STRICT_DEFINITIONS}
    parts[PUBLISHED] = published(frame, tables, sites, state, local)
    return labelled(frame, parts, settings.lag_days + 1)


def labelled(frame: pd.DataFrame, parts: dict[str, Judged], start: int) -> pa.Table:
    """Labels of all definitions as one table by case, then definition, with scores, binary labels and flags.

    NED and NE have no score and no `responder`: nothing was there to respond. NED is disease control.

    Args:
        frame: cases by position.
        parts: labels by definition.
        start: first day of the windows of the strict rule.
    """
    names = sorted(parts)
    ordered = [parts[name] for name in names]
    category, end, unknown, contradicted, local = (
        np.stack([getattr(one, name) for one in ordered], axis=1).ravel()
        for name in ("category", "end", "unknown", "contradicted", "local")
    )
    # Each definition has reasons of its own, numbered behind those of the one before.
    behind = np.cumsum([0, *(len(one.reasons) for one in ordered)])
    reason = np.stack([one.reason + before for one, before in zip(ordered, behind)], axis=1).ravel()
    number, case = np.tile(np.arange(len(names)), len(frame)), np.repeat(np.arange(len(frame)), len(names))
    score, is_control = SCORE_OF[category], category != KINDS.index("PD")
    is_judged, asks_control = ~np.isnan(score), np.array([TARGETS.get(name) == "disease_control" for name in names])[number]
    keys = np.concatenate([one.case * len(names) + place for place, one in enumerate(ordered)])
    days = np.concatenate([one.day for one in ordered]).astype(np.int32)
    offsets = np.concatenate([[0], np.bincount(keys, minlength=len(case)).cumsum()]).astype(np.int32)
    columns = {
        "case_id": _words(frame["case_id"], case),
        "definition": _words(names, number),
        "category": _words(KINDS, category),
        "score": pa.array(score, from_pandas=True),
        "responder": pa.array(np.where(asks_control, is_control, score >= 0.5), mask=~is_judged),
        "disease_control": pa.array(is_control, mask=category == KINDS.index("NE")),
        "window_start_days": np.array([0 if name == PUBLISHED else start for name in names], dtype=np.int32)[number],
        "window_end_days": end.astype(np.int32),
        "is_baseline_unknown": unknown,
        # Day 0 is the first sequencing, to which everybody lived: in such a window nobody could have died.
        "is_immortal": frame["index_day"].to_numpy()[case] + end <= 0,
        "is_contradicted": contradicted,
        "local_treatment_between": _words(LOCAL_WORDS, local),
        "reason": _words([word for one in ordered for word in one.reasons], reason),
    }
    table = pa.Table.from_arrays([pa.array(column) for column in columns.values()], schema=LABELS)
    used = pa.ListArray.from_arrays(pa.array(offsets), pa.array(days[np.argsort(keys, kind="stable")]))
    return table.add_column(LABELS.get_field_index("is_baseline_unknown"), "scan_days", used)


def _words(words: Iterable[str], numbers: np.ndarray) -> pa.Array:
    return pa.array(words, pa.string()).take(pa.array(numbers))


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
