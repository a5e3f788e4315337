"""Join the shards of all folds: every held-out case exactly once, sorted by case.

`oncoraft gather SHARD... --heldout HELDOUT... --out predictions.jsonl`. A line is joined as it was written, byte by byte; before that
it is proven to be a prediction (all columns, finite numbers, score = sigmoid of the logit) of the fold that holds its case out.

With `--recalibration` of every fold each line gains what that fold's tuning cases make of its score: `probability`, recalibrated, and
`threshold`, the score from which on a response is expected; null where there was too little to fit on.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import iterate_jsonl, json_line
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.planning.edge import run, settings_record, step_parser
from oncoraft.recalibration import Recalibration, read_recalibration

log = logging.getLogger("oncoraft")
COLUMNS = ("case_id", "patient_id", "fold", "logit", "score", "rationale", "score_from_text", "finish_reason")
REASONS = ("stop", "length", "not_sampled")
EPILOG = """example:
  oncoraft gather fold-*/predictions/shard-*.jsonl --heldout fold-*/heldout.jsonl --out predictions.jsonl"""


class Line(NamedTuple):
    """One line of a JSONL file, and where it stands."""

    case_id: str
    text: str
    row: dict[str, Any]
    file: Path
    number: int


def read_lines(paths: Sequence[Path]) -> list[Line]:
    """Every line of several JSONL files.

    Raises:
        InputError: no such file, one file named twice, or a line that is no JSON object with a case_id.
    """
    found = []
    if doubled := [path for path, count in Counter(path.resolve() for path in paths).items() if count > 1]:
        raise InputError("expected every file once; this one is given twice", file=doubled[0])
    for path in paths:
        for number, text, row in iterate_jsonl(path):
            if "case_id" not in row:
                raise InputError("expected a JSON object with a case_id", file=path, line=number)
            found.append(Line(row["case_id"], text, row, path, number))
    return found


def lines_of(paths: Sequence[Path]) -> list[tuple[str, str]]:
    """(case_id, line) of every line of several JSONL files."""
    return [(line.case_id, line.text) for line in read_lines(paths)]


def check_prediction(line: Line) -> None:
    """Whether a line is a whole prediction.

    Raises:
        InputError: a column that is absent, a logit that is not finite, a score that is not its sigmoid, or an unknown reason.
    """
    place: dict[str, Any] = {"file": line.file, "line": line.number}
    for name in COLUMNS:
        if name not in line.row:
            raise InputError("expected this column of a prediction", column=name, **place)
    logit, score = line.row["logit"], line.row["score"]
    if not isinstance(logit, int | float) or isinstance(logit, bool) or not math.isfinite(logit):
        raise InputError("expected a finite number", column="logit", found=str(logit), **place)
    # The exponential of more than 709 is too large for a float.
    sigmoid = 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0
    if not isinstance(score, int | float) or not math.isclose(score, sigmoid, rel_tol=1e-6, abs_tol=1e-9):
        raise InputError(f"expected the sigmoid of the logit, {sigmoid:.6g}", column="score", found=str(score), **place)
    if line.row["finish_reason"] not in REASONS:
        raise InputError(f"expected one of {', '.join(REASONS)}", column="finish_reason", found=str(line.row["finish_reason"]), **place)


def check_owners(predicted: Sequence[Line], held_out: Sequence[Line]) -> None:
    """Whether each prediction is of the case's patient and of the fold that holds it out: another fold's model may have seen the patient.

    Raises:
        InputError: the first that is not.
    """
    owners = {line.case_id: line.row for line in held_out}
    for line in predicted:
        owner = owners.get(line.case_id, line.row)
        place: dict[str, Any] = {"file": line.file, "line": line.number}
        patient = owner.get("patient_id", line.row["patient_id"])  # a held-out file made by hand may name cases alone
        if line.row["patient_id"] != patient:
            wanted = f"expected {patient!r}, the patient of case {line.case_id}"
            raise InputError(wanted, column="patient_id", found=line.row["patient_id"], **place)
        if line.row["fold"] != owner.get("fold"):
            wanted = f"expected the prediction of case {line.case_id} from fold {owner.get('fold')}, which holds it out"
            raise InputError(wanted, column="fold", found=line.row["fold"], **place)


def gather(shards: Sequence[tuple[str, str]], held_out: Sequence[tuple[str, str]]) -> list[str]:
    """Prediction lines sorted by case.

    Args:
        shards, held_out: (case_id, line) pairs.

    Raises:
        InputError: a case is predicted twice, not at all, or is not held out; the first is named.
    """
    seen = Counter(case_id for case_id, _ in shards)
    wanted = Counter(case_id for case_id, _ in held_out)
    for what, odd in (
        ("is predicted more than once", {case_id for case_id, count in seen.items() if count > 1}),
        ("is held out more than once", {case_id for case_id, count in wanted.items() if count > 1}),
        ("has no prediction", set(wanted) - set(seen)),
        ("is predicted but not held out", set(seen) - set(wanted)),
    ):
        if odd:
            raise InputError(f"expected every held-out case exactly once; case {min(odd)} {what} ({len(odd)} such cases)")
    return [text for _, text in sorted(shards)]


def recalibrated(lines: Sequence[Line], paths: Sequence[Path]) -> list[str]:
    """The text of every line with `probability` and `threshold` by its own fold's recalibration.

    Raises:
        InputError: two recalibrations of one fold, or none of a line's.
    """
    found: dict[int, Recalibration] = {}
    for path in paths:
        one = read_recalibration(path)
        if found.setdefault(one.fold, one) is not one:
            raise InputError("expected one recalibration a fold", file=path, column="fold", found=str(one.fold))
    texts = []
    for line in lines:
        mine = found.get(line.row["fold"])
        if mine is None:
            raise InputError(f"expected a recalibration of fold {line.row['fold']} too", file=line.file, line=line.number)
        more = {"probability": mine.probability(line.row["score"]), "threshold": mine.threshold}
        texts.append(json_line(line.row | more).removesuffix("\n"))
    return texts


def main(arguments: Sequence[str] | None = None) -> int:
    """Join and check."""
    parser = step_parser("gather", EPILOG)
    parser.add_argument("shards", type=Path, nargs="+", metavar="SHARD", help="files written by `oncoraft infer`")
    parser.add_argument("--heldout", type=Path, nargs="+", required=True, metavar="HELDOUT", help="held-out files of the same folds")
    parser.add_argument(
        "--recalibration", type=Path, nargs="+", default=[], metavar="FILE", help="recalibration.json of every fold: adds probabilities"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="predictions.jsonl to write")
    given = parser.parse_args(arguments)
    predicted, held_out = read_lines(given.shards), read_lines(given.heldout)
    for line in predicted:
        check_prediction(line)
    check_owners(predicted, held_out)
    texts = recalibrated(predicted, given.recalibration) if given.recalibration else [line.text for line in predicted]
    lines = gather(list(zip([line.case_id for line in predicted], texts, strict=True)), [(line.case_id, line.text) for line in held_out])
    record = given.out.with_name(given.out.name + ".manifest.json")
    with publishing(given.out, record, step="gather") as (out, note):
        out.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        counts = {
            "cases": len(lines),
            "shards": len(given.shards),
            "held_out_files": len(given.heldout),
            "rationales": sum(line.row["rationale"] is not None for line in predicted),
            "scores_from_text": sum(line.row["score_from_text"] is not None for line in predicted),
        }
        inputs = [*given.shards, *given.heldout, *given.recalibration]
        settings = settings_record(given, {})
        write_json(note, manifest("gather", inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    log.info("gather: %d cases from %d shards, %d rationales", len(lines), len(given.shards), counts["rationales"])
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
