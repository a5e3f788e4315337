"""Prompts of a task: only its fields, within the budget, and nothing of the answer. A leak is planted for every task."""

import json
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.tasks.prompts import audit, fitted, main, rendered
from oncoraft.tasks.registry import declared, task_of

from . import cohort

ANSWERS = {
    "radiation_regimen": ("60 Gy in 30 fractions", "planned: 60 Gy in 30 fractions"),
    "modality": ("proton", "referred for protons"),
    "icd10": ("C34.3", "histology: adenocarcinoma"),
    "drug_regimen": ("Drugs: carboplatin (platinum); pemetrexed (antifolate)", "mechanism of pemetrexed: blocks folate"),
    "radiation_start": ("soon", "radiation course begins next week"),
}


@pytest.mark.parametrize("kind", sorted(ANSWERS))
def test_a_planted_answer_ends_the_step_and_nothing_is_written(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from oncoraft.planning.edge import run

    answer, planted = ANSWERS[kind]
    field = "histology"
    if kind == "icd10":
        # The code in the words themselves is taken out; left in, as a task without scrubbing would, it is found.
        task = task_of(kind)
        with pytest.raises(InputError, match=r"expected nothing of the answer in the prompt, found 'c343'"):
            audit(task, [{"case_id": "P-1_0", "input": "Histology: adenocarcinoma c343", "output": answer}])
        return
    cohort.cases_of(kind, {"P-1_0": answer}).to_parquet(tmp_path / "cases.parquet")
    cohort.evidence({"P-1_0": [(field, "histology: adenocarcinoma")]}).to_parquet(tmp_path / "clean.parquet")
    cohort.evidence({"P-1_0": [(field, planted)]}).to_parquet(tmp_path / "leaking.parquet")
    written = ["--out", str(tmp_path / "out/prompts.jsonl"), "--audit", str(tmp_path / "out/audit.json"), *cohort.settings(kind)]
    assert run(main, [str(tmp_path), "--evidence", str(tmp_path / "leaking.parquet"), *written]) == 2
    assert f"task {kind}, case P-1_0: expected nothing of the answer in the prompt" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert run(main, [str(tmp_path), "--evidence", str(tmp_path / "clean.parquet"), *written]) == 0
    assert json.loads((tmp_path / "out/audit.json").read_text())["passed"]


@pytest.mark.parametrize(
    ("text", "leaks"),
    [
        ("Carboplatin (platinum agent)", True),  # as the evidence writes a drug that starts
        ("Drugs: cisplatin (platinum); pemetrexed (antifolate)", True),  # and in brief
        ("Prior treatment: earlier pemetrexed; earlier carboplatin", False),
        ("Treatment about to start: pemetrexed", True),
        ("Carboplatin (114 days before treatment)", False),  # and one of the past
        ("Line 1, carboplatin + pemetrexed (begun 200 days before treatment)", False),
    ],
)
def test_a_drug_of_the_past_may_be_told_and_one_that_starts_may_not(text: str, leaks: bool) -> None:
    rows = [{"case_id": "P-1_0", "input": f"Sex: male\n{text}", "output": "Drugs: carboplatin (platinum); pemetrexed (antifolate)"}]
    if leaks:
        with pytest.raises(InputError, match="expected nothing of the answer"):
            audit(task_of("drug_regimen"), rows)
    else:
        assert audit(task_of("drug_regimen"), rows)["passed"]


def test_every_task_on_tables_has_a_leak_planted_here() -> None:
    assert set(ANSWERS) == {kind for kind, task in declared().items() if task.source != "file"}


def test_a_code_is_taken_out_of_the_diagnosis_however_it_is_spelled_and_counted() -> None:
    told = [("histology", "histology: adenocarcinoma (M8140/3 | C343)"), ("primary_site", "primary site: lung c34.3, lower lobe")]
    prompts, counts = rendered(task_of("icd10"), cohort.cases_of("icd10", {"P-1_0": "C34.3"}), cohort.evidence({"P-1_0": told}), 1000)
    assert prompts[0]["input"] == "Histology: adenocarcinoma\nPrimary site: lung, lower lobe"
    assert counts["statements_scrubbed"] == 2


def test_a_field_that_the_task_does_not_declare_stays_out_and_a_silent_case_is_counted() -> None:
    evidence = cohort.evidence({"P-1_0": [("drug", "pemetrexed (antifolate)"), ("sex", "sex: male")], "P-2_0": [("drug", "letrozole")]})
    cases = cohort.cases_of("drug_regimen", {"P-1_0": "pemetrexed", "P-2_0": "letrozole", "P-3_0": "letrozole"})
    prompts, counts = rendered(task_of("drug_regimen"), cases, evidence, 1000)
    assert [row["input"] for row in prompts] == ["Sex: male"]
    assert counts["cases_without_evidence"] == 2


def test_the_budget_cuts_the_lowest_priority_first_and_the_last_among_equals() -> None:
    lines, priorities = ["a" * 30, "b" * 30, "c" * 30, "d" * 30], [100, 50, 50, 40]
    assert fitted(lines, priorities, "", 1000) == [0, 1, 2, 3]
    assert fitted(lines, priorities, "", 30) == [0, 1]
    assert fitted(lines, priorities, "", 1) == [0]


def test_in_brief_a_section_is_a_line_of_brief_forms_with_the_site_and_without_passengers_or_codes() -> None:
    told = [
        ("cancer_type", "prostate cancer", "prostate cancer", "diagnosis"),
        ("primary_site", "prostate gland (C619)", "primary site: prostate gland (C619)", "diagnosis"),
        ("age_at_index", "67", "age 60 to 69", "patient"),
        ("mutation", "BRCA2 K3326*", "BRCA2 K3326*", "genomics"),
        ("mutation", "SOX2 W489Y", "SOX2 W489Y", "genomics"),
        ("surgery", "procedure", "a procedure 12 days before treatment", "prior_treatment"),
    ]
    columns = ["case_id", "order", "priority", "field", "value", "text", "section"]
    evidence = pd.DataFrame([["P-1_0", number, 50, *row] for number, row in enumerate(told)], columns=columns)
    cases = cohort.cases_of("drug_regimen", {"P-1_0": "Drugs: olaparib (PARP inhibitor)"})
    prompts, _ = rendered(task_of("drug_regimen"), cases, evidence, 1000, "compact")
    assert prompts[0]["input"] == "Diagnosis: prostate cancer; prostate gland (C619)\nPatient: age 60 to 69\nGenomics: BRCA2 K3326*"
    prompts, counts = rendered(task_of("icd10"), cohort.cases_of("icd10", {"P-1_0": "C61"}), evidence, 1000, "compact")
    assert prompts[0]["input"] == "Diagnosis: prostate gland\nPatient: age 60 to 69"
    assert counts["statements_scrubbed"] == 1


def test_what_a_groups_own_inputs_hold_is_counted_and_not_refused() -> None:
    rows = [{"case_id": "A_1", "input": "photon beam", "output": "photon"}, {"case_id": "B_1", "input": "a case", "output": "photon"}]
    assert audit(task_of("file"), rows)["prompts_that_hold_their_answer"] == 1
