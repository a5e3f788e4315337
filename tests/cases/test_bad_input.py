"""Bad input from the command line: status 2, one line on standard error, nothing written."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.cases import build, flow, folds, followup, label_truth, labels, regimens
from oncoraft.planning.edge import run

from .test_flow import study


def said(capsys: pytest.CaptureFixture[str], main: Callable, *words: object) -> str:
    """What a step that refuses its input prints; it has to end with status 2 and one line."""
    capsys.readouterr()
    assert run(main, [str(word) for word in words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


def settings(**blocks: dict) -> list[str]:
    return ["--settings", json.dumps(blocks)]


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    (tmp_path / "tables").mkdir()
    return study(tmp_path / "tables")


@pytest.mark.parametrize(
    ("block", "values", "message"),
    [
        ("regimens", {"gap_days": 5}, "regimens: gap_days: expected at least 28, as combination_window_days says, found 5"),
        ("regimens", {"combination_window_days": 0}, "regimens.combination_window_days: expected greater than or equal to 1, found 0"),
        ("labels", {"window_days": 0}, "labels.window_days: expected greater than or equal to 1, found 0"),
        ("labels", {"lag_days": 30, "window_days": 30}, "labels: window_days: expected more than 30, as lag_days says, found 30"),
        ("folds", {"folds": 3}, "folds.folds: expected at most 2, the number of patients, found 3"),
        ("folds", {"designs": ["kfolds"]}, "folds.designs.0: expected 'kfold', 'kfold_stratified', 'leave_cancer_out' or 'panel_era'"),
        ("followup", {"at_next_regimen": "stop"}, "followup.at_next_regimen: expected 'ignore', 'censor' or 'event', found 'stop'"),
    ],
)
def test_contradicting_settings(
    tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], block: str, values: dict, message: str
) -> None:
    given = settings(**({"folds": {"folds": 2, "seed": 8}} | {block: values}))
    assert said(capsys, build.main, tables, "--out", tmp_path / "cases", *given).startswith(message)
    assert not (tmp_path / "cases" / "folds.parquet").exists()


def test_an_unknown_agent_is_refused_with_its_line(tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = pd.read_parquet(tables / "timeline_treatment.parquet")
    rows.loc[rows["agent"] == "ERIBULIN", "agent"] = "ERIBULINE"
    rows.to_parquet(tables / "timeline_treatment.parquet")
    line = said(capsys, regimens.main, tables, "--out", tmp_path / "cases", *settings(regimens={"unknown_agents": "refuse"}))
    assert line == (
        "data_timeline_treatment.txt, line 3, column AGENT: expected an agent of the drug table; did you mean 'ERIBULIN'?, found 'ERIBULINE'"
    )
    assert not (tmp_path / "cases").exists()


@pytest.mark.parametrize("main", [labels.main, followup.main, flow.main])
def test_steps_without_cases_name_the_step_that_writes_them(
    tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], main: Callable
) -> None:
    assert "cases.parquet: expected a table written by `oncoraft regimens`" in said(capsys, main, tables, tmp_path / "none")


def test_folds_and_truth_without_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "cases.parquet: expected a table written by `oncoraft regimens`" in said(capsys, folds.main, tmp_path)
    assert "cases.parquet: expected a table written by `oncoraft regimens`" in said(
        capsys, label_truth.main, tmp_path, "--truth", tmp_path / "t.parquet"
    )


def test_a_failed_step_leaves_what_was_there(tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "cases"
    given = settings(folds={"folds": 2, "seed": 8})
    assert run(build.main, [str(tables), "--out", str(out), *given]) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert said(capsys, folds.main, out, *settings(folds={"folds": 9})).startswith("folds.folds: expected at most 2")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_equal_input_gives_equal_bytes(tables: Path, tmp_path: Path) -> None:
    given = settings(folds={"folds": 2, "seed": 8, "designs": ["kfold", "kfold_stratified"]})
    for name in ("one", "two"):
        assert run(build.main, [str(tables), "--out", str(tmp_path / name), *given]) == 0
    for path in (tmp_path / "one").iterdir():
        one, two = path.read_bytes(), (tmp_path / "two" / path.name).read_bytes()
        assert (json.loads(one) == json.loads(two)) if path.suffix == ".json" else one == two, path.name
