"""What turns a fold's scores into probabilities and into yes or no: `oncoraft recalibrate TUNING... --fold K... --out FILE...`.

Fitted on the scores of each fold's tuning cases, which its model has not trained on and does not hold out, and kept beside that model.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.inference.gather import Line, check_prediction, read_lines
from oncoraft.planning.edge import run, settings_record, step_parser
from oncoraft.recalibration import Recalibration, fit

log = logging.getLogger("oncoraft")
EPILOG = """what goes in: the tuning cases that `oncoraft infer --tuning-out` scored, every shard of one fold or of several.
what comes out: intercept and slope of the logistic recalibration, Youden's threshold of the score as delivered, counts; or why there are none.

examples:
  oncoraft recalibrate fold-0/predictions/tuning-*.jsonl --fold 0 --out fold-0/recalibration.json
  oncoraft recalibrate fold-*/predictions/tuning-*.jsonl --fold 0 1 --out fold-0/recalibration.json fold-1/recalibration.json"""


def fitted(lines: Sequence[Line], folds: Sequence[int]) -> list[Recalibration]:
    """The recalibration of each fold, whatever the order of its lines.

    Args:
        lines: tuning cases of these folds; a case may be a tuning case of several.
        folds: which; one without a line is told as too small to fit on.

    Raises:
        InputError: a line that is no prediction, without label, of another fold, or a case that is there twice in a fold.
    """
    seen: dict[int, dict[str, Line]] = {fold: {} for fold in folds}
    for line in lines:
        check_prediction(line)
        if not isinstance(line.row.get("responder"), bool):
            raise InputError("expected the label of a tuning case", file=line.file, line=line.number, column="responder")
        fold = line.row["fold"]
        if isinstance(fold, bool) or fold not in seen:
            wanted = f"expected fold {' or '.join(map(str, folds))}"
            raise InputError(wanted, file=line.file, line=line.number, column="fold", found=str(fold))
        if (first := seen[fold].setdefault(line.case_id, line)) is not line:
            wanted = f"expected every case once; it stands in {first.file.name} line {first.number} too"
            raise InputError(wanted, file=line.file, line=line.number, column="case_id", found=line.case_id)
    return [_fit([mine[case_id].row for case_id in sorted(mine)], fold) for fold, mine in seen.items()]


def _fit(rows: Sequence[dict[str, Any]], fold: int) -> Recalibration:
    score, positive = np.array([row["score"] for row in rows], dtype=float), np.array([row["responder"] for row in rows], dtype=bool)
    return fit(score, positive, np.array([row["patient_id"] for row in rows], dtype=str), fold)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit and write."""
    parser = step_parser("recalibrate", EPILOG)
    parser.add_argument("tuning", type=Path, nargs="+", metavar="TUNING", help="tuning cases scored by `oncoraft infer`")
    parser.add_argument("--fold", type=int, required=True, nargs="+", metavar="K", help="the folds whose models gave the scores")
    parser.add_argument(
        "--out", type=Path, required=True, nargs="+", metavar="FILE", help="recalibration.json to write, one a fold, in the same order"
    )
    given = parser.parse_args(arguments)
    if len(given.out) != len(given.fold) or len(set(given.fold)) < len(given.fold) or len(set(given.out)) < len(given.out):
        raise InputError("--out: expected a file of its own for every --fold", found=f"{len(given.out)} for {len(given.fold)}")
    found = fitted(read_lines(given.tuning), given.fold)
    # One record of one job: beside its file, or above those of all folds.
    record = Path(os.path.commonpath([file.absolute().parent for file in given.out])) / f"{given.out[0].name}.manifest.json"
    with publishing(*given.out, record, step="recalibrate") as (*files, note):
        for one, file in zip(found, files, strict=True):
            write_json(file, one._asdict())
        counts = {name: sum(getattr(one, name) for one in found) for name in ("cases", "responders", "patients")}
        outputs, settings = dict(zip(given.out, files, strict=True)), settings_record(given, {})
        write_json(note, manifest("recalibrate", inputs=given.tuning, outputs=outputs, settings=settings, counts=counts, beside=record))
    for one in found:
        tell(one)
    return 0


def tell(found: Recalibration) -> None:
    """What there is to say of one fold."""
    if found.slope == 0:
        log.warning(
            "recalibrate: fold %d: the score does not rise with response on the tuning cases; every case is given their prevalence",
            found.fold,
        )
    log.info("recalibrate: fold %d, %d tuning cases: %s", found.fold, found.cases, found.state)


if __name__ == "__main__":
    raise SystemExit(run(main))
