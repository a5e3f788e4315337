"""What turns one fold's scores into probabilities and into yes or no: `oncoraft recalibrate TUNING... --fold K --out FILE`.

Fitted on the scores of the fold's tuning cases, which its model has not trained on and does not hold out, and kept beside that model.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.inference.gather import Line, check_prediction, read_lines
from oncoraft.planning.edge import run, settings_record, step_parser
from oncoraft.recalibration import Recalibration, fit

log = logging.getLogger("oncoraft")
EPILOG = """what goes in: the tuning cases that `oncoraft infer --tuning-out` scored, every shard of one fold.
what comes out: intercept and slope of the logistic recalibration, Youden's threshold of the score as delivered, counts; or why there are none.

example:
  oncoraft recalibrate fold-0/predictions/tuning-*.jsonl --fold 0 --out fold-0/recalibration.json"""


def fitted(lines: Sequence[Line], fold: int) -> Recalibration:
    """The recalibration of one fold, whatever the order of its lines.

    Raises:
        InputError: a line that is no prediction, without label, of another fold, or a case that is there twice.
    """
    seen: dict[str, Line] = {}
    for line in lines:
        check_prediction(line)
        if not isinstance(line.row.get("responder"), bool):
            raise InputError("expected the label of a tuning case", file=line.file, line=line.number, column="responder")
        if (first := seen.setdefault(line.case_id, line)) is not line:
            wanted = f"expected every case once; it stands in {first.file.name} line {first.number} too"
            raise InputError(wanted, file=line.file, line=line.number, column="case_id", found=line.case_id)
        if line.row["fold"] != fold:
            raise InputError(f"expected fold {fold}", file=line.file, line=line.number, column="fold", found=str(line.row["fold"]))
    rows = [seen[case_id].row for case_id in sorted(seen)]
    score, positive = np.array([row["score"] for row in rows], dtype=float), np.array([row["responder"] for row in rows], dtype=bool)
    return fit(score, positive, np.array([row["patient_id"] for row in rows], dtype=str), fold)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit and write."""
    parser = step_parser("recalibrate", EPILOG)
    parser.add_argument("tuning", type=Path, nargs="+", metavar="TUNING", help="tuning cases scored by `oncoraft infer`, one fold")
    parser.add_argument("--fold", type=int, required=True, metavar="K", help="the fold whose model gave the scores")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="recalibration.json to write")
    given = parser.parse_args(arguments)
    found = fitted(read_lines(given.tuning), given.fold)
    record = given.out.with_name(given.out.name + ".manifest.json")
    with publishing(given.out, record, step="recalibrate") as (out, note):
        write_json(out, found._asdict())
        counts = {"cases": found.cases, "responders": found.responders, "patients": found.patients}
        settings = settings_record(given, {})
        write_json(
            note, manifest("recalibrate", inputs=given.tuning, outputs={given.out: out}, settings=settings, counts=counts, beside=record)
        )
    if found.slope == 0:
        log.warning(
            "recalibrate: fold %d: the score does not rise with response on the tuning cases; every case is given their prevalence",
            found.fold,
        )
    log.info("recalibrate: %d tuning cases: %s", found.cases, found.state)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
