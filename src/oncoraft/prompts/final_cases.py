"""`oncoraft final-cases`: the training file of a final model, every labelled case of a cohort; no fold is held out.

What cross-validation has judged is the recipe; the model that leaves home is trained by it on everybody. No patient is set apart, so that
nothing of this cohort can judge it, and its scores are recalibrated by nothing but the folds.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from oncoraft.evidence.reading import read_cases
from oncoraft.fold_files import write_fold_file
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.stable import stable_fraction
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.prompts.joined import PROMPT_KEYS, RATIONALE_KEYS, join, read_labels
from oncoraft.prompts.split import rows

log = logging.getLogger("oncoraft")
FOLD = -1  # as in folds.parquet: who only ever trains


def all_labelled(frame: pd.DataFrame, cap: int | None) -> pd.DataFrame:
    """Every case with a label and an answer, fold -1; of more than `cap` those that a fold's cap would keep first.

    Args:
        frame: from `split.join`.
        cap: most cases; None: all.
    """
    found = frame[frame["output"] != ""].assign(fold=FOLD)
    if cap is not None and len(found) > cap:
        place = found["case_id"].map(lambda case_id: stable_fraction("max_training_cases", case_id))
        found = found[place.rank(method="first") <= cap]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Join prompts, rationales and labels; write everybody."""
    parser = step_parser("final-cases", "example:\n  oncoraft final-cases prompts.jsonl rationales.jsonl cases --out train.jsonl")
    parser.add_argument("prompts", type=Path, metavar="PROMPTS", help="prompts.jsonl")
    parser.add_argument("rationales", type=Path, metavar="RATIONALES", help="rationales.jsonl")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases and labels")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="training file to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("final-cases", given)
    labels = read_labels(given.cases, blocks["labels"].definition)
    prompts, rationales = (
        read_jsonl(given.prompts, PROMPT_KEYS, once="case_id"),
        read_jsonl(given.rationales, RATIONALE_KEYS, once="case_id"),
    )
    frame = join(prompts, rationales, read_cases(given.cases, ("case_id", "patient_id")), labels)
    found = all_labelled(frame, blocks["split"].max_training_cases)
    if found.empty:
        raise InputError("expected at least one case with a label and a rationale", file=given.cases / "labels.parquet", found="none")
    record = given.out.with_name(given.out.name + ".manifest.json")
    labelled = int((frame["output"] != "").sum())
    counts = {"cases": len(found), "labelled": labelled, "patients": int(found["patient_id"].nunique())}
    with publishing(given.out, record, step="final-cases") as (out, note):
        write_fold_file(out, rows(found), given.prompts if blocks["split"].texts == "referred" else None)
        inputs = [given.prompts, given.rationales, given.cases / "cases.parquet", given.cases / "labels.parquet"]
        settings = settings_record(given, blocks)
        write_json(note, manifest("final-cases", inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    log.info("final-cases: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
