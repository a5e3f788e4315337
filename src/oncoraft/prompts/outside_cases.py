"""`oncoraft outside-cases`: every case of a second cohort as held-out rows, once it is known that no model has seen its patients.

Before any accelerator is asked for: the patients that each fold's model was trained on are compared with those to be judged, by whole ids
without the known prefixes, and the tokenizer that the prompts were fitted with is compared with that of the base the models were trained from.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.evidence.reading import read_cases
from oncoraft.fold_files import write_fold_file
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.input_file import require_file
from oncoraft.foundation.jsonl import read_jsonl
from oncoraft.foundation.provenance import file_digest, manifest, publishing, write_json
from oncoraft.planning.config import External
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.prompts.joined import PROMPT_KEYS, join, read_labels
from oncoraft.prompts.split import in_folds, rows

log = logging.getLogger("oncoraft")
PATIENTS, TOKENIZER = "training_patients.txt", "tokenizer.json"


def refuse_seen(patients: Sequence[str], folder: Path, external: External) -> int:
    """Whether a fold's model has trained on anybody who is to be judged; how many patients it has seen.

    Args:
        patients: ids to be judged.
        folder: written by `oncoraft train`.
        external: prefixes without which an id of one cohort is that of the other.

    Raises:
        InputError: it has, or the folder does not tell.
    """
    path = require_file(folder / PATIENTS, "the patients that a fold's model was trained on, written by `oncoraft train`")
    seen = {external.key(line.strip()): number for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)}
    both = sorted(who for who in patients if external.key(who) in seen)
    if both:
        expected = (
            f"expected a model that has seen nobody who is judged; {len(both)} of {len(patients)} patients are among its training patients"
        )
        raise InputError(expected, file=path, line=seen[external.key(both[0])], found=both[0])
    return len(seen)


def tokenizer_digest(record: Path) -> str | None:
    """The digest of the tokenizer that a manifest names among its inputs; None where it names none.

    Raises:
        InputError: no manifest.
    """
    try:
        inputs: dict[str, str] = json.loads(require_file(record, "a manifest").read_text(encoding="utf-8"))["inputs"]
    except (ValueError, KeyError, TypeError):
        raise InputError("expected a manifest", file=record) from None
    return next((digest for name, digest in sorted(inputs.items()) if Path(name).name == TOKENIZER), None)


def refuse_other_tokenizer(base: Path, folder: Path) -> None:
    """Whether the base whose tokenizer the prompts were fitted with is the one that a fold was trained from.

    Raises:
        InputError: its tokenizer is another: texts would become other tokens than in training.
    """
    path, trained = base / TOKENIZER, tokenizer_digest(folder / "manifest.json")
    # A model that names none was trained from a base without this file (a linear probe reads vectors): nothing is there to compare.
    if trained is None:
        return
    found = file_digest(path) if path.is_file() else None
    if found != trained:
        expected = f"expected the tokenizer of the base that {folder} was trained from ({trained[:12]})"
        raise InputError(expected, file=path, found=found[:12] if found else "no such file")


def held_out(prompts: Path, cases: Path, definition: str, design: str) -> pd.DataFrame:
    """Every case with its prompt and label, and its part in place of a fold; no answer.

    Raises:
        InputError: as `split.join`.
    """
    frame = join(
        read_jsonl(prompts, PROMPT_KEYS, once="case_id"), [], read_cases(cases, ("case_id", "patient_id")), read_labels(cases, definition)
    )
    folds = pd.read_parquet(require_file(cases / "folds.parquet", "parts written by `oncoraft outside-folds`"))
    chosen = folds[folds["design"] == design]
    if chosen.empty:
        raise InputError(f"expected rows of design {design!r}", file=cases / "folds.parquet", column="design")
    parts = [in_folds(frame, folds, design, part) for part in sorted(chosen["fold"].unique())]
    joined = pd.concat([part[part["own_fold"] == part["fold"]] for part in parts])
    return joined.assign(output="").sort_values("case_id", kind="stable")


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, join, write."""
    parser = step_parser(
        "outside-cases", "example:\n  oncoraft outside-cases prompts.jsonl cases --models fold-0 fold-1 --out heldout.jsonl"
    )
    parser.add_argument("prompts", type=Path, metavar="PROMPTS", help="prompts.jsonl of the second cohort")
    parser.add_argument("cases", type=Path, metavar="CASES", help="its cases, labels and parts")
    parser.add_argument(
        "--models", type=Path, nargs="*", default=[], metavar="FOLD_DIR", help="folders written by `oncoraft train`, to be applied"
    )
    parser.add_argument("--tokenizer", type=Path, metavar="MODEL_DIR", help="base whose tokenizer the prompts were fitted with")
    parser.add_argument("--design", default="kfold", help="design of those folds")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="held-out file to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("outside-cases", given)
    external: External = blocks["external"]
    frame = held_out(given.prompts, given.cases, blocks["labels"].definition, given.design)
    patients = sorted(frame["patient_id"].unique())
    counts: dict[str, Any] = {"cases": len(frame), "patients": len(patients), "evaluable": int(frame["responder"].notna().sum())}
    for folder in given.models if given.tokenizer else []:
        refuse_other_tokenizer(given.tokenizer, folder)
    counts["training_patients"] = {folder.name: refuse_seen(patients, folder, external) for folder in given.models}
    record = given.out.with_name(given.out.name + ".manifest.json")
    with publishing(given.out, record, step="outside-cases") as (out, note):
        write_fold_file(out, rows(frame), given.prompts if blocks["split"].texts == "referred" else None)
        inputs = [given.prompts, *(given.cases / f"{name}.parquet" for name in ("cases", "labels", "folds"))]
        inputs += [folder / PATIENTS for folder in given.models]
        settings = settings_record(given, blocks)
        write_json(
            note, manifest("outside-cases", inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record)
        )
    log.info("outside-cases: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
