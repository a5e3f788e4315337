"""Whether what the steps wrote adds up, counted without them: every row in one place, a flow that falls, one prompt a case."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as parquet

from oncoraft.cohort.accounts import COUNTS


def check_ledger(study: Path, tables: Path) -> None:
    """Every row of every file stands in exactly one place."""
    rejects, repeated = (parquet.read_table(tables / f"{name}.parquet").to_pylist() for name in ("rejects", "duplicates"))
    counts = json.loads((tables / "manifest.json").read_text())["counts"]
    for line in parquet.read_table(tables / "ledger.parquet").to_pylist():
        name = line["table"]
        assert line["rows_read"] == line["rows_kept"] + line["rows_refused"] + line["rows_duplicate"], line
        assert line["rows_refused"] == sum(row["table"] == name for row in rejects), f"{name}: rejects"
        assert line["rows_duplicate"] == sum(row["table"] == name for row in repeated), f"{name}: duplicates"
        assert counts[name] == {key: line[key] for key in COUNTS}, f"{name}: manifest"
        rows = parquet.read_metadata(tables / f"{name}.parquet").num_rows
        assert name == "cna" or rows == line["rows_kept"], f"{name}: {rows} rows in the file"
        if line["status"] == "read":
            rows = rows_in(study / line["file"])
            assert rows == line["rows_read"], f"{name}: {rows} rows in the source, {line['rows_read']} read"
    for path in tables.glob("*.parquet"):
        parquet.read_table(path)


def rows_in(path: Path) -> int:
    """Lines behind the header: counted without the reader."""
    lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    lines = lines[:-1] if lines[-1] == b"" else lines
    header = next(number for number, line in enumerate(lines) if line.strip() and not line.startswith(b"#"))
    return len(lines) - header - 1


def check_cases(tables: Path, folder: Path) -> None:
    """The flow falls from the patients of the clinical table to the labelled cases, and the parts are of the same cases."""
    parts = {name: parquet.read_table(folder / f"{name}.parquet").to_pandas() for name in ("cases", "labels", "followup", "folds")}
    cases, flow = parts["cases"], json.loads((folder / "flow.json").read_text())
    people = set(parquet.read_table(tables / "clinical_patient.parquet", columns=["patient_id"])["patient_id"].to_pylist())
    ids = set(cases["case_id"])
    assert len(ids) == len(cases), "a case twice"
    assert set(cases["patient_id"]) <= people, "a case of nobody"
    assert not cases[["case_id", "patient_id", "regimen", "cancer_type", "index_day"]].isna().any(axis=None), "a case without its name"
    assert flow["steps"][0]["patients"] == len(people), "the flow's first step"
    for before, after in zip(flow["steps"], flow["steps"][1:], strict=False):
        for unit in ("patients", "cases"):
            if before[unit] is not None:
                assert after[unit] <= before[unit], f"{after['name']} rises"
                assert before[unit] - after[unit] == after[f"excluded_{unit}"], f"{after['name']}: lost"
    assert flow["steps"][2]["cases"] == len(cases), "cases of the flow"
    definitions = parts["labels"].groupby("definition")["case_id"]
    assert all(set(one) == ids and len(one) == len(ids) for _, one in definitions), "labels of other cases"
    assert sum(flow["labels"][flow["definition"]].values()) == len(cases), "labels of the flow"
    assert not parts["followup"].duplicated(["case_id", "endpoint"]).any(), "a follow-up twice"
    assert set(parts["followup"]["case_id"]) <= ids, "follow-up of no case"
    assert (parts["followup"]["exit_days"] > parts["followup"]["entry_days"]).all(), "never at risk"
    assert set(parts["folds"]["case_id"]) == ids, "folds of other cases"
    assert parts["folds"].groupby(["design", "patient_id"])["fold"].nunique(dropna=False).eq(1).all(), "a patient in two folds"


def check_evidence(file: Path, cases: Path) -> None:
    """Statements of the cases, all of them, and of nobody else."""
    evidence = parquet.read_table(file).to_pandas()
    ids = set(parquet.read_table(cases / "cases.parquet", columns=["case_id"])["case_id"].to_pylist())
    assert set(evidence["case_id"]) == ids, "evidence of other cases"
    assert not evidence.duplicated(["case_id", "order"]).any(), "an order twice"
    assert not evidence["text"].str.contains(r"\bnan\b|<NA>|\bNone\b", regex=True).any(), "a missing value in words"


def check_prompts(file: Path, cases: Path) -> None:
    """One prompt a case."""
    ids = parquet.read_table(cases / "cases.parquet", columns=["case_id"])["case_id"].to_pylist()
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").removesuffix("\n").split("\n")]
    assert sorted(row["case_id"] for row in rows) == sorted(ids), "prompts of other cases"
