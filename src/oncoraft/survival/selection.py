"""Selection audit: does being in the cohort tell the outcome? `oncoraft selection CASES evidence.parquet --design kfold --out selection`

Beside the look-ahead audit, which perturbs what lies after the index date and so cannot see that an absence tells of the future. Models
that see only which kinds of evidence a case has, and its index-to-sequencing time, are cross-fitted on the folds: their AUROC for response and their
hazard ratio in each regimen, over all cases and over those whose index date is not before the first sequencing, who are in the cohort
whatever happens next. A kind of evidence is flagged where it is worth more than a limit over all cases and not over these.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.planning.config import Selection
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.survival.groups import first_use
from oncoraft.survival.inputs import read_followup, read_table
from oncoraft.survival.risk_sets import Array, false_discovery
from oncoraft.survival.selection_models import (
    REGIMEN,
    TIMES,
    hazard_record,
    hazard_scores,
    presence,
    response_record,
    response_scores,
    sequencing_times,
)

log = logging.getLogger("oncoraft")
SCOPES = ("all", "sequenced_by_index")


def scoped(frame: pd.DataFrame) -> dict[str, Array]:
    """Which cases each scope has."""
    return {"all": np.ones(len(frame), dtype=bool), "sequenced_by_index": frame["index_day"].to_numpy() >= 0}


def is_large(ratio: float | None, limit: float) -> int:
    """1 or -1 where a hazard ratio is beyond the limit upwards or downwards, else 0."""
    return 0 if ratio is None else int(ratio > limit) - int(ratio < 1 / limit)


def kind_records(frame: pd.DataFrame, features: pd.DataFrame, settings: Selection) -> list[dict[str, Any]]:
    """Each kind of evidence by itself: what its presence tells of response and of survival within a regimen, in both scopes."""
    records = []
    for name in map(str, features):
        record: dict[str, Any] = {"kind": name, "present_share": float(features[name].mean())}
        for scope, mask in scoped(frame).items():
            values = features[name].to_numpy(float)[mask]
            found = response_record(frame[mask], values) | hazard_record(frame[mask], values, REGIMEN)
            record |= {f"{scope}_{key}": value for key, value in found.items()}
        records.append(record)
    p = np.array([record["all_wald_p"] for record in records], dtype=float)
    for record, q in zip(records, false_discovery(p)):
        record["q"] = None if np.isnan(q) else float(q)
        record["is_flagged"] = is_flagged(record, settings)
    return sorted(records, key=lambda record: (not record["is_flagged"], record["q"] is None, record["q"], record["kind"]))


def is_flagged(record: dict[str, Any], settings: Selection) -> bool:
    """Whether a kind is worth more than the limits over all cases, and not over those sequenced by their index date."""
    side = is_large(record["all_hazard_ratio"], settings.hazard_ratio_limit)
    significant = record["q"] is not None and record["q"] <= settings.alpha
    hazard = side != 0 and significant and is_large(record["sequenced_by_index_hazard_ratio"], settings.hazard_ratio_limit) != side
    reach = {scope: abs((record[f"{scope}_auroc"] or 0.5) - 0.5) for scope in SCOPES}  # no pair: nothing told
    limit = settings.auroc_limit - 0.5
    clear = record["all_auroc_lower"] is not None and not record["all_auroc_lower"] <= 0.5 <= record["all_auroc_upper"]
    return bool(hazard or (clear and reach["all"] > limit >= reach["sequenced_by_index"]))


def model_records(frame: pd.DataFrame, features: dict[str, pd.DataFrame], settings: Selection) -> list[dict[str, Any]]:
    """Cross-fitted models on sequencing time, on the kinds of evidence, and on both: AUROC, hazard ratio per standard deviation, by regimen."""
    records = []
    for name, table in features.items():
        for scope, mask in scoped(frame).items():
            mine, varying = frame[mask], table[mask].loc[:, table[mask].nunique() > 1]
            record: dict[str, Any] = {"model": name, "scope": scope}
            if not varying.shape[1]:
                nothing = dict.fromkeys(("auroc", "auroc_lower", "auroc_upper", "hazard_ratio", "lower", "upper"))
                records.append({**record, **nothing, "is_flagged": False, "reason": "nothing varies", "regimens": []})
                continue
            risk = hazard_scores(mine, varying).to_numpy()
            risk = risk / (np.nanstd(risk) or 1.0)
            record |= response_record(mine, response_scores(mine, varying).to_numpy()) | hazard_record(mine, risk, [*REGIMEN, "fold"])
            record["regimens"] = regimen_records(mine, risk, settings)
            flagged = [row["regimen_name"] for row in record["regimens"] if row["is_flagged"]]
            above = record["auroc"] is not None and record["auroc"] > settings.auroc_limit
            record |= {"is_flagged": bool(above or flagged), "reason": reason_of(above, flagged, settings)}
            records.append(record)
    return records


def reason_of(above: bool, flagged: list[str], settings: Selection) -> str | None:
    """Why a model is flagged, in words."""
    parts = [f"AUROC for response above {settings.auroc_limit}"] if above else []
    parts += [f"hazard ratio above {settings.hazard_ratio_limit} in {', '.join(flagged)}"] if flagged else []
    return "; ".join(parts) or None


def regimen_records(frame: pd.DataFrame, risk: Array, settings: Selection) -> list[dict[str, Any]]:
    """Hazard ratio of a standard deviation of the cross-fitted risk in each regimen with enough events, its q and whether it is flagged."""
    records = []
    for places in frame.reset_index(drop=True).groupby(REGIMEN).indices.values():
        mine = frame.iloc[places]
        if mine["event"].sum() >= settings.minimum_events:
            names = {name: str(mine[name].iloc[0]) for name in (*REGIMEN, "regimen_name")}
            records.append(names | hazard_record(mine, risk[places], ["fold"]))
    p = np.array([record["wald_p"] for record in records], dtype=float)
    for record, q in zip(records, false_discovery(p)):
        record["q"] = None if np.isnan(q) else float(q)
        large = is_large(record["hazard_ratio"], settings.hazard_ratio_limit) > 0
        record["is_flagged"] = bool(large and record["q"] is not None and record["q"] <= settings.alpha)
    return sorted(records, key=lambda record: (-record["events"], record["cancer_type"], record["regimen"]))


def audit(frame: pd.DataFrame, evidence: pd.DataFrame, settings: Selection) -> dict[str, Any]:
    """The whole audit of the first use of each regimen by each patient.

    Args:
        frame: cases with fold, responder, entry_days, exit_days and event.
        evidence: evidence.parquet, or its case_id and field.
    """
    if frame.empty:
        nothing = {"cases": 0, "sequenced_by_index": 0, "kinds": 0}
        return {"not_estimated": "no case has follow-up", "counts": nothing, "flagged": [], "models": [], "kinds": []}
    used = first_use(frame, REGIMEN).reset_index(drop=True)
    kinds, times = presence(used, evidence), sequencing_times(used)
    features = {"sequencing time": times, "kinds of evidence": kinds, "both": pd.concat([times, kinds], axis=1)}
    models = model_records(used, {name: table for name, table in features.items() if table.shape[1]}, settings)
    records = kind_records(used, pd.concat([kinds, times[TIMES[:1]]], axis=1), settings)
    counts = {"cases": len(used), "sequenced_by_index": int((used["index_day"] >= 0).sum()), "kinds": kinds.shape[1]}
    flagged = [record["kind"] for record in records if record["is_flagged"]]
    return {"not_estimated": None, "counts": counts, "flagged": flagged, "models": models, "kinds": records}


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit and write."""
    parser = step_parser("selection", "example:\n  oncoraft selection cases evidence.parquet --design kfold --out selection")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases, labels, follow-up and folds")
    parser.add_argument("evidence", type=Path, metavar="EVIDENCE", help="evidence.parquet")
    parser.add_argument("--design", default="kfold", help="cross-validation design")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("selection", given)
    settings = blocks["selection"]
    inputs = [given.cases / f"{name}.parquet" for name in ("cases", "labels", "followup", "folds")] + [given.evidence]
    columns = ["case_id", "patient_id", "cancer_type", "regimen", "regimen_name", "index_day"]
    cases = read_table(inputs[0], columns, ["case_id"])[columns]
    labels = read_table(inputs[1], ["case_id", "definition", "responder"], ["case_id", "definition"])
    folds = read_table(inputs[3], ["case_id", "design", "fold"], ["case_id", "design"])
    frame = cases.merge(read_followup(inputs[2], "os"), on="case_id", validate="one_to_one")
    frame = frame.merge(folds.loc[folds["design"] == given.design, ["case_id", "fold"]], on="case_id", validate="one_to_one")
    mine = labels.loc[labels["definition"] == blocks["labels"].definition, ["case_id", "responder"]]
    frame = frame.merge(mine, on="case_id", how="left", validate="one_to_one")
    found = audit(frame, read_table(given.evidence, ["case_id", "field", "order"], ["case_id", "order"]), settings)
    counts = found["counts"] | {"cases_without_follow_up_or_fold": len(cases) - len(frame), "flagged": len(found["flagged"])}
    files = [given.out / name for name in ("selection.json", "selection.csv", "manifest.json")]
    with publishing(*files, step="selection", home=given.out) as (report, table, note):
        write_json(report, found | {"counts": counts, "settings": settings.model_dump(mode="json")})
        write_csv(table, pd.DataFrame(found["kinds"]))
        outputs = dict(zip(files[:2], (report, table)))
        recorded = settings_record(given, blocks)
        write_json(note, manifest("selection", inputs=inputs, outputs=outputs, settings=recorded, counts=counts, beside=files[2]))
    log.info("selection: %s, flagged: %s", counts, ", ".join(found["flagged"]) or "none")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
