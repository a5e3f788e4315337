"""`oncoraft average`: what the models of all folds say of the same cases, joined: their mean, and each one's score beside.

The mean is that of the scores; a case's text is the first fold's. With the recalibration of every fold, fitted on that fold's own tuning
patients, `probability` is the mean of the recalibrated scores and `threshold` the mean threshold: nothing of the new cohort enters.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl, write_jsonl
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.inference.gather import Line, check_owners, check_prediction, gather, read_lines
from oncoraft.planning.edge import run, settings_record, step_parser
from oncoraft.recalibration import Recalibration, read_recalibration

log = logging.getLogger("oncoraft")
SATURATED = 800.0


def mean_row(rows: Sequence[dict[str, Any]], recalibrations: Sequence[Recalibration]) -> dict[str, Any]:
    """One prediction of a case from one of every fold.

    Args:
        rows: a prediction a fold, of one case.
        recalibrations: of the same folds, or none.
    """
    scores = [float(row["score"]) for row in rows]
    score = math.fsum(scores) / len(scores)
    written = [row["score_from_text"] for row in rows if row["score_from_text"] is not None]
    found = rows[0] | {
        # A score of exactly 0 or 1 has no finite logit; this one's sigmoid is the same float.
        "logit": math.log(score / (1 - score)) if 0 < score < 1 else math.copysign(SATURATED, score - 0.5),
        "score": score,
        # Of some folds alone it would be no mean of the models.
        "score_from_text": math.fsum(written) / len(written) if len(written) == len(rows) else None,
        "fold_scores": scores,
    }
    if recalibrations:
        told = [one.probability(value) for one, value in zip(recalibrations, scores, strict=True)]
        cuts = [one.threshold for one in recalibrations]
        # Fitted in every fold or in none: two ways in one mean could not be told apart.
        whole = all(value is not None for value in [*told, *cuts])
        found["probability"] = math.fsum(value for value in told if value is not None) / len(told) if whole else None
        found["threshold"] = math.fsum(value for value in cuts if value is not None) / len(cuts) if whole else None
    return found


def averaged(by_fold: Sequence[Sequence[Line]], held_out: Sequence[Line], recalibrations: Sequence[Recalibration]) -> list[dict[str, Any]]:
    """Every held-out case once, sorted.

    Args:
        by_fold: the predictions of each fold's model.
        held_out: lines of the held-out file.

    Raises:
        InputError: a line that is no prediction of its case, a case that a fold has not judged, or has twice.
    """
    wanted = [(line.case_id, line.text) for line in held_out]
    rows: dict[str, list[dict[str, Any]]] = {case_id: [] for case_id, _ in wanted}
    for lines in by_fold:
        for line in lines:
            check_prediction(line)
        check_owners(lines, held_out)
        gather([(line.case_id, line.text) for line in lines], wanted)
        for line in lines:
            rows[line.case_id].append(line.row)
    return [mean_row(rows[case_id], recalibrations) for case_id in sorted(rows)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Read, average, write."""
    parser = step_parser(
        "average",
        "example:\n  oncoraft average --fold a/shard-0.jsonl a/shard-1.jsonl --fold b/shard-0.jsonl b/shard-1.jsonl --heldout heldout.jsonl --out predictions.jsonl",
    )
    parser.add_argument(
        "--fold", type=Path, nargs="+", action="append", required=True, metavar="SHARD", help="all shards of one fold's model; once a fold"
    )
    parser.add_argument("--heldout", type=Path, required=True, metavar="HELDOUT", help="written by `oncoraft outside-cases`")
    parser.add_argument(
        "--recalibration", type=Path, nargs="*", default=[], metavar="FILE", help="recalibration.json of the same folds, in the same order"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="predictions.jsonl to write")
    given = parser.parse_args(arguments)
    if given.recalibration and len(given.recalibration) != len(given.fold):
        raise InputError("--recalibration: expected one for every --fold", found=f"{len(given.recalibration)} for {len(given.fold)}")
    read_jsonl(given.heldout, ("case_id", "patient_id"))
    recalibrations = [read_recalibration(path) for path in given.recalibration]
    rows = averaged([read_lines(paths) for paths in given.fold], read_lines([given.heldout]), recalibrations)
    record = given.out.with_name(given.out.name + ".manifest.json")
    with publishing(given.out, record, step=("average", "gather")) as (out, note):
        write_jsonl(out, rows)
        counts = {"cases": len(rows), "models": len(given.fold), "recalibrated": sum(row.get("probability") is not None for row in rows)}
        inputs = [*(path for paths in given.fold for path in paths), given.heldout, *given.recalibration]
        settings = settings_record(given, {})
        write_json(note, manifest("average", inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    log.info("average: %d cases by %d models", len(rows), len(given.fold))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
