"""Another centre's study - another cancer, fewer tables, other ids, file names, words and extra columns - up to prompts."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.cases.build import main as cases
from oncoraft.cohort.ingest import main as ingest
from oncoraft.prompts.build import main as prompts

PATIENTS = 40
DRUGS = (("Gemcitabine", "Cisplatin"), ("Pembrolizumab",), ("Carboplatin", "Gemcitabine"), ("Docetaxel",))


def tsv(path: Path, header: list[str], rows: list[list[object]], comments: int = 0) -> None:
    lines = [*("#" + "\t".join(header) for _ in range(comments)), "\t".join(header), *("\t".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def bladder_study(folder: Path) -> Path:
    """Forty patients, everything from their number: follow-up 200 to 980 days, a regimen at day 10, scans every 60 days."""
    folder.mkdir(parents=True)
    numbers = range(1, PATIENTS + 1)
    ids = {number: f"URO_{number:03d}" for number in numbers}
    days = {number: 200 + 20 * (number - 1) for number in numbers}
    tsv(
        folder / "DATA_CLINICAL_PATIENT.txt",
        ["PATIENT_ID", "SEX", "SMOKER", "OS_STATUS", "OS_MONTHS"],
        [
            [ids[n], "male" if n % 3 else "female", "former", "DECEASED" if n % 2 else "LIVING", round(days[n] / 30.4375, 6)]
            for n in numbers
        ],
        comments=5,
    )
    tsv(
        folder / "data_clinical_sample.txt",
        ["SAMPLE_ID", "PATIENT_ID", "CANCER_TYPE", "CANCER_TYPE_DETAILED", "PURITY_BY_EYE"],
        [[f"{ids[n]}.T1", ids[n], "Bladder Cancer", "Bladder Urothelial Carcinoma", 40] for n in numbers],
    )
    tsv(
        folder / "data_timeline_specimen.txt",
        ["PATIENT_ID", "START_DATE", "STOP_DATE", "EVENT_TYPE", "SPECIMEN_TYPE", "SAMPLE_ID"],
        [[ids[n], 0, "", "SEQUENCING", "biopsy", f"{ids[n]}.T1"] for n in reversed(numbers)],
    )
    treatment = [
        [ids[n], 10 if step == 0 else 130, 100 if step == 0 else 180, "TREATMENT", "Medical Therapy", drug, "q3w"]
        for n in numbers
        for step in range(2)
        for drug in DRUGS[(n + step) % len(DRUGS)]
    ]
    header = ["PATIENT_ID", "START_DATE", "STOP_DATE", "EVENT_TYPE", "TREATMENT_TYPE", "AGENT", "SCHEDULE"]
    tsv(folder / "data_timeline_treatment.txt", header, treatment)
    scans = [
        [ids[n], day, "", "Diagnosis", "CT", "Y" if (n + day // 60) % 3 == 0 else "N"] for n in numbers for day in range(-30, days[n], 60)
    ]
    tsv(
        folder / "data_timeline_progression.txt",
        ["PATIENT_ID", "START_DATE", "STOP_DATE", "EVENT_TYPE", "PROCEDURE_TYPE", "PROGRESSION"],
        scans,
    )
    tsv(
        folder / "data_mutations_extended.txt",
        ["Hugo_Symbol", "Tumor_Sample_Barcode", "Variant_Classification", "HGVSp_Short", "Start_Position", "VAF"],
        [["FGFR3", f"{ids[n]}.T1", "Missense_Mutation", "p.S249C", "1.8e+06", 0.3] for n in numbers if n % 4 == 0],
    )
    (folder / "meta_mutations_extended.txt").write_text(
        "cancer_study_identifier: uro_example\ngenetic_alteration_type: MUTATION_EXTENDED\ndatatype: MAF\ndata_filename: data_mutations_extended.txt\n"
    )
    (folder / "meta_study.txt").write_text("cancer_study_identifier: uro_example\nname: Bladder cancer of another centre\n")
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("second")
    bladder_study(folder / "study")
    assert ingest([str(folder / "study"), "--out", str(folder / "tables")]) == 0
    assert cases([str(folder / "tables"), "--out", str(folder / "cases")]) == 0
    assert prompts([str(folder / "tables"), str(folder / "cases"), "--out", str(folder / "prompts.jsonl")]) == 0
    return folder


def test_its_tables_are_read_by_name_and_the_rest_is_reported(results: Path) -> None:
    ledger = pd.read_parquet(results / "tables" / "ledger.parquet").set_index("table")
    read = ledger[ledger["status"] == "read"]
    names = {"clinical_patient", "clinical_sample", "mutations", "timeline_specimen", "timeline_treatment", "timeline_progression"}
    assert set(read.index) == names
    assert (read["rows_refused"].sum(), read["rows_duplicate"].sum()) == (0, 0)
    assert read.loc["mutations", "file"] == "data_mutations_extended.txt"
    assert read.loc["clinical_patient", "file"] == "DATA_CLINICAL_PATIENT.txt"
    assert list(read.loc["timeline_treatment", "ignored_columns"]) == ["TREATMENT_TYPE", "SCHEDULE"]
    checks = json.loads((results / "tables" / "checks.json").read_text())
    assert checks["study"]["identifier"] == "uro_example"
    assert checks["study"]["release"] is None
    assert checks["months_to_days"]["chosen"] == "365.25/12"  # 30.4375 days
    assert len(checks["tables_absent"]) == len(ledger) - len(names)


def test_its_values_are_those_that_were_written(results: Path) -> None:
    patients = pd.read_parquet(results / "tables" / "clinical_patient.parquet")
    assert patients["os_days"].tolist() == [200 + 20 * number for number in range(PATIENTS)]
    assert patients["is_deceased"].sum() == PATIENTS // 2
    assert set(patients["gender"]) == {"Male", "Female"}
    mutations = pd.read_parquet(results / "tables" / "mutations.parquet")
    assert (len(mutations), mutations["start_position"].unique().tolist()) == (10, [1_800_000])


def test_its_cases_and_prompts_are_made(results: Path) -> None:
    found = pd.read_parquet(results / "cases" / "cases.parquet")
    assert len(found) == 2 * PATIENTS
    assert set(found["cancer_type"]) == {"Bladder Cancer"}
    assert "cisplatin-gemcitabine" in set(found["regimen"])
    labels = pd.read_parquet(results / "cases" / "labels.parquet")
    strict = labels[labels["definition"] == "strict"]
    assert strict["responder"].notna().any()
    lines = [json.loads(line) for line in (results / "prompts.jsonl").read_text().splitlines()]
    assert {line["case_id"] for line in lines} == set(found["case_id"])
    text = next(line["input"] for line in lines if line["case_id"].startswith("URO_004_"))
    assert "Bladder" in text
    assert "FGFR3" in text
    assert "URO_" not in text
