"""`oncoraft probe`: fit a linear probe on a fold's training cases, and score its held-out and tuning cases, as `train` and `infer` do for others.

With `--fold-model` an earlier fit scores the cases of another cohort; nothing is learned from them.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl, write_jsonl
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_fraction
from oncoraft.models.linear_probe import FILE, Probe, fitted, read_embeddings, read_probe
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.recalibration import sigmoid

log = logging.getLogger("oncoraft")
KEYS = ("case_id", "patient_id", "fold")
PATIENTS = "training_patients.txt"
EPILOG = """\
OUT receives probe.json (coefficients, penalty, what each penalty reached on tuning patients), training_patients.txt, and in predictions/
the shards of held-out and tuning cases as `oncoraft infer` writes them. With --fold-model OUT receives the shards alone.

example:
  oncoraft probe heldout.jsonl --train train.jsonl --tuning tuning.jsonl --embeddings embeddings.parquet --out fold-0"""


def labels_of(rows: Sequence[dict[str, Any]], path: Path) -> np.ndarray:
    """Whether each case responded.

    Raises:
        InputError: a case without label.
    """
    for number, row in enumerate(rows, 1):
        if not isinstance(row.get("responder"), bool):
            raise InputError("expected the label of every case", file=path, line=number, column="responder")
    return np.array([row["responder"] for row in rows], dtype=bool)


def predictions(rows: Sequence[dict[str, Any]], logits: np.ndarray, with_label: bool) -> list[dict[str, Any]]:
    """Lines as `oncoraft infer` writes them, by case, those of tuning cases with their labels; a probe writes no text."""
    found = [
        {key: row[key] for key in KEYS}
        | {
            "logit": float(value),
            "score": float(sigmoid(np.array(value))),
            "rationale": None,
            "score_from_text": None,
            "finish_reason": "not_sampled",
        }
        | ({"responder": row["responder"]} if with_label else {})
        for row, value in zip(rows, logits, strict=True)
    ]
    return sorted(found, key=lambda row: str(row["case_id"]))


def shards_of(rows: Sequence[dict[str, Any]], shards: int) -> list[list[dict[str, Any]]]:
    """The lines of each shard, by the hash that inference goes by."""
    return [[row for row in rows if int(stable_fraction("shard", row["case_id"]) * shards) == shard] for shard in range(shards)]


def fit(given: argparse.Namespace, read_at: str) -> tuple[Probe, list[dict[str, Any]], list[dict[str, Any]]]:
    """The probe of a fold, its training rows, its tuning rows.

    Raises:
        InputError: labels of one class; a tuning patient who is held out or trains.
    """
    train, tuning = read_jsonl(given.train, KEYS, once="case_id"), read_jsonl(given.tuning, KEYS, once="case_id")
    positive = labels_of(train, given.train)
    if not 0 < positive.sum() < len(positive):
        raise InputError(f"expected responders and non-responders; all {len(train)} cases are of one class", file=given.train)
    seen = {row["patient_id"] for row in [*train, *read_jsonl(given.heldout, KEYS)]}
    if both := sorted({row["patient_id"] for row in tuning} & seen):
        raise InputError("expected tuning patients who neither train nor are held out", file=given.tuning, found=both[0])
    vectors = [read_embeddings(given.embeddings, [row["case_id"] for row in part]) for part in (train, tuning)]
    return fitted(vectors[0], positive, vectors[1], labels_of(tuning, given.tuning), read_at), train, tuning


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line.

    Raises:
        InputError: neither training files nor a fitted probe, or both.
    """
    parser = step_parser("probe", EPILOG)
    parser.add_argument("heldout", type=Path, metavar="HELDOUT", help="cases to score")
    parser.add_argument("--embeddings", type=Path, required=True, metavar="FILE", help="written by `oncoraft embed`")
    parser.add_argument("--train", type=Path, metavar="FILE", help="training file of the fold")
    parser.add_argument("--tuning", type=Path, metavar="FILE", help="tuning file of the fold")
    parser.add_argument("--fold-model", type=Path, metavar="FOLD_DIR", help="a fitted probe, to be applied to another cohort")
    parser.add_argument("--shards", type=int, default=1, help="files to part the predictions into")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    given: argparse.Namespace = parser.parse_args(arguments)
    if (given.train is None) != (given.tuning is None) or (given.train is None) == (given.fold_model is None):
        raise InputError("expected either --train and --tuning, or --fold-model")
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit or read, score, write."""
    given = parse(arguments)
    blocks = read_settings("probe", given)
    read_at, home = blocks["strategy"].probe or "end_of_prompt", given.out
    folder = home if given.fold_model else home / "predictions"
    names = ["shard", *([] if given.fold_model else ["tuning"])]
    files = [folder / f"{name}-{shard}.jsonl" for name in names for shard in range(given.shards)]
    files += [] if given.fold_model else [home / FILE, home / PATIENTS]
    files.append(home / "manifest.json")
    claim(*files, step="probe", home=home)
    held_out = read_jsonl(given.heldout, KEYS, once="case_id")
    inputs = [given.heldout, given.embeddings]
    train: list[dict[str, Any]] = []
    tuning: list[dict[str, Any]] = []
    if given.fold_model:
        probe = read_probe(given.fold_model / FILE)
        inputs.append(given.fold_model / FILE)
    else:
        probe, train, tuning = fit(given, read_at)
        inputs += [given.train, given.tuning]
    if probe.read_at != read_at:
        raise InputError(
            f"expected a probe that reads at {read_at}, as the strategy says", file=given.fold_model / FILE, found=probe.read_at
        )
    parts = []
    for name, rows in zip(names, (held_out, tuning), strict=False):
        logits = probe.logits(read_embeddings(given.embeddings, [row["case_id"] for row in rows]))
        parts.append(shards_of(predictions(rows, logits, name == "tuning"), given.shards))
    counts = {"cases": len(held_out), "training_cases": len(train), "tuning_cases": len(tuning), "strength": probe.strength}
    with publishing(*files, step="probe", home=home) as written:
        out = dict(zip(files, written, strict=True))
        for path, rows in zip(files, [rows for part in parts for rows in part], strict=False):
            write_jsonl(out[path], rows)
        if not given.fold_model:
            write_json(out[home / FILE], probe._asdict())
            out[home / PATIENTS].write_text("\n".join(sorted({row["patient_id"] for row in train})) + "\n", encoding="utf-8")
        outputs = dict(zip(files[:-1], written[:-1], strict=True))
        note = settings_record(given, blocks)
        write_json(written[-1], manifest("probe", inputs=inputs, outputs=outputs, settings=note, counts=counts, beside=files[-1]))
    log.info("probe: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
