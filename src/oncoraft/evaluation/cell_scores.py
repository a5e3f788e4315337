"""How good scores of cells are, in one design: `oncoraft cell-scores DIR --design D --baselines FILE [--run NAME FILE ...] --out DIR`.

AUROC, average precision and F1 at one half, means over folds; AUROC by fold and by data set, cancer, tissue, class of therapy, regimen and
drug. Intervals resample donors within folds: cells of one donor are not independent, and a thousand of them are one person. A difference
from the data-set prior is taken on the cases that both have scored.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from oncoraft.artefacts import read_table
from oncoraft.evaluation.discrimination import Array, bootstrap, mean_known, patient_weights, ranking, told_interval
from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_seed
from oncoraft.planning.config import LEAKING
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.predictions import read_predictions

log = logging.getLogger("oncoraft")
LEVELS = ("data_set", "cancer", "tissue", "therapy_class", "regimen", "drug")
LEVEL_RESAMPLES = 300  # of the many intervals by level
FEWEST_CASES, FEWEST_DONORS = 10, 2  # of each class, below which a level's number is kept back
CONFIDENCE = 0.95
REFERENCE = "data_set_prior"
NO_PROBABILITY = frozenset(("signature",))  # a score without a threshold at one half
METHOD = "percentile interval of a bootstrap of donors within folds"


class Judged(NamedTuple):
    """Cases of one design that were held out, in order."""

    frame: pd.DataFrame
    positive: Array
    fold: Array
    weights: Array

    def record(self, name: str, metric: str, scope: str, mask: Array, value: float, samples: Array | None, **more: Any) -> dict[str, Any]:
        """One record with its denominators."""
        lower, upper, note = (None, None, "") if samples is None or np.isnan(value) else told_interval(samples, CONFIDENCE)
        more["flags"] = "; ".join(filter(None, [more.get("flags", ""), note]))
        part = self.frame[mask]
        counts = {"n": len(part), "events": int(self.positive[mask].sum()), "donors": int(part["patient_id"].nunique())}
        base = {"predictor": name, "reference": None, "metric": metric, "scope": scope, "group": None}
        ends = {"estimate": None if np.isnan(value) else float(value), "lower": lower, "upper": upper}
        return {**base, **ends, **counts, "method": METHOD if lower is not None else "", **more}


def areas(score: Array, data: Judged, mask: Array, weights: Array | None, with_precision: bool = False) -> tuple[Array, Array]:
    """AUROC and average precision of each row of weights, means over the folds that hold both classes."""
    column = np.flatnonzero(mask)

    def both(weight: Array | None) -> Array:
        found = ranking(score[mask], data.positive[mask], data.fold[mask], weight, with_precision, None if weight is None else column)
        return np.stack([mean_known(np.atleast_2d(found.auroc)), mean_known(np.atleast_2d(found.auprc))], axis=-1)

    values = both(None) if weights is None else bootstrap(both, weights)
    return values[..., 0], values[..., 1]


def f1(score: Array, data: Judged, mask: Array, weights: Array | None) -> Array:
    """F1 of calling a case sensitive from one half on, of each row of weights; mean over folds."""
    called, values = score >= 0.5, []
    rows = np.ones((1, len(score))) if weights is None else weights
    for k in np.unique(data.fold[mask]):
        here = mask & (data.fold == k)
        hit, said, true = (rows[:, here & part].sum(axis=1).astype(float) for part in (called & data.positive, called, data.positive))
        total = said + true
        values.append(np.divide(2 * hit, total, out=np.full(len(rows), np.nan), where=total > 0))
    return mean_known(np.stack(values, axis=-1))


def overall(name: str, score: Array, data: Judged) -> list[dict[str, Any]]:
    """The records of one predictor over all folds, and by fold."""
    mask = np.isfinite(score)
    area, precision = areas(score, data, mask, None, True)
    resampled, precisions = areas(score, data, mask, data.weights, True)
    rows = [
        data.record(name, "auroc", "mean_of_folds", mask, float(area[0]), resampled),
        data.record(name, "auprc", "mean_of_folds", mask, float(precision[0]), precisions),
    ]
    if name not in NO_PROBABILITY:
        rows.append(
            data.record(name, "f1", "mean_of_folds", mask, float(f1(score, data, mask, None)[0]), f1(score, data, mask, data.weights))
        )
    for k in np.unique(data.fold[mask]):
        here = mask & (data.fold == k)
        word = str(data.frame.loc[here, "held_out"].iloc[0])
        value, samples = (areas(score, data, here, w)[0] for w in (None, data.weights))
        flag = "" if np.isfinite(value[0]) else "one class only"
        rows.append(data.record(name, "auroc", "fold", here, float(value[0]), samples, group=word, flags=flag))
    return rows


def by_level(name: str, score: Array, data: Judged) -> list[dict[str, Any]]:
    """AUROC within every level of every kind, mean over folds; kept back where a class has few cases or donors."""
    rows = []
    few = f"fewer than {FEWEST_CASES} cases or {FEWEST_DONORS} donors of a class"
    for kind in LEVELS:
        values = data.frame[kind].to_numpy(object)
        for level in sorted(set(values)):
            mask = np.isfinite(score) & (values == level)
            donors = [data.frame["patient_id"][mask & (data.positive == side)] for side in (True, False)]
            if any(len(one) < FEWEST_CASES or one.nunique() < FEWEST_DONORS for one in donors):
                if mask.any():
                    rows.append(data.record(name, "auroc", kind, mask, np.nan, None, group=level, flags=few))
                continue
            value, samples = (areas(score, data, mask, w)[0] for w in (None, data.weights[:LEVEL_RESAMPLES]))
            rows.append(data.record(name, "auroc", kind, mask, float(value[0]), samples, group=level))
    return rows


def difference(name: str, score: Array, other: Array, data: Judged) -> dict[str, Any]:
    """AUROC less that of the data-set prior, on the cases that both have scored and on the same resamples."""
    mask = np.isfinite(score) & np.isfinite(other)
    value, samples = (areas(score, data, mask, w)[0] - areas(other, data, mask, w)[0] for w in (None, data.weights))
    return data.record(name, "auroc_difference", "mean_of_folds", mask, float(value[0]), samples, reference=REFERENCE)


def scores_of(
    frame: pd.DataFrame, baselines: pd.DataFrame, runs: Sequence[tuple[str, list[Path]]], cases: pd.DataFrame
) -> dict[str, Array]:
    """Scores by predictor in the order of `frame`, nan where it has none.

    Raises:
        InputError: a case that is scored twice, or in another fold than the one that holds it out.
    """
    place = pd.Index(frame["case_id"])
    found = {
        str(name): baselines.set_index("case_id")[name].reindex(place).to_numpy(float)
        for name in baselines.columns
        if name not in ("case_id", "fold")
    }
    for name, paths in runs:
        told = pd.concat([read_predictions(path, cases) for path in paths], ignore_index=True)
        if (twice := told["case_id"].duplicated()).any():
            raise InputError("expected every case once", file=paths[0], found=str(told.loc[twice, "case_id"].iloc[0]))
        folds = told.set_index("case_id")["fold"]
        own = frame.set_index("case_id")["fold"].reindex(folds.index)
        if (other := folds.index[folds != own]).size:
            raise InputError(f"expected predictions by the fold that holds the case out; case {other[0]} is of another", file=paths[0])
        found[name] = told.set_index("case_id")["score"].reindex(place).to_numpy(float)
    return found


def read_held_out(folder: Path, design: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All cases, and those that a design holds out with fold and what it leaves out.

    Raises:
        InputError: no folds of this design.
    """
    kinds = ("case_id", "patient_id", *LEVELS, "responder")
    cases = read_table(folder / "cases.parquet", kinds, key=("case_id",))
    folds = read_table(folder / "folds.parquet", ("case_id", "design", "fold", "held_out"), key=("case_id", "design"))
    frame = cases.merge(folds[(folds["design"] == design) & (folds["fold"] >= 0)], on="case_id").reset_index(drop=True)
    if frame.empty:
        raise InputError("expected folds of this design", file=folder / "folds.parquet", column="design", found=design)
    return cases, frame


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure one design."""
    parser = step_parser(
        "cell-scores",
        "example:\n  oncoraft cell-scores cells/lung --design pooled_by_donor --baselines baselines.parquet --run tiny/raft fold-0.jsonl fold-1.jsonl --out scores --config config/cells.yaml",
    )
    parser.add_argument("--cells", metavar="NAME", help="entry of `cells` in the configuration file; left out: its first")
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder with cases.parquet and folds.parquet")
    parser.add_argument("--design", required=True, help="design of the folds")
    parser.add_argument("--baselines", type=Path, required=True, metavar="FILE", help="baselines of this design")
    parser.add_argument("--run", nargs="+", action="append", default=[], metavar="NAME FILE", help="a model's name and its predictions")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("cell-scores", given, **({"cell_study": given.cells} if given.cells else {}))
    study = blocks["cell_study"]
    files = [given.out / name for name in ("metrics.json", "metrics.csv", "manifest.json")]
    claim(*files, step="cell-scores", home=given.out)
    runs = [(name, [Path(file) for file in files]) for name, *files in given.run]
    cases, frame = read_held_out(given.folder, given.design)
    fold = frame["fold"].to_numpy()
    weights = patient_weights(frame["patient_id"].to_numpy(str), fold, study.bootstrap, stable_seed(study.seed, given.design))
    data = Judged(frame, frame["responder"].to_numpy(bool), fold, weights)
    scores = scores_of(frame, pd.read_parquet(given.baselines), runs, cases)
    records = []
    for name, score in scores.items():
        records += overall(name, score, data) + by_level(name, score, data)
        if name != REFERENCE:
            records.append(difference(name, score, scores[REFERENCE], data))
    with publishing(*files, step="cell-scores", home=given.out) as (told, table, note):
        leaks = given.design == LEAKING
        write_json(
            told, {"design": given.design, "leaks": leaks, "unit": study.unit, "models": [name for name, _ in runs], "records": records}
        )
        write_csv(table, pd.DataFrame(records))
        counts = {
            "cases": len(frame),
            "donors": int(frame["patient_id"].nunique()),
            "scored": {n: int(np.isfinite(s).sum()) for n, s in scores.items()},
        }
        inputs = [
            given.folder / "cases.parquet",
            given.folder / "folds.parquet",
            given.baselines,
            *(path for _, paths in runs for path in paths),
        ]
        settings, outputs = settings_record(given, blocks), {files[0]: told, files[1]: table}
        write_json(note, manifest("cell-scores", inputs=inputs, outputs=outputs, settings=settings, counts=counts, beside=files[-1]))
    log.info(
        "cell-scores: %s: %s",
        given.design,
        {
            row["predictor"]: round(row["estimate"], 3)
            for row in records
            if row["metric"] == "auroc" and row["scope"] == "mean_of_folds" and row["estimate"] is not None
        },
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
