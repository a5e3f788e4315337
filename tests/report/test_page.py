"""Numbers as a reader sees them: with intervals, denominators, and never an empty cell or a markup accident."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.report import calibration, figures
from oncoraft.report.calibration import calibration_rows
from oncoraft.report.checks import of_run
from oncoraft.report.collect import FRAMES, Run, read_json, read_runs
from oncoraft.report.discrimination import comparability_table, predictor_rows
from oncoraft.report.headline import lines_of
from oncoraft.report.small_cells import Guard
from oncoraft.report.subgroups import breakdown_table
from oncoraft.report.summary import headline_rows
from oncoraft.report.survival import regimens
from oncoraft.report.tables import Data, Table, number, p_value, plain, records, share, span
from tests.report import made


@pytest.mark.parametrize(("value", "said"), [(None, "–"), (float("nan"), "–"), (0.0004, "< 0.001"), (0.0314, "0.031")])
def test_p_values_are_written_one_way(value: float | None, said: str) -> None:
    assert p_value(value) == said


def test_estimates_carry_their_interval_and_counts_their_whole() -> None:
    assert span({"estimate": -0.5, "lower": -0.75, "upper": -0.25}, "estimate", digits=2) == "-0.50 (-0.75 to -0.25)"
    assert span({"estimate": None, "lower": None, "upper": None}, "estimate") == "–"
    assert share(1065, 1487) == "1,065 of 1,487 (72%)"
    assert share(0, 0) == "0 of 0"
    assert number(1234.5678, 1) == "1234.6"


def test_missing_cells_are_dashes_and_headings_are_words() -> None:
    told = plain(Data("any", [{"a_b": "<script>", "c": None, "d": True, "e": 12345}]))
    assert texts(told) == [["<script>", "–", "yes", "12,345"]]
    assert told.columns[0].title == "a b"
    assert [told.columns[place].is_text for place in (1, 3)] == [False, False]
    assert [cell.value for cell in told.rows[0]] == ["", "", "", "12345"]
    assert plain(Data("none", [])).rows == []


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_whole_numbers_stay_whole_in_the_files_where_some_are_missing() -> None:
    frame = Data("any", [{"n": 3, "share": 0.5}, {"n": None, "share": 1}]).frame
    assert frame.to_csv(index=False).splitlines() == ["n,share", "3,0.5", ",1.0"]


def record(predictor: str, metric: str, scope: str, estimate: float | None, **more: object) -> dict[str, object]:
    base = {"predictor": predictor, "reference": None, "metric": metric, "scope": scope, "group": None, "lower": 0.6, "upper": 0.8}
    return base | {"estimate": estimate, "n": 100, "events": 30, "patients": 90} | more


@pytest.fixture
def run() -> Run:
    metrics = [record(name, "auroc", "mean_of_folds", 0.7) for name in ("model", "regimen_prior")]
    metrics += [record("model", "auroc_difference", "mean_of_folds", 0.1, reference="regimen_prior", lower=0.05, upper=0.15)]
    metrics += [record("model", "auroc", "cancer_type", 0.71, group="A"), record("model", "auroc", "cancer_type", 0.69, group="B")]
    metrics += [record("regimen_prior", "auroc", "cancer_type", 0.6, group="A")]
    metrics += [
        record("model", name, "recalibrated", 1.0, lower=None) for name in ("calibration_slope", "calibration_in_the_large", "brier")
    ]
    metrics += [record("model", n, "recalibrated", 1.0) for n in ("observed_to_expected", "integrated_calibration_index", "scaled_brier")]
    curve = pd.DataFrame(
        {"predictor": "model", "probability": np.linspace(0.1, 0.9, 5), "observed": np.linspace(0.2, 0.8, 5), "n": 20, "responders": 6}
    )
    decision = pd.DataFrame(
        {"predictor": "model", "threshold": [0.1, 0.2], "net_benefit": [0.2, 0.1], "lower": 0.0, "upper": 0.3, "treat_all": [0.2, 0.0]}
    )
    return Run("m", "raft", "kfold", metrics, pd.DataFrame(), curve, decision, {}, pd.DataFrame(), [])


def test_every_predictor_has_a_row_with_the_lead_of_the_model_and_its_denominators(run: Run) -> None:
    first, second = predictor_rows(run)
    assert first["lead"] is None
    assert (second["lead"], second["lead_lower"], second["lead_upper"]) == (0.1, 0.05, 0.15)
    assert (second["cases"], second["responders"]) == (100, 30)
    assert first["within_regimen"] is None


def test_numbers_that_others_publish_say_of_how_many_resamples_their_intervals_are(run: Run) -> None:
    row = {
        "predictor": "model",
        "rule": "fixed at 0.5",
        "lowest_threshold": 0.5,
        "highest_threshold": 0.5,
        "measure": "f1",
        "estimate": 0.4,
    }
    row |= {"lower": 0.3, "upper": 0.5, "n": 100, "events": 30, "flags": "interval of the 90 of 100 resamples that have a value"}
    shown = comparability_table(dataclasses.replace(run, comparability=pd.DataFrame([row])), 1)
    assert shown.columns[-1].title == "note"
    assert [row["flags"] for row in shown.data.rows] == ["f1: interval of the 90 of 100 resamples that have a value"]


def test_a_predictor_without_a_group_gets_a_dash(run: Run) -> None:
    table = breakdown_table(run, "cancer_type", 1, "By cancer type")
    assert [column.title for column in table.columns] == ["predictor", "A (30 of 100)", "B (30 of 100)"]
    assert [row[2] for row in texts(table)] == ["0.69 (0.60 to 0.80)", "–"]


def test_calibration_has_a_row_a_predictor_and_scale(run: Run) -> None:
    delivered = dataclasses.replace(run, metrics=[*run.metrics, record("model", "calibration_slope", "as_delivered", 0.77)])
    slopes = {row["scores"]: [row[f"calibration_slope{end}"] for end in ("", "_lower")] for row in calibration_rows(delivered)}
    assert slopes == {"recalibrated": [1.0, None], "as delivered": [0.77, 0.6]}


SURVIVAL = {
    "regimens": [],
    "skipped": [],
    "cancer_types": [],
    "counts": {"attempted": 0, "tested": 0},
    "settings": {"horizons_months": [12], "alpha": 0.05, "minimum_events": 20, "powered_events": 128},
    "statement": "",
    "direction": "",
    "summary": {"adjusted": None, "adjusted_per_sd": None},
    "endpoint": "overall_survival",
    "anchor": "index",
    "further_endpoints": [],
}
NOTHING_HIDDEN = Guard(1)


def of_folds(run: Run, design: str, folds: int) -> Run:
    metrics = [row for row in run.metrics if row["scope"] != "recalibrated"]
    metrics += [record("model", "auroc", "fold", 0.7, group=str(k)) for k in range(folds)]
    metrics += [row | {"scope": "as_scored"} for row in run.metrics if row["scope"] == "recalibrated"]
    roc = pd.DataFrame({"predictor": "model", "fold": 0, "false_positive_rate": [0.0, 1.0], "true_positive_rate": [0.0, 1.0]})
    return dataclasses.replace(run, design=design, metrics=metrics, roc=roc, survival=SURVIVAL)


def test_a_single_fold_is_told_to_be_cut_and_calibrated_as_it_is(run: Run) -> None:
    alone, five = of_folds(run, "panel_era", 1), run
    assert "score of 0.5" in regimens(alone, NOTHING_HIDDEN, 1)["cut"]
    drawn = calibration.measured(alone, NOTHING_HIDDEN, 1)
    assert drawn["delivered"] is None
    assert "score as delivered" in drawn["recalibrated"].caption
    assert [row["scores"] for row in calibration_rows(alone)] == ["as delivered"]
    assert "median score of the other folds" in regimens(of_folds(run, "kfold", 5), NOTHING_HIDDEN, 1)["cut"]
    assert "recalibrated" in calibration.measured(five, NOTHING_HIDDEN, 1)["recalibrated"].caption


def test_the_page_says_which_endpoint_it_follows_and_from_which_day(run: Run) -> None:
    later = SURVIVAL | {"endpoint": "time_to_next_treatment", "anchor": "sequencing"}
    shown = regimens(dataclasses.replace(of_folds(run, "kfold", 5), survival=later | {"further_endpoints": [SURVIVAL]}), NOTHING_HIDDEN, 1)
    assert (shown["endpoint"], shown["anchor"]) == ("time to next treatment", "first sequencing")
    assert [row[:3] for row in texts(shown["endpoints"])] == [["time to next treatment", "0", "0"], ["overall survival", "0", "0"]]


def test_folds_that_differ_by_design_are_not_flagged_for_it(run: Run) -> None:
    apart = dataclasses.replace(run, survival=SURVIVAL, metrics=[*run.metrics, record("model", "auroc", "pooled", 0.5)])
    assert [row["state"] for row in of_run(apart, "") if row["what"] == "Pooling"] == ["flag"]
    assert [row for row in of_run(dataclasses.replace(apart, design="leave_cancer_out"), "") if row["what"] == "Pooling"] == []


def test_the_score_as_delivered_is_drawn_at_its_own_mean_where_the_bins_tell_it(run: Run) -> None:
    told = dataclasses.replace(run, calibration=run.calibration.assign(score=[0.5, 0.4, 0.3, 0.2, 0.1]))
    points = figures.by_score(Data("calibration", records(told.calibration)))
    assert [point["score"] for point in points] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert points[0]["observed"] == pytest.approx(0.8)
    drawn = calibration.measured(told, NOTHING_HIDDEN, 1)["delivered"]
    assert "mean score as delivered" in drawn.caption
    assert calibration.measured(run, NOTHING_HIDDEN, 1)["delivered"] is None


def test_figures_are_the_same_bytes_every_time(run: Run) -> None:
    data = Data("decision", records(run.decision))
    drawn = figures.decision(run, data, 1)
    assert drawn is not None
    assert str(drawn.svg).startswith("<svg")
    assert drawn.svg == figures.decision(run, data, 1).svg  # type: ignore[union-attr]


def test_a_folder_without_metrics_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="metrics"):
        read_runs(tmp_path)
    (tmp_path / "flow.json").write_text('{"a": \n,}')
    with pytest.raises(InputError, match="line 2"):
        read_json(tmp_path / "flow.json")
    (tmp_path / "flow.json").write_text(json.dumps([1]))
    assert read_json(tmp_path / "flow.json") == [1]
    assert read_json(tmp_path / "none.json") is None


def test_only_the_runs_asked_for_are_read(tmp_path: Path) -> None:
    for strategy in ("raft", "older"):
        home = tmp_path / "m" / strategy / "kfold"
        for name in ("metrics", "survival"):
            (home / name).mkdir(parents=True)
        (home / "predictions.jsonl").write_text('{"rationale": null}\n')
        (home / "metrics" / "metrics.json").write_text("[]")
        (home / "survival" / "survival.json").write_text("{}")
        for name in FRAMES:
            (home / "metrics" / f"{name}.csv").write_text("predictor\n")
        pd.DataFrame().to_parquet(home / "survival" / "curves.parquet")
    wanted = tmp_path / "m" / "raft" / "kfold" / "metrics" / "metrics.json"
    assert [run.name for run in read_runs(tmp_path, [wanted])] == ["m · raft · kfold"]
    assert len(read_runs(tmp_path)) == 2
    with pytest.raises(InputError, match="other"):
        read_runs(tmp_path, [tmp_path / "other"])


def test_a_run_without_a_shown_regimen_has_no_table_of_them() -> None:
    counts = dict.fromkeys(("attempted", "shown", "tested", "significant"), 0)
    one = {"run": "m", "auroc": [], "share_of_oracle_lift": None, "counts": counts, "regimens": []}
    assert lines_of(one)[-1].strip().startswith("survival: 0 regimens attempted")


def test_the_terminal_leads_with_the_increment_and_has_the_raw_ratio_beside_and_drops_no_regimen() -> None:
    counts = {"attempted": 12, "shown": 11, "tested": 2, "significant": 1}
    rows = [made.regimen(f"Drug {k}", "Colon Cancer") for k in range(11)]
    rows[1] |= dict.fromkeys(("adjusted_hazard_ratio", "adjusted_lower", "adjusted_upper", "q"))
    lead = {"reference": "clinical_logistic", "metric": "auroc_difference", "estimate": -0.02, "lower": -0.05, "upper": 0.01}
    one = {"run": "m", "auroc": [], "share_of_oracle_lift": None, "counts": counts, "regimens": rows, "verdict": None}
    one["leads"] = [lead, lead | {"metric": "auroc_within_regimen_difference", "estimate": 0.03}]
    one["pooled"] = {"regimens": 3, "hazard_ratio": 1.13, "lower": 0.9, "upper": 1.4, "prediction_lower": 0.8, "prediction_upper": 1.5}
    lines = lines_of(one)
    assert "-0.020 (-0.050 to +0.010) over all cases; +0.030 (-0.050 to +0.010) within regimen" in lines[2]
    assert "over 3 tested regimens: 1.13 (0.90-1.40), a further regimen 0.80-1.50" in lines[5]
    assert lines[6].split() == [
        "regimen,",
        "cancer",
        "type",
        "cases",
        "events",
        "adjusted",
        "HR,",
        "low",
        "vs",
        "high",
        "gain",
        "p",
        "q",
        "raw",
        "HR,",
        "low",
        "vs",
        "high",
    ]
    assert lines[7].split() == ["Drug", "0,", "Colon", "75", "40", "1.50", "(0.90-2.50)", "0.01", "0.04", "1.50", "(0.90-2.50)"]
    assert lines[8].split() == ["Drug", "1,", "Colon", "75", "40", "–", "0.01", "–", "1.50", "(0.90-2.50)"]
    assert (len(lines), lines[-1]) == (18, "  and 1 more, in the report")


def test_the_headline_table_names_each_run_and_what_they_are_all_held_against_once() -> None:
    def row(predictor: str, estimate: float) -> dict[str, object]:
        return {"predictor": predictor, "estimate": estimate, "lower": 0.4, "upper": 0.9, "n": 9, "events": 4, "patients": 8}

    runs = [
        {"run": "m · zero · kfold", "auroc": [row("model", 0.6), row("model_from_text", 0.5), row("regimen_prior", 0.65)]},
        {"run": "m · raft · kfold", "auroc": [row("model", 0.7), row("regimen_prior", 0.65)]},
        {"run": "m · raft · panel_era", "auroc": [row("model", 0.55), row("regimen_prior", 0.62)]},
    ]
    said = [(found["run"], found["predictor"], found["estimate"]) for found in headline_rows({"runs": runs})]
    assert said == [
        ("m · raft · kfold", "model", 0.7),
        ("m · zero · kfold", "model", 0.6),
        ("m · zero · kfold", "model_from_text", 0.5),
        ("m · raft · panel_era", "model", 0.55),
        ("any model · kfold", "regimen_prior", 0.65),
        ("any model · panel_era", "regimen_prior", 0.62),
    ]
    assert [found["run"] for found in headline_rows({"runs": runs[:1]})] == ["m · zero · kfold"] * 3
