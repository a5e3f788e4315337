"""Cases and what is made of them, of a whole study, from its files: the same bytes however many patients are worked through at a time."""

import json
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.cases import flow, folds, followup, labels, regimens
from oncoraft.cases.tables import read_tables
from oncoraft.cohort.ingest import main as ingest
from oncoraft.foundation import ranges
from oncoraft.foundation.errors import InputError
from oncoraft.planning.config import Labels, Regimens
from oncoraft.twin.twin import main as twin


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    twin(["--out", str(folder / "study"), "--patients", "60", "--seed", "3"])
    ingest([str(folder / "study"), "--out", str(folder / "tables")])
    # Agents that the drug table lacks take the class of their first row, whoever's it is.
    path = folder / "tables" / "timeline_treatment.parquet"
    rows = pd.read_parquet(path)
    rows.loc[rows["patient_id"].isin(rows["patient_id"].unique()[::3]) & (rows["start_day"] > 0), "agent"] = "NOVELIMAB"
    rows.to_parquet(path, index=False)
    return folder


def test_how_many_patients_are_in_a_range_changes_no_byte(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = json.dumps({"cohort_filter": {"cancer_types": ["Breast Cancer", "Non-Small Cell Lung Cancer", "Colorectal Cancer"]}})
    written = set()
    for patients in (3, 11, 10**9):
        monkeypatch.setattr(ranges, "PATIENTS", patients)
        assert regimens.main([str(study / "tables"), "--out", str(study / "cases"), "--settings", limits]) == 0
        for step in (labels, followup):
            assert step.main([str(study / "tables"), str(study / "cases")]) == 0
        assert folds.main([str(study / "cases")]) == 0
        assert flow.main([str(study / "tables"), str(study / "cases")]) == 0
        written.add(tuple(path.read_bytes() for path in sorted((study / "cases").iterdir())))
    assert len(written) == 1


def test_the_flow_counts_ranges_of_whose_cases_each_has_a_scan_or_not_each(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = study / "of_each"
    some = json.dumps({"cohort_filter": {"cancer_types": ["Breast Cancer"]}})
    assert regimens.main([str(study / "tables"), "--out", str(out), "--settings", some]) == 0
    for step in (labels, followup):
        assert step.main([str(study / "tables"), str(out)]) == 0
    assert folds.main([str(out)]) == 0
    written = set()
    for patients in (1, 10**9):
        monkeypatch.setattr(ranges, "PATIENTS", patients)
        assert flow.main([str(study / "tables"), str(out)]) == 0
        written.add((out / "flow.json").read_bytes())
    assert len(written) == 1


def test_ranges_give_what_the_whole_cohort_gives(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "PATIENTS", 7)
    out = study / "whole"
    assert regimens.main([str(study / "tables"), "--out", str(out)]) == 0
    assert labels.main([str(study / "tables"), str(out)]) == 0
    cases, counts = regimens.build(read_tables(study / "tables", regimens.COLUMNS, regimens.COLUMNS), Regimens())
    pd.testing.assert_frame_equal(pd.read_parquet(out / "cases.parquet"), cases, check_dtype=False)
    assert counts["unknown_agents"]["NOVELIMAB"] > 10
    told = json.loads((out / "cases.parquet.manifest.json").read_text(encoding="utf-8"))["counts"]
    assert told == counts | {"cohort_filter": {}}
    whole = labels.label(cases, read_tables(study / "tables", labels.COLUMNS, labels.COLUMNS), Labels())
    pd.testing.assert_frame_equal(pd.read_parquet(out / "labels.parquet"), whole.to_pandas())


def test_a_cohort_without_any_case_is_refused_whatever_the_range(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "PATIENTS", 7)
    nobody = json.dumps(
        {"cohort_filter": {"gene_panels": ["IMPACT341"], "cancer_types": ["Prostate Cancer"], "patients": str(tmp_path / "p")}}
    )
    first = pd.read_parquet(study / "tables" / "clinical_patient.parquet")["patient_id"][0]
    (tmp_path / "p").write_text(f"{first}\n", encoding="utf-8")
    with pytest.raises(InputError, match="expected at least one case within cohort_filter"):
        regimens.main([str(study / "tables"), "--out", str(tmp_path / "cases"), "--settings", nobody])
    assert not (tmp_path / "cases" / "cases.parquet").exists()
