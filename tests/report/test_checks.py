"""The checks of the first screen: each can fail, and each limit is explained where it is shown and in the documents."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from oncoraft.report import checks
from oncoraft.report.collect import read_runs
from oncoraft.report.report import sources_of
from oncoraft.report.sections import Sources
from oncoraft.report.small_cells import Guard
from tests.report import made

DOCUMENT = Path(__file__).parents[2] / "docs" / "report.md"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return made.results(tmp_path / "results", "Drug", "Colon", "Chemo")


def sources(home: Path) -> Sources:
    return sources_of(home, read_runs(home), False, Guard(1))


def found(home: Path) -> tuple[str, str]:
    one = checks.folds(sources(home))
    return one["state"], one["text"]


def test_folds_are_told_to_be_disjoint_by_the_folds_themselves(home: Path) -> None:
    assert found(home) == ("pass", "kfold: 0 of 90 patients in more than one part")


@pytest.mark.parametrize("fold", [1, -1], ids=["held out twice", "trained on and held out"])
def test_a_patient_with_cases_on_both_sides_is_flagged(home: Path, fold: int) -> None:
    path = home / "cases" / "folds.parquet"
    folds = pd.read_parquet(path)
    again = folds.iloc[[0]].assign(case_id="P0_+9", fold=fold)
    pd.concat([folds, again]).to_parquet(path)
    assert found(home) == ("flag", "kfold: 1 of 90 patients in more than one part")


def test_a_patient_whom_a_model_trained_on_and_is_scored_on_is_flagged(home: Path) -> None:
    fold = home / "tiny" / "raft" / "kfold" / "fold-0"
    fold.mkdir()
    (fold / "training_patients.txt").write_text("P1\nP3\n")
    assert found(home)[0] == "pass"
    (fold / "training_patients.txt").write_text("P1\nP2\n")
    state, text = found(home)
    assert state == "flag"
    assert "1 in the training lists of 1 models" in text


def test_folds_that_are_not_at_hand_are_not_said_to_be_disjoint(home: Path) -> None:
    (home / "cases" / "folds.parquet").unlink()
    assert found(home)[0] == "none"


def test_every_check_says_why_its_limit_is_where_it_is_and_so_does_the_document(home: Path) -> None:
    told = checks.checks(sources(home))
    assert {one["what"] for one in told} <= set(checks.REASONS)
    assert all(one["why"] for one in told)
    rows = DOCUMENT.read_text(encoding="utf-8")
    assert [what for what, why in checks.REASONS.items() if f"| {what} | {why} |" not in rows] == []
