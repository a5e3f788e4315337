"""Rewards of held-out answers before and after alignment: `oncoraft rewards --before predictions.jsonl --after predictions.jsonl ...`.

The cases that both runs have written a rationale for are judged by every reward, the label left out of it but for the calibration
reward. The difference has a percentile interval over resampled patients. Beside the table stand the ten best-rewarded answers, for
people to read: what the verifiers like and a reader does not is how a model that fools them shows.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.alignment.rewards import Answered, Judged, Rewards
from oncoraft.fold_files import TEXTS, read_fold_file
from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl, write_jsonl
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_seed
from oncoraft.planning.config import Alignment, Evaluation
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
BEST = 10
EXAMPLE = """\
in:   predictions of the strategy that alignment started from and of the aligned one, and the held-out files of all folds
out:  a row a reward (n, mean before and after, difference with interval, how often it applied), and the best-rewarded answers

example:
  oncoraft rewards --before raft/kfold/predictions.jsonl --after grpo/kfold/predictions.jsonl --heldout prompts/kfold/fold-*/heldout.jsonl \\
      --out grpo/kfold/rewards.csv --best grpo/kfold/best_rewarded.jsonl"""


def rationales(path: Path, rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """case_id -> prediction, of those with a rationale.

    Raises:
        InputError: a prediction of a case that no held-out file has.
    """
    found = {}
    for number, row in enumerate(read_jsonl(path, ("case_id", "score", "rationale"), once="case_id"), 1):
        if row["case_id"] not in rows:
            raise InputError("expected a case of the held-out files", file=path, line=number, column="case_id", found=row["case_id"])
        if row["rationale"] is not None:
            found[row["case_id"]] = row
    return found


def judge(prediction: dict[str, Any], row: dict[str, Any], rewards: Rewards) -> Judged:
    """Rewards of one written answer."""
    ended = prediction.get("finish_reason") != "length"
    return rewards.judge(
        Answered(prediction["rationale"], row["input"], row["instruction"], prediction["score"], row.get("responder"), ended)
    )


def table(before: list[Judged], after: list[Judged], patients: Sequence[str], settings: Evaluation) -> pd.DataFrame:
    """One row a reward, the mean of all (`reward`) first: n, means, difference and its interval over resampled patients.

    Args:
        before, after: of the same cases, in the same order.
        patients: of these cases.
        settings: resamples and level of the interval.
    """
    names = sorted({name for one in before for name in one.parts})
    codes, count = np.unique(list(patients), return_inverse=True)[1], len(set(patients))
    draws = np.random.default_rng(stable_seed(settings.seed, "rewards")).integers(0, count, (settings.bootstrap, count))
    weights = np.stack([np.bincount(draw, minlength=count) for draw in draws])[:, codes]
    low, high = (1 - settings.confidence) / 2, (1 + settings.confidence) / 2
    rows = []
    for name in ["reward", *names]:
        first, second = (np.array([value_of(one, name) for one in side], dtype=float) for side in (before, after))
        both = ~(np.isnan(first) | np.isnan(second))
        row: dict[str, Any] = {"reward": name, "cases": len(before), "n": int(both.sum()), "patients": len(set(codes[both]))}
        row |= {"applies_before": int((~np.isnan(first)).sum()), "applies_after": int((~np.isnan(second)).sum())}
        if both.any():
            difference = (second - first)[both]
            total = weights[:, both].sum(axis=1)
            resampled = (weights[:, both] @ difference)[total > 0] / total[total > 0]
            row |= {"before": first[both].mean(), "after": second[both].mean(), "difference": difference.mean()}
            row |= {"lower": np.quantile(resampled, low), "upper": np.quantile(resampled, high)}
        rows.append(row)
    return pd.DataFrame(rows)


def value_of(one: Judged, name: str) -> float | None:
    """A reward by name; the weighted mean by the name `reward`."""
    return one.total if name == "reward" else one.parts.get(name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge the held-out answers of two runs."""
    given = parse(arguments)
    blocks = read_settings("rewards", given)
    alignment: Alignment = blocks["alignment"]
    note = given.out.with_name(given.out.name + ".manifest.json")
    claim(given.out, given.best, note, step="rewards")
    rows = {row["case_id"]: row for path in given.heldout for row in read_fold_file(path, ("case_id", "patient_id", *TEXTS))}
    before, after = rationales(given.before, rows), rationales(given.after, rows)
    both = sorted(set(before) & set(after))
    if not both:
        raise InputError(
            "expected rationales of the same cases in both runs; inference.rationales is 0 or the samples differ", file=given.after
        )
    rewards = Rewards(alignment)
    judged = [[judge(side[case_id], rows[case_id], rewards) for case_id in both] for side in (before, after)]
    found = table(judged[0], judged[1], [rows[case_id]["patient_id"] for case_id in both], blocks["evaluation"])
    with publishing(given.out, given.best, note, step="rewards") as (out, best, record):
        write_csv(out, found)
        write_jsonl(best, best_rewarded(both, judged[1], after))
        inputs = [given.before, given.after, *given.heldout]
        counts = {"before": len(before), "after": len(after), "both": len(both)}
        outputs = {given.out: out, given.best: best}
        settings = settings_record(given, blocks)
        write_json(record, manifest("rewards", inputs=inputs, outputs=outputs, settings=settings, counts=counts, beside=note))
    first = found.iloc[0]
    log.info("rewards: %d cases, mean reward %.3f before, %.3f after", len(both), first["before"], first["after"])
    return 0


def best_rewarded(case_ids: Sequence[str], judged: Sequence[Judged], written: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers of highest reward after alignment, the best first."""
    ranked = sorted(zip(case_ids, judged, strict=True), key=lambda pair: (-(pair[1].total or 0.0), pair[0]))
    return [
        {"case_id": case_id, "reward": one.total, "rewards": one.parts, "rationale": written[case_id]["rationale"]}
        for case_id, one in ranked[:BEST]
    ]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = step_parser("rewards", EXAMPLE)
    parser.add_argument("--before", type=Path, required=True, metavar="FILE", help="predictions of the starting strategy")
    parser.add_argument("--after", type=Path, required=True, metavar="FILE", help="predictions of the aligned strategy")
    parser.add_argument("--heldout", type=Path, nargs="+", required=True, metavar="FILE", help="held-out files of all folds")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="CSV to write")
    parser.add_argument("--best", type=Path, required=True, metavar="FILE", help="JSONL of the best-rewarded answers to write")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(run(main))
