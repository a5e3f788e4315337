"""Are two runs different? `oncoraft compare RUN RUN ... --cases CASES --design D --out comparison.json`.

Every pair of runs on the cases that both have scored and that can be judged: differences of every metric by a paired patient-cluster
bootstrap, and beside them a clustered DeLong test, McNemar's test on the first case of each patient, and a Wilcoxon test on losses.
A run is the folder of a model, a strategy and a design, or its predictions.jsonl. The q of each test counts all pairs.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.evaluation.calibration import measures, recalibrate
from oncoraft.evaluation.comparability import FROM_OTHERS, FROM_TUNING, thresholds
from oncoraft.evaluation.discrimination import Array, patient_weights
from oncoraft.evaluation.paired import bootstrap_p, delong, false_discovery, mcnemar, rank_correlation, wilcoxon
from oncoraft.evaluation.reading import read_held_out, read_labels
from oncoraft.evaluation.records import BOTH_ON_OTHERS, ON_TUNING, Evaluable
from oncoraft.evaluation.resampling import resampled_measures
from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_seed
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
WHICH = ("first", "second")
TESTS = ("bootstrap_p", "delong_p", "mcnemar_p", "wilcoxon_p")
EPILOG = """example:
  oncoraft compare results/demo/tiny-qwen3/raft/kfold results/demo/tiny-qwen3/lm_only/kfold --cases results/demo/cases --design kfold --out comparison.json"""


def predictions_of(given: Path) -> Path:
    """The predictions of a run: the file itself, or that in its folder."""
    return given / "predictions.jsonl" if given.is_dir() else given


def name_of(path: Path) -> str:
    """A run's name: its model and strategy where the folders say so, else its path."""
    parts = path.resolve().parts
    return "/".join(parts[-4:-2]) if path.name == "predictions.jsonl" and len(parts) > 4 else str(path)


def names_of(paths: Sequence[Path]) -> list[str]:
    """A name for each run; their paths where runs of different results have the same model and strategy."""
    names = [name_of(path) for path in paths]
    return names if len(set(names)) == len(names) else list(map(str, paths))


def evaluable(frame: pd.DataFrame, settings: Any, label: str, design: str) -> Evaluable:
    """The cases of one pair with weights of the same patients."""
    fold = frame["fold"].to_numpy()
    weights = patient_weights(frame["patient_id"].to_numpy(), fold, settings.bootstrap, stable_seed(settings.seed, design))
    return Evaluable(frame, frame["responder"].to_numpy(bool), fold, weights, label, settings.confidence)


def fitted(frame: pd.DataFrame, data: Evaluable) -> tuple[list[Array], list[Array], str, str]:
    """Probabilities and thresholds of both runs, and by what rule each: the tuning patients' if both runs have them, else the other folds'."""
    scores, probability, threshold = (
        [frame[f"{column}_{which}"].to_numpy(float) for which in WHICH] for column in ("score", "probability", "threshold")
    )
    if np.isfinite([*probability, *threshold]).all():
        return probability, threshold, ON_TUNING, FROM_TUNING
    chosen = [thresholds(score, data.positive, data.fold)[FROM_OTHERS] for score in scores]
    return [recalibrate(score, data.positive, data.fold) for score in scores], chosen, BOTH_ON_OTHERS, FROM_OTHERS


def metric_differences(first: Array, second: Array, probabilities: Sequence[Array], data: Evaluable) -> list[dict[str, Any]]:
    """First less second of every metric, with interval and two-sided bootstrap p.

    Args:
        first, second: scores, (cases,).
        probabilities: the two runs' recalibrated ones.
    """
    everything = np.ones(len(first), dtype=bool)
    usable, flag = data.usable(everything)
    values: dict[str, list[tuple[float, Array]]] = {}
    for name, score, probability in zip(("first", "second"), (first, second), probabilities, strict=True):
        found = data.means(name, score, usable)
        for metric, estimate, samples in zip(("auroc", "auprc", "auroc_within_regimen"), found.estimate, found.samples, strict=True):
            values.setdefault(metric, []).append((estimate, samples))
        spread = resampled_measures(probability, data.positive, data.weights)
        for metric, estimate in measures(probability, data.positive).items():
            if metric in spread:
                values.setdefault(metric, []).append((estimate, spread[metric]))
    rows = []
    for metric, pair in values.items():
        if len(pair) < 2:
            continue  # separated scores of one run have no slope in any resample: there is nothing to subtract
        (one, of_one), (other, of_other) = pair
        is_mean = metric.startswith("au")
        scope, mask = ("mean_of_folds", usable) if is_mean else ("recalibrated", everything)
        samples = of_one - of_other
        row = data.record("first", metric, scope, one - other, mask, samples=samples)
        told = {
            "metric": metric,
            "first": one,
            "second": other,
            "difference": row["estimate"],
            "lower": row["lower"],
            "upper": row["upper"],
        }
        rows.append(
            told
            | {"bootstrap_p": bootstrap_p(samples), "flags": flag if is_mean else ""}
            | {k: row[k] for k in ("n", "events", "patients")}
        )
    return [{key: None if isinstance(value, float) and np.isnan(value) else value for key, value in row.items()} for row in rows]


def compare(names: tuple[str, str], frame: pd.DataFrame, settings: Any, label: str, design: str) -> dict[str, Any]:
    """One pair of runs.

    Args:
        names: of the two runs.
        frame: common evaluable cases with score_first, score_second, responder, fold, patient_id, cancer_type, regimen, index_day.
    """
    told: dict[str, Any] = {
        "first": names[0],
        "second": names[1],
        "label": label,
        "n": len(frame),
        "events": int(frame["responder"].astype(bool).sum()),
    }
    told |= {"patients": int(frame["patient_id"].nunique())}
    if not 0 < told["events"] < told["n"]:
        reason = "no responders or no others among the evaluable cases that both have scored"
        return told | {"not_estimated": reason, "differences": []} | dict.fromkeys(TESTS)
    data = evaluable(frame, settings, label, design)
    first, second = (frame[f"score_{which}"].to_numpy(float) for which in WHICH)
    probability, threshold, recalibrated_by, rule = fitted(frame, data)
    patient, y = frame["patient_id"].to_numpy(), data.positive
    test = delong(first, second, y, patient, data.fold)
    right = [(score >= cut) == y for score, cut in zip((first, second), threshold, strict=True)]
    # McNemar's test supposes independent pairs: each patient's first case alone.
    one_each = ~frame.sort_values(["index_day", "case_id"]).duplicated("patient_id").reindex(frame.index)
    only_first, only_second, mcnemar_p = mcnemar(right[0][one_each], right[1][one_each])
    loss = [(one - y) ** 2 for one in probability]
    differences = metric_differences(first, second, probability, data)
    return told | {
        "not_estimated": None,
        "differences": differences,
        "recalibration": recalibrated_by,
        # How far the second run's scores go with the first's: what a control moves, case by case.
        "score_rank_correlation": rank_correlation(first, second),
        "mean_absolute_score_difference": float(np.abs(first - second).mean()),
        "bootstrap_p": next(row["bootstrap_p"] for row in differences if row["metric"] == "auroc"),
        "delong_difference": test.difference,
        "delong_standard_error": test.standard_error,
        "delong_p": test.p,
        "mcnemar_only_first_right": only_first,
        "mcnemar_only_second_right": only_second,
        "mcnemar_patients": int(one_each.sum()),
        "mcnemar_threshold": rule,
        "mcnemar_p": mcnemar_p,
        "wilcoxon_p": wilcoxon(loss[0], loss[1], patient),
        "wilcoxon_alternative": "the first run's recalibrated squared error is the smaller",
    }


def common(runs: dict[str, pd.DataFrame], names: tuple[str, str], labels: pd.DataFrame) -> pd.DataFrame:
    """Evaluable cases that both runs have scored, sorted by case."""
    first, second = (runs[name] for name in names)
    joined = first.merge(
        second[["case_id", "score", "probability", "threshold"]], on="case_id", suffixes=("_first", "_second"), validate="one_to_one"
    )
    joined = joined.merge(labels[["case_id", "responder"]], on="case_id", validate="one_to_one")
    return joined[joined["responder"].notna()].sort_values("case_id", ignore_index=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare every pair and write."""
    parser = step_parser("compare", EPILOG)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of runs of one design, or their predictions.jsonl")
    parser.add_argument("--cases", type=Path, required=True, metavar="CASES", help="folder with cases, labels and folds")
    parser.add_argument("--design", default="kfold", help="cross-validation design")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="comparison.json to write, a table beside it")
    given = parser.parse_args(arguments)
    blocks = read_settings("compare", given)
    files = [given.out, given.out.with_suffix(".csv"), given.out.with_name("manifest.json")]
    claim(*files, step="compare")
    paths = [predictions_of(path) for path in given.runs]
    if len({path.resolve() for path in paths}) < len(paths) or len(paths) < 2:
        raise InputError("expected two runs or more, each once", found=", ".join(map(str, paths)))
    names = names_of(paths)
    runs = {name: read_held_out(path, given.cases, given.design)[0] for name, path in zip(names, paths, strict=True)}
    label = blocks["labels"].definition
    labels = read_labels(given.cases, label)
    pairs = [compare(pair, common(runs, pair, labels), blocks["evaluation"], label, given.design) for pair in combinations(names, 2)]
    for test in TESTS:
        for pair, q in zip(pairs, false_discovery([pair[test] for pair in pairs]), strict=True):
            pair[test.replace("_p", "_q")] = q
    table = pd.DataFrame([{key: pair[key] for key in ("first", "second")} | row for pair in pairs for row in pair["differences"]])
    with publishing(*files, step="compare") as (out, sheet, note):
        write_json(out, pairs)
        write_csv(sheet, table)
        inputs = [*paths, *(given.cases / f"{name}.parquet" for name in ("cases", "labels", "folds"))]
        counts = {"runs": {name: len(frame) for name, frame in runs.items()}, "pairs": len(pairs)}
        settings = settings_record(given, blocks)
        outputs = dict(zip(files[:2], (out, sheet)))
        write_json(note, manifest("compare", inputs=inputs, outputs=outputs, settings=settings, counts=counts, beside=files[2]))
    log.info("compare: %d pairs of %d runs", len(pairs), len(names))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
