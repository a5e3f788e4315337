"""Rationales are written before the folds are made: no held-out patient's may reach a training file, whatever it says."""

import json
from pathlib import Path

import pandas as pd

from oncoraft.evidence.reading import CASE_COLUMNS
from oncoraft.prompts import split
from oncoraft.rationales.rationales import main
from tests.rationales.cases_on_disk import write_cases

CASES = 60


def test_no_held_out_or_tuning_patient_s_rationale_is_in_a_training_file(tmp_path: Path) -> None:
    evidence, cases = write_cases(tmp_path, CASES)
    out = tmp_path / "rationales.jsonl"
    assert main([str(evidence), str(cases), "--out", str(out)]) == 0
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    # Two cases a patient; each rationale gets a mark of its own, so that it would be known wherever it turned up.
    ids = [f"P-{number:07d}_+{10 * number}" for number in range(CASES)]
    patients = {case_id: f"patient-{number // 2}" for number, case_id in enumerate(ids)}
    for row in rows:
        row["rationale"] += f" Mark {row['case_id']}."
    out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    prompts = tmp_path / "prompts.jsonl"
    given = ({"case_id": case_id, "instruction": "i", "input": "x", "prompt_tokens": 3, "cut": []} for case_id in ids)
    prompts.write_text("".join(json.dumps(row) + "\n" for row in given), encoding="utf-8")
    listed = pd.DataFrame({"case_id": ids, "patient_id": [patients[case_id] for case_id in ids]})
    listed.reindex(columns=sorted({*listed.columns, *CASE_COLUMNS})).to_parquet(cases / "cases.parquet")
    folds = pd.DataFrame(
        {
            "case_id": ids,
            "patient_id": [patients[case_id] for case_id in ids],
            "design": "kfold",
            "fold": [number // 2 % 3 for number in range(CASES)],
            "is_tuning": [number // 2 % 10 == 4 for number in range(CASES)],
        }
    )
    folds.to_parquet(cases / "folds.parquet")
    marked = {row["case_id"] for row in rows}
    for fold in range(3):
        train, heldout = tmp_path / f"{fold}-train.jsonl", tmp_path / f"{fold}-heldout.jsonl"
        where = ["--design", "kfold", "--fold", str(fold), "--train", str(train), "--heldout", str(heldout)]
        assert split.main([str(prompts), str(out), str(cases), *where]) == 0
        away = set(folds.loc[(folds["fold"] == fold) | folds["is_tuning"], "case_id"])
        text = train.read_text(encoding="utf-8")
        assert not [case_id for case_id in away if f"Mark {case_id}." in text]
        assert {case_id for case_id in marked if f"Mark {case_id}." in text} == marked - away
        assert "Mark" not in heldout.read_text(encoding="utf-8")
