"""A small cohort goes through every step, none of which refuses what another can use, and its report says what could not be estimated and why."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.cli import main

from .corruptions import Text
from .small_cohort import few_patients, measured, predicted, tables_to_prompts
from .study import change

pytestmark = pytest.mark.slow
NO_REGIMEN = "Not estimated: none of"
ONE_CLASS = "Not estimated: the evaluable cases are none of them responders"
NOBODY = "Not estimated: no evaluable case has a score"
NO_COMPARISON = "not estimated: no responders or no others among the evaluable cases that both have scored"
NO_LEAKAGE = "not estimated: no fold has 10 responders and 10 others"


def as_it_is(study: Path) -> None:
    """Nothing is taken away."""


def without_scans(study: Path) -> None:
    (study / "data_timeline_progression.txt").unlink()


def without_survival(study: Path) -> None:
    for name in (b"OS_MONTHS", b"OS_STATUS"):
        change(study / "data_clinical_patient.txt", name, lambda cell, number: b"")


def nobody_responds(study: Path) -> None:
    path = study / "data_timeline_progression.txt"
    at = Text(path).header.index(b"PROGRESSION")
    assert at
    change(path, b"PROGRESSION", lambda cell, number: b"Y")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = tmp_path_factory.mktemp("clean") / "study"
    assert main(["twin", "--patients", "60", "--seed", "5", "--processes", "1", "--out", str(study)]) == 0
    return study


@pytest.mark.parametrize(
    ("patients", "folds", "edit", "said"),
    [
        (25, 2, as_it_is, (NO_REGIMEN, NO_LEAKAGE)),
        (12, 5, as_it_is, (NO_REGIMEN, NO_LEAKAGE)),
        (25, 2, nobody_responds, (ONE_CLASS, NO_REGIMEN, NO_COMPARISON, NO_LEAKAGE)),
        (12, 2, without_scans, (NOBODY, NO_REGIMEN, NO_COMPARISON, NO_LEAKAGE)),
        (12, 2, without_survival, (NOBODY, NO_REGIMEN, "no regimen has a case with follow-up", "kfold: no case has follow-up")),
    ],
)
def test_a_small_cohort_ends_with_a_report_that_says_what_could_not_be_estimated(
    patients: int, folds: int, edit: Callable[[Path], None], said: tuple[str, ...], clean: Path, tmp_path: Path
) -> None:
    study, results = few_patients(clean, tmp_path / "study", patients), tmp_path / "results" / "small"
    edit(study)
    tables_to_prompts(study, results, folds)
    cases = pd.read_parquet(results / "cases" / "cases.parquet")
    assert cases["patient_id"].nunique() == patients
    predicted(results, folds, is_split=edit not in (without_scans, without_survival))
    page = html.unescape(re.sub(r"<[^>]+>", " ", measured(results).read_text(encoding="utf-8")))
    for words in said:
        assert words in " ".join(page.split())


def test_fewer_patients_than_folds_are_refused_in_one_line_that_names_the_setting(
    clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, results = few_patients(clean, tmp_path / "study", 3), tmp_path / "results"
    assert main(["ingest", str(study), "--out", str(results / "tables")]) == 0
    capsys.readouterr()
    assert main(["cases", str(results / "tables"), "--out", str(results / "cases")]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert lines == ["error: folds.folds: expected at most 3, the number of patients, found 5"]
