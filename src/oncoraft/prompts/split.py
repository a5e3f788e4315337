"""The training, tuning and held-out files of one fold, in the published JSONL format or referring to their prompts; or one corpus.

Training rows are evaluable cases of the other folds, tuning patients left out; tuning rows are the evaluable cases of just those,
without an answer; held-out rows are all cases of the fold, evaluable or not, without an answer. No patient is in two: asserted.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.fold_files import referring
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import Writer
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.stable import stable_fraction
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.prompts.joined import Joined, fold_rows

log = logging.getLogger("oncoraft")
ROW = ["instruction", "input", "output", "case_id", "patient_id", "fold", "category", "score", "responder", "prompt_tokens", "cut"]


def in_folds(frame: pd.DataFrame, folds: pd.DataFrame, design: str, fold: int) -> pd.DataFrame:
    """Cases with the fold that holds them out, own_fold, and is_tuning.

    Raises:
        InputError: there is no such fold.
    """
    chosen = folds[folds["design"] == design].rename(columns={"fold": "own_fold"}).astype({"case_id": frame.dtypes["case_id"]})
    if fold not in set(chosen["own_fold"]):
        raise InputError(f"expected a fold of design {design!r} with cases in it", column="fold", found=fold)
    return frame.merge(chosen[["case_id", "own_fold", "is_tuning"]], on="case_id", validate="one_to_one").assign(fold=fold)


def refuse_shared_patients(parts: dict[str, pd.DataFrame]) -> None:
    """No patient may be in two parts of a fold: asserted."""
    patients = {name: set(part["patient_id"]) for name, part in parts.items()}
    for one, other in combinations(patients, 2):
        shared = patients[one] & patients[other]
        assert not shared, f"{len(shared)} patients are in {one} and {other}, the first {min(shared)}"


def fold_parts(frame: pd.DataFrame, folds: pd.DataFrame, design: str, fold: int, cap: int | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and held-out rows of one fold.

    Raises:
        InputError: there is no such fold.
    """
    joined = in_folds(frame, folds, design, fold)
    held_out = joined[joined["own_fold"] == fold].assign(output="")
    train = joined[(joined["own_fold"] != fold) & ~joined["is_tuning"] & (joined["output"] != "")]
    if cap is not None and len(train) > cap:
        # By hash: a higher cap adds cases and takes none away.
        place = train["case_id"].map(lambda case_id: stable_fraction("max_training_cases", case_id))
        train = train[place.rank(method="first") <= cap]
    refuse_shared_patients({"training": train, "held out": held_out})
    return train, held_out


def tuning_part(frame: pd.DataFrame, folds: pd.DataFrame, design: str, fold: int) -> pd.DataFrame:
    """Tuning rows of one fold: evaluable cases of other folds whose patients are kept for tuning, without their answers.

    Raises:
        InputError: there is no such fold.
    """
    joined = in_folds(frame, folds, design, fold)
    return joined[(joined["own_fold"] != fold) & joined["is_tuning"] & joined["responder"].notna()].assign(output="")


def refuse_nothing_to_learn(frame: pd.DataFrame, definition: str, given: argparse.Namespace) -> None:
    """A cohort none of whose cases has an answer trains nothing.

    Raises:
        InputError: no case has a label, or none of those that have one has a rationale.
    """
    labelled = int(frame["score"].notna().sum())
    if not labelled:
        wanted = f"expected cases that definition {definition!r} can judge; without one nothing can be trained (`oncoraft flow` says why there is none)"
        raise InputError(wanted, file=given.cases / "labels.parquet", column="score", found=f"none of {len(frame)}")
    if (frame["output"] == "").all():
        raise InputError("expected a rationale of at least one labelled case", file=given.rationales, found=f"none of {labelled}")


def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Plain rows for JSONL; missing labels are null."""
    plain = frame.reindex(columns=ROW).astype(object)
    records: list[dict[str, Any]] = plain.to_dict("records")  # type: ignore[assignment]
    return [
        # NaN is not equal to itself.
        {key: None if value is None or value is pd.NA or value != value else value for key, value in record.items()}
        for record in records
    ]


class Part(NamedTuple):
    """The cases of a file to write, and of which of them the answer is told."""

    case_ids: pa.Array
    is_told: np.ndarray

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Part:
        """From the rows of an outline."""
        return cls(pa.array(frame["case_id"], pa.string()), (frame["output"] != "").to_numpy(dtype=bool))

    def own(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Those rows of a frame that are in it, without the answers that are not told."""
        place = pc.index_in(pa.array(frame["case_id"], pa.string()), value_set=self.case_ids).fill_null(-1).to_numpy()
        own = frame[place >= 0]
        return own.assign(output=own["output"].where(self.is_told[place[place >= 0]], ""))


def write_parts(joined: Iterable[pd.DataFrame], parts: dict[Path, Part], fold: int | None, prompts: Path | None = None) -> None:
    """Write the rows of each part, a patient range at a time.

    Args:
        joined: frames as `join` makes them.
        parts: file -> which cases.
        fold: that is held out; None: there is none.
        prompts: the file that rows refer to for their texts; None: they have them.
    """
    with ExitStack() as stack:
        writers = {path: stack.enter_context(Writer(path)) for path in parts}
        for frame in joined:
            for path, writer in writers.items():
                own = parts[path].own(frame)
                own = own if fold is None else own.assign(fold=fold)
                writer.write(rows(own) if prompts is None else referring(rows(own), prompts, path, begins=writer.number == 0))
            del frame, own  # or they would be held while the next range is read


def parts_of(joined: Joined, given: argparse.Namespace, blocks: dict[str, Any]) -> tuple[dict[Path, Part], dict[str, dict[str, int]]]:
    """Which cases are in which file, and how many they and their patients are.

    Raises:
        InputError: there is nothing to learn from, no such fold, or nobody for one of the files.
    """
    frame = joined.outline()
    refuse_nothing_to_learn(frame, blocks["labels"].definition, given)
    if given.all is not None:
        parts = {given.all: frame[frame["output"] != ""]}
    else:
        folds = fold_rows(given.cases, given.design)
        train, held_out = fold_parts(frame, folds, given.design, given.fold, blocks["split"].max_training_cases)
        parts = {given.train: train, given.heldout: held_out}
        if given.tuning:
            parts[given.tuning] = tuning_part(frame, folds, given.design, given.fold)
            refuse_shared_patients({"training": train, "held out": held_out, "tuning": parts[given.tuning]})
    # Small cohorts may have nobody to tune on; then there is no recalibration, and it is said.
    if empty := [path for path, part in parts.items() if part.empty and path != given.tuning]:
        reason = "expected at least one case in each file; every labelled one is in the fold held out, or kept for tuning"
        raise InputError(reason, file=min(empty), found="none")
    counts = {path.stem: {"cases": len(part), "patients": part["patient_id"].nunique()} for path, part in parts.items()}
    return {path: Part.of(part) for path, part in parts.items()}, counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Join prompts, rationales, labels and folds; write one fold or a corpus."""
    parser = step_parser(
        "split",
        "example:\n  oncoraft split prompts.jsonl rationales.jsonl cases --design kfold --fold 0 --train train.jsonl --heldout heldout.jsonl --tuning tuning.jsonl",
    )
    parser.add_argument("prompts", type=Path, metavar="PROMPTS", help="prompts.jsonl")
    parser.add_argument("rationales", type=Path, metavar="RATIONALES", help="rationales.jsonl")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases, labels and folds")
    parser.add_argument("--design", default="kfold", help="cross-validation design")
    parser.add_argument("--fold", type=int, help="the fold that is held out")
    parser.add_argument("--train", type=Path, metavar="FILE", help="training file to write")
    parser.add_argument("--heldout", type=Path, metavar="FILE", help="held-out file to write")
    parser.add_argument("--tuning", type=Path, metavar="FILE", help="tuning file to write: what recalibration and threshold are fitted on")
    parser.add_argument("--all", type=Path, metavar="FILE", help="write every labelled case to one file instead")
    given = parser.parse_args(arguments)
    if (given.all is None) == (None in (given.fold, given.train, given.heldout)):
        parser.error("give either --all, or all of --fold, --train and --heldout")
    blocks = read_settings("split", given)
    joined = Joined(given.prompts, given.rationales, given.cases, blocks["labels"].definition)
    parts, counts = parts_of(joined, given, blocks)
    inputs = [given.prompts, given.rationales, given.cases / "cases.parquet", given.cases / "labels.parquet"]
    if given.all is not None:
        record = given.all.with_name(given.all.name + ".manifest.json")
    else:
        record = given.train.with_name("manifest.json")
        inputs.append(given.cases / "folds.parquet")
    with publishing(*parts, record, step="split") as temporary:
        # A corpus is read before there are folds, and elsewhere; it is as published.
        prompts = given.prompts if blocks["split"].texts == "referred" and given.all is None else None
        write_parts(joined, dict(zip(temporary, parts.values())), given.fold, prompts)
        outputs = dict(zip(parts, temporary))
        write_json(
            temporary[-1],
            manifest("split", inputs=inputs, outputs=outputs, settings=settings_record(given, blocks), counts=counts, beside=record),
        )
    log.info("split: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
