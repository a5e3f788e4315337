"""`oncoraft label-validity`: curated response beside the rule on scans, where a cohort has both.

Two comparisons. Of the second cohort's cases that may be judged: the same scans, read by people and by the rule. Of patients who stand in
both cohorts: the first cohort's label against what curators of the second read of the same patients, days brought to one clock by the
drugs that both name. The latter serve nothing else. Agreement is of cases that a scan decided for both; who is left out is counted.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.artefacts import read_table
from oncoraft.evaluation.compare import name_of
from oncoraft.evaluation.curated import offsets, read_readings
from oncoraft.evaluation.label_comparison import comparison, labelled
from oncoraft.evaluation.reading import read_held_out
from oncoraft.foundation.csv_file import plain, write_csv
from oncoraft.foundation.input_file import require_file
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.knowledge.curated import FILE, READINGS
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
LABELS = ("case_id", "definition", "category", "responder", "window_start_days", "window_end_days", "scan_days")
NO_RESPONSE = "disease_control"  # the one definition whose answer is not response
SECOND, BOTH = "second cohort", "patients of both cohorts"
NO_READER = "nobody was asked to read scans: the source has no curated response"
EPILOG = """\
STUDY is a folder written by `oncoraft convert`; its curated.csv tells what people said of each scan. OUT receives labels.json (agreement,
Cohen's kappa and AUROC of the models under each label, with intervals), agreement.csv, confusion.csv and auroc.csv.

example:
  oncoraft label-validity --study bpc/study --second bpc/tables bpc/cases --first msk/tables msk/cases --matched bpc/overlap/matched.csv --out labels"""


def read_cohort(cases: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cases, and labels of every definition of response."""
    labels = read_table(cases / "labels.parquet", LABELS, ["case_id", "definition"])
    return read_table(cases / "cases.parquet", ("case_id", "patient_id", "index_day"), ["case_id"]), labels[
        labels["definition"] != NO_RESPONSE
    ]


def starts_of(tables: Path) -> pd.DataFrame:
    """Drugs of a cohort and when they began."""
    table = read_table(tables / "timeline_treatment.parquet", ("patient_id", "start_day", "agent"))
    return table.astype({"agent": object, "patient_id": object})


def every_definition(cases: pd.DataFrame, labels: pd.DataFrame, readings: pd.DataFrame, baseline_days: int) -> pd.DataFrame:
    """`labelled` of each definition, under one another."""
    return pd.concat(
        [labelled(cases, part, readings, baseline_days).assign(definition=name) for name, part in labels.groupby("definition", sort=True)]
    )


def measured(given: argparse.Namespace, blocks: dict[str, Any], readings: pd.DataFrame) -> dict[str, Any]:
    """What stands in labels.json of a cohort whose scans people have read."""
    settings, rule = blocks["evaluation"], blocks["labels"]
    cases, labels = read_cohort(given.second[1])
    frame = every_definition(cases, labels, readings, rule.baseline_days)
    # The models' scores of a second cohort are means over all folds: one model as far as pairs are concerned.
    applied = {name_of(path): read_held_out(path, given.second[1], given.design)[0].assign(fold=0) for path in given.applied}
    told = [comparison(SECOND, frame, applied, rule.definition, settings, given.design)]
    matched = pd.read_csv(
        require_file(given.matched, "patients of both cohorts, written by `oncoraft overlap`"), dtype=str, keep_default_na=False
    ).map(plain)
    shift, counts = offsets(starts_of(given.first[0]), starts_of(given.second[0]), matched)
    there = matched.set_index("patient_id")["patient_id_there"]
    mine = readings[readings["patient_id"].isin(shift.index)]
    moved = mine.assign(start_day=mine["start_day"] + mine["patient_id"].map(shift), patient_id=mine["patient_id"].map(there))
    cases, labels = read_cohort(given.first[1])
    cases = cases[cases["patient_id"].isin(there[shift.index])]
    if len(cases):
        home = {name_of(path): read_held_out(path, given.first[1], given.design)[0] for path in given.home}
        frame = every_definition(cases, labels[labels["case_id"].isin(cases["case_id"])], moved, rule.baseline_days)
        told.append(comparison(BOTH, frame, home, rule.definition, settings, given.design))
    return {"comparisons": told, "alignment": counts | {"offset_days": sorted(shift.value_counts().to_dict().items())}}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = step_parser("label-validity", EPILOG)
    parser.add_argument("--study", type=Path, required=True, metavar="STUDY", help="converted study of the second cohort")
    for name in ("second", "first"):
        parser.add_argument(
            f"--{name}", type=Path, nargs=2, required=True, metavar=("TABLES", "CASES"), help=f"tables and cases of the {name} cohort"
        )
    parser.add_argument("--matched", type=Path, required=True, metavar="FILE", help="matched.csv: who is in both")
    parser.add_argument(
        "--applied", type=Path, nargs="*", default=[], metavar="PREDICTIONS", help="predictions of runs in the second cohort"
    )
    parser.add_argument(
        "--home", type=Path, nargs="*", default=[], metavar="PREDICTIONS", help="held-out predictions of the same runs in the first"
    )
    parser.add_argument("--design", default="kfold", help="cross-validation design")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    given: argparse.Namespace = parser.parse_args(arguments)
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare labels, write."""
    given = parse(arguments)
    blocks = read_settings("label-validity", given)
    files = [given.out / name for name in ("labels.json", "agreement.csv", "confusion.csv", "auroc.csv", "manifest.json")]
    claim(*files, step="label-validity", home=given.out)
    path = given.study / FILE
    readings = read_readings(path) if path.is_file() else None
    found = {"comparisons": [], "alignment": None} if readings is None else measured(given, blocks, readings)
    words = {} if readings is None else {name: int((readings["reading"] == name).sum()) for name in READINGS}
    document = {"label": blocks["labels"].definition, "readings": words, "not_compared": NO_READER if readings is None else None, **found}
    inputs = [*([path] if readings is not None else []), given.matched, *given.applied, *given.home]
    inputs += [folder / f"{name}.parquet" for folder in (given.second[1], given.first[1]) for name in ("cases", "labels", "folds")]
    inputs += [folder / "timeline_treatment.parquet" for folder in (given.second[0], given.first[0])]
    with publishing(*files, step="label-validity", home=given.out) as written:
        write_json(written[0], document)
        for file, name in zip(written[1:-1], ("agreement", "confusion", "auroc"), strict=True):
            write_csv(file, pd.DataFrame([row for one in document["comparisons"] for row in one[name]]))
        counts = {one["scope"]: one["counts"][document["label"]] for one in document["comparisons"]}
        outputs = dict(zip(files[:-1], written[:-1], strict=True))
        note = settings_record(given, blocks)
        write_json(written[-1], manifest("label-validity", inputs=inputs, outputs=outputs, settings=note, counts=counts, beside=files[-1]))
    log.info("label-validity: %s", document["not_compared"] or counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
