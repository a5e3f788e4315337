"""Before anything is scored: no model has seen whom it judges, and texts become the tokens that it was trained on."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.cases.outside_folds import main as outside_folds
from oncoraft.cases.outside_folds import parts_of
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import file_digest
from oncoraft.models.cases import read_rows
from oncoraft.planning.config import Folds
from oncoraft.prompts.outside_cases import main as outside_cases


@pytest.fixture
def second(tmp_path: Path) -> Path:
    """A second cohort of three patients, a base and a model of another cohort's fold."""
    ids = ["GENIE-MSK-P-1", "GENIE-DFCI-2", "GENIE-UHN-3"]
    cases = pd.DataFrame({"case_id": [f"{who}_+0" for who in ids], "patient_id": ids})
    cases.to_parquet(tmp_path / "cases.parquet")
    labels = {"definition": "strict", "category": ["PR", "PD", "NE"], "score": [0.7, 0.0, None], "responder": [True, False, None]}
    cases[["case_id"]].assign(**labels).to_parquet(tmp_path / "labels.parquet")
    prompts = [{"case_id": case, "instruction": "i", "input": "x", "prompt_tokens": 2, "cut": []} for case in cases["case_id"]]
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in prompts))
    assert outside_folds([str(tmp_path)]) == 0
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "tokenizer.json").write_text("{}")
    (tmp_path / "fold-0").mkdir()
    (tmp_path / "fold-0" / "training_patients.txt").write_text("P-4\nP-10\n")
    record = {"inputs": {"../base/tokenizer.json": file_digest(tmp_path / "base" / "tokenizer.json")}}
    (tmp_path / "fold-0" / "manifest.json").write_text(json.dumps(record))
    return tmp_path


def run(home: Path, *more: str) -> int:
    words = [home / "prompts.jsonl", home, "--models", home / "fold-0", "--tokenizer", home / "base", "--out", home / "heldout.jsonl"]
    return outside_cases([*map(str, words), *more])


def test_every_case_is_held_out_once_with_its_label_and_no_answer(second: Path) -> None:
    assert run(second) == 0
    rows = [json.loads(line) for line in (second / "heldout.jsonl").read_text().splitlines()]
    assert {row["case_id"]: row["responder"] for row in rows} == {
        "GENIE-MSK-P-1_+0": True,
        "GENIE-DFCI-2_+0": False,
        "GENIE-UHN-3_+0": None,
    }
    assert {row["output"] for row in rows} == {""}


def test_lines_may_refer_to_the_prompts_of_the_cohort(second: Path) -> None:
    assert run(second) == 0
    told = read_rows(second / "heldout.jsonl")
    assert run(second, "--settings", json.dumps({"split": {"texts": "referred"}})) == 0
    assert '"input"' not in (second / "heldout.jsonl").read_text()
    assert read_rows(second / "heldout.jsonl") == told


def test_a_model_that_has_seen_a_patient_under_another_id_is_refused_before_anything_is_scored(second: Path) -> None:
    (second / "fold-0" / "training_patients.txt").write_text("P-4\nP-1\n")
    with pytest.raises(
        InputError, match=r"training_patients\.txt, line 2: expected a model that has seen nobody who is judged; 1 of 3 patients"
    ):
        run(second)
    assert not (second / "heldout.jsonl").exists()


def test_a_tokenizer_of_another_base_is_refused(second: Path) -> None:
    (second / "base" / "tokenizer.json").write_text('{"other": 1}')
    with pytest.raises(InputError, match=r"tokenizer\.json: expected the tokenizer of the base that"):
        run(second)
    # Nor is a base that has none the one that the model was trained from.
    (second / "base" / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"base/tokenizer\.json: expected the tokenizer of the base that .* found 'no such file'"):
        run(second)
    assert not (second / "heldout.jsonl").exists()


def test_parts_hold_every_case_of_a_patient_and_are_none_of_them_empty() -> None:
    cases = pd.DataFrame({"case_id": [f"c{k}" for k in range(9)], "patient_id": [f"p{k // 2}" for k in range(9)]})
    rows = parts_of(cases, Folds(designs=("kfold", "leave_cancer_out"), folds=3))
    assert set(rows["design"]) == {"kfold", "leave_cancer_out"}
    assert not rows["is_tuning"].any()
    assert (rows.groupby(["design", "patient_id"])["fold"].nunique() == 1).all()
    assert set(rows["fold"]) == {0, 1, 2}
    with pytest.raises(InputError, match="expected at least 2 patients"):
        parts_of(cases[:1], Folds())
