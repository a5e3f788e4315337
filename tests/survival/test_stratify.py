"""The step by hand: every bad row is refused in one line, what is absent is counted, and the increment leads."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from oncoraft.cli import main
from oncoraft.survival.records import no_ratio_reason
from oncoraft.survival.risk_sets import Subjects

N = 320


def write_study(folder: Path, seed: int = 1, leak: float = 0.0) -> dict[str, pd.DataFrame]:
    """Cases of two regimens of one cancer type, half of them sequenced later, with a score that knows the hazard."""
    draw = np.random.default_rng(seed)
    patient = [f"{number:05d}" for number in range(N)]
    own, advanced = draw.normal(size=N), draw.random(N) < 0.5
    entry = np.where(draw.random(N) < 0.5, draw.integers(1, 200, N), 0)
    hazard = 0.0015 * np.exp(0.6 * advanced - 0.8 * own + leak * (entry > 0))
    death, lost = entry + draw.exponential(1 / hazard), entry + draw.uniform(200, 1500, N)
    leave = np.floor(np.minimum(death, lost)).astype(int) + 1
    cases = pd.DataFrame({"case_id": [f"{name}-1" for name in patient], "patient_id": patient, "cancer_type": "Lung Cancer"})
    cases = cases.assign(regimen=np.where(np.arange(N) % 2, "a", "b"), index_day=-entry, line_of_therapy=draw.integers(1, 4, N))
    cases = cases.assign(regimen_name=cases["regimen"].str.upper(), drug_class="Chemo")
    followup = pd.DataFrame(
        {"case_id": cases["case_id"], "endpoint": "os", "entry_days": entry, "exit_days": leave, "event": death <= lost}
    )
    folds = pd.DataFrame({"case_id": cases["case_id"], "design": "kfold", "fold": np.arange(N) // 2 % 4})
    facts = {"stage": np.where(advanced, "Stage 4", "Stage 1-3"), "sex": draw.choice(["male", "female"], N)}
    facts["age_at_index"] = draw.choice(["55", "65"], N)
    evidence = pd.concat(pd.DataFrame({"case_id": cases["case_id"], "field": field, "value": value}) for field, value in facts.items())
    evidence = evidence.assign(days_before_index=10, order=evidence.groupby("case_id").cumcount(), text="")
    predictions = cases[["case_id", "patient_id"]].assign(fold=folds["fold"], score=1 / (1 + np.exp(-own)))
    tables = {"cases": cases, "followup": followup, "folds": folds, "evidence": evidence, "predictions": predictions}
    (folder / "cases").mkdir(parents=True, exist_ok=True)
    write_tables(folder, tables)
    return tables


def write_tables(folder: Path, tables: dict[str, pd.DataFrame]) -> None:
    for name, table in tables.items():
        if name == "predictions":
            (folder / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table.to_dict("records")))
        else:
            table.to_parquet(folder / ("evidence.parquet" if name == "evidence" else f"cases/{name}.parquet"))


def survival(folder: Path, *more: str) -> int:
    words = [folder / "predictions.jsonl", folder / "cases", folder / "evidence.parquet", "--out", folder / "survival"]
    return main(["survival", *map(str, words), *more])


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    tables = write_study(folder)
    baselines = tables["predictions"][["case_id", "fold"]].assign(predictor="gradient_boosting", score=np.linspace(0.1, 0.9, N))
    baselines.to_parquet(folder / "baselines.parquet")
    assert survival(folder, "--baselines", str(folder / "baselines.parquet")) == 0
    return folder


@pytest.fixture(scope="module")
def result(study: Path) -> dict:
    return json.loads((study / "survival" / "survival.json").read_text())


def test_the_increment_leads_and_the_raw_ratio_stands_beside(study: Path, result: dict) -> None:
    assert {row["regimen"] for row in result["regimens"]} == {"a", "b"}
    for row in result["regimens"]:
        assert row["adjusted_hazard_ratio"] > 1
        assert row["adjusted_per_sd_lower"] > 1
        assert row["hazard_ratio"] > 1
        assert row["likelihood_ratio_p"] <= row["q"] < 0.01
        assert row["log_rank_p"] <= row["log_rank_q"]
        assert row["concordance_with_score"] > row["concordance_clinical"]
        assert row["is_underpowered"] == (row["events"] < 128)
    names = list(pd.read_csv(study / "survival" / "regimens.csv"))
    assert names.index("adjusted_hazard_ratio") < names.index("hazard_ratio")


def test_every_covariate_is_told_used_constant_missing_or_dropped(result: dict) -> None:
    told = {record["covariate"]: record for record in result["regimens"][0]["covariates"]}
    assert told["sex"]["state"] == "used"
    assert told["sex"]["columns"] == ["is_male"]
    assert sum(told["sex"]["levels"].values()) == result["regimens"][0]["cases"]
    assert told["ecog"]["state"] == "missing"
    assert told["drug_class"]["state"] == "constant"
    assert {record["state"] for record in told.values()} <= {"used", "constant", "missing", "dropped"}


def test_comparators_stand_beside_the_model(result: dict) -> None:
    row = result["regimens"][0]
    others = {record["predictor"]: record for record in row["comparators"]}
    assert set(others) == {"gradient_boosting", "disease_extent"}
    assert others["disease_extent"]["hazard_ratio"] > 1
    assert others["gradient_boosting"]["per_sd_p"] > 0.001
    assert row["within_extent_hazard_ratio"] > 1


def test_the_published_way_has_the_other_direction(result: dict) -> None:
    whole = result["cancer_types"][0]
    assert whole["published_hazard_ratio"] < 1 < whole["hazard_ratio"]
    assert all(row["published_hazard_ratio"] is None for row in result["regimens"])
    assert "published_" in result["direction"]


def test_two_runs_write_equal_bytes_and_the_order_of_rows_changes_none(study: Path, tmp_path: Path) -> None:
    """As another number of shards would: the same rows in another order."""
    tables = write_study(tmp_path)
    baselines = pd.read_parquet(study / "baselines.parquet").sample(frac=1, random_state=5)
    baselines.to_parquet(tmp_path / "baselines.parquet")
    write_tables(tmp_path, {name: table.sample(frac=1, random_state=3) for name, table in tables.items()})
    assert survival(tmp_path, "--baselines", str(tmp_path / "baselines.parquet")) == 0
    written = sorted(path.name for path in (study / "survival").iterdir())
    assert len(written) == 13
    for name in written:
        # A manifest has the digests of its inputs, which are other bytes.
        if name != "manifest.json":
            assert (tmp_path / "survival" / name).read_bytes() == (study / "survival" / name).read_bytes(), name


def test_the_number_of_threads_changes_no_byte(study: Path, tmp_path: Path) -> None:
    write_study(tmp_path)
    with threadpool_limits(limits=2):
        assert survival(tmp_path, "--baselines", str(study / "baselines.parquet")) == 0
    for name in ("survival.json", "endpoints.csv", "groups.csv", "all_curves.parquet"):
        assert (tmp_path / "survival" / name).read_bytes() == (study / "survival" / name).read_bytes(), name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: pd.concat([rows, rows.iloc[[3]]]), f"line {N + 1}, column case_id: expected each case_id and predictor once"),
        (lambda rows: rows.assign(score=rows["score"].where(rows.index != 6)), "line 7, column score: expected a number from 0 to 1"),
        (lambda rows: rows.assign(score=rows["score"].where(rows.index != 6, 1.5)), "line 7, column score: expected a number from 0 to 1"),
    ],
)
def test_a_bad_row_of_the_baselines_is_refused(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture, change, said: str) -> None:
    write_study(tmp_path)
    change(pd.read_parquet(study / "baselines.parquet")).to_parquet(tmp_path / "baselines.parquet")
    assert survival(tmp_path, "--baselines", str(tmp_path / "baselines.parquet")) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "survival").exists()


def spoil(table: str, column: str, value: object, row: int = 4):
    def change(tables: dict[str, pd.DataFrame]) -> None:
        tables[table] = tables[table].astype({column: object})
        tables[table].iloc[row, tables[table].columns.get_loc(column)] = value

    return change


def spoil_day(tables: dict[str, pd.DataFrame]) -> None:
    tables["cases"]["index_day"] = tables["cases"]["index_day"].astype("Int64")
    tables["cases"].loc[4, "index_day"] = pd.NA


def double(table: str):
    def change(tables: dict[str, pd.DataFrame]) -> None:
        tables[table] = pd.concat([tables[table], tables[table].iloc[[7]]])

    return change


BAD = {
    "a missing score": (spoil("predictions", "score", None), "predictions.jsonl, line 5, column score: expected a number from 0 to 1"),
    "a score that is no number": (spoil("predictions", "score", float("nan")), "line 5, column score"),
    "a score above 1": (spoil("predictions", "score", 7.0), "line 5, column score: expected a number from 0 to 1, found '7.0'"),
    "a prediction of no case": (spoil("predictions", "case_id", "ghost"), "line 5, column case_id: expected a case of the cohort"),
    "a prediction of another patient": (spoil("predictions", "patient_id", "00001"), "line 5, column patient_id"),
    "a patient that is a number": (spoil("predictions", "patient_id", 4), "line 5, column patient_id: expected text"),
    "a prediction of another fold": (spoil("predictions", "fold", 3), "line 5, column fold: expected the fold that holds the case out"),
    "a case predicted twice": (double("predictions"), f"line {N + 1}: expected one prediction a case, the first was line 8"),
    "a case twice": (double("cases"), f"cases.parquet, line {N + 1}, column case_id: expected each case_id once"),
    "follow-up twice": (double("followup"), f"followup.parquet, line {N + 1}, column case_id"),
    "a fold twice": (double("folds"), f"folds.parquet, line {N + 1}, column case_id"),
    "an entry at the exit": (spoil("followup", "exit_days", 0), "line 5, column entry_days: expected an entry before the exit"),
    "an entry below zero": (spoil("followup", "entry_days", -3), "line 5, column entry_days: expected days from the index date"),
    "an exit that is missing": (spoil("followup", "exit_days", None), "line 5, column exit_days: expected a number of days"),
    "an event that is missing": (spoil("followup", "event", None), "line 5, column event: expected true or false"),
    "a case without a regimen": (spoil("cases", "regimen", None), "cases.parquet, line 5, column regimen: expected a value"),
    "a case without a day": (lambda tables: spoil_day(tables), "cases.parquet, line 5, column index_day: expected a value"),
    "no prediction": (lambda tables: tables.update(predictions=tables["predictions"].head(0)), "expected at least one prediction"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_refused_in_one_line_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture, name: str) -> None:
    change, said = BAD[name]
    tables = write_study(tmp_path)
    change(tables)
    if tables["followup"]["event"].dtype == object:
        tables["followup"]["event"] = tables["followup"]["event"].astype("boolean")
    for column in ("entry_days", "exit_days"):
        tables["followup"][column] = tables["followup"][column].astype("Int64")
    write_tables(tmp_path, tables)
    assert survival(tmp_path) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("error: ")
    assert said in told
    assert not (tmp_path / "survival").exists()


@pytest.mark.parametrize("name", ["cases/cases.parquet", "cases/followup.parquet", "evidence.parquet"])
def test_a_file_that_is_no_table_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture, name: str) -> None:
    write_study(tmp_path)
    (tmp_path / name).write_bytes(b"no table")
    assert survival(tmp_path) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith(f"error: {tmp_path / name}: expected a Parquet file")
    assert not (tmp_path / "survival").exists()


def test_events_as_zero_and_one_are_events(study: Path, tmp_path: Path) -> None:
    tables = write_study(tmp_path)
    tables["followup"]["event"] = tables["followup"]["event"].astype(int)
    write_tables(tmp_path, tables)
    assert survival(tmp_path) == 0
    one, other = (pd.read_csv(folder / "survival" / "regimens.csv") for folder in (study, tmp_path))
    pd.testing.assert_frame_equal(one, other)


def test_cases_without_prediction_or_follow_up_are_counted(tmp_path: Path) -> None:
    tables = write_study(tmp_path)
    tables["predictions"], tables["followup"] = tables["predictions"].iloc[30:], tables["followup"].iloc[:-20]
    write_tables(tmp_path, tables)
    assert survival(tmp_path) == 0
    counts = json.loads((tmp_path / "survival" / "survival.json").read_text())["counts"]
    assert (counts["cases"], counts["cases_without_prediction"], counts["cases_without_follow_up"]) == (N - 50, 30, 20)


def test_a_skipped_regimen_tells_the_right_reason(tmp_path: Path) -> None:
    tables = write_study(tmp_path)
    mine = tables["cases"]["regimen"].eq("a").to_numpy()
    tables["predictions"].loc[mine, "score"] = 0.25
    tables["followup"].loc[~mine, "event"] = False
    write_tables(tmp_path, tables)
    assert survival(tmp_path) == 0
    skipped = json.loads((tmp_path / "survival" / "survival.json").read_text())["skipped"]
    assert {row["regimen"]: row["reason"] for row in skipped} == {"a": "all scores are equal", "b": "fewer than 20 events"}


def test_no_event_in_a_group_is_the_reason_for_no_ratio(tmp_path: Path) -> None:
    tables = write_study(tmp_path)
    tables["followup"]["event"] = tables["predictions"]["score"].lt(0.3).to_numpy()
    write_tables(tmp_path, tables)
    assert survival(tmp_path) == 0
    rows = json.loads((tmp_path / "survival" / "survival.json").read_text())["regimens"]
    assert rows
    assert all((row["hazard_ratio"], row["no_ratio"]) == (None, "no event in the high group") for row in rows)
    assert all(row["likelihood_ratio_p"] < 1e-6 for row in rows)


def test_folds_that_are_each_of_one_group_are_the_reason_for_no_ratio() -> None:
    groups = {name: Subjects(np.zeros(4), np.arange(1.0, 5), np.ones(4)) for name in ("high", "low")}
    low = np.repeat([False, True], 4)
    assert no_ratio_reason(groups, low, np.repeat([0, 1], 4)).startswith("each fold is wholly of one group")
    assert "not at risk together" in no_ratio_reason(groups, low, np.array([0, 0, 1, 1, 0, 1, 1, 1]))


def test_a_cohort_without_follow_up_has_no_regimen_and_counts_none(tmp_path: Path) -> None:
    tables = write_study(tmp_path)
    tables["followup"] = tables["followup"].assign(endpoint="ttnt")
    write_tables(tmp_path, tables)
    assert survival(tmp_path) == 0
    found = json.loads((tmp_path / "survival" / "survival.json").read_text())
    assert (found["regimens"], found["counts"]["attempted"]) == ([], 0)


def test_a_cohort_too_small_for_any_curve_has_a_table_of_curves_with_its_columns_and_no_row(study: Path, tmp_path: Path) -> None:
    tables = write_study(tmp_path)
    tables["predictions"] = tables["predictions"].iloc[:18]
    write_tables(tmp_path, tables)
    few = json.dumps({"survival": {"minimum_events_shown": 5, "minimum_group": 2}})
    assert survival(tmp_path, "--settings", few) == 0
    assert json.loads((tmp_path / "survival" / "survival.json").read_text())["cancer_types"]
    curves, drawn = (pd.read_parquet(folder / "survival" / "curves.parquet") for folder in (tmp_path, study))
    assert curves.empty
    assert list(curves.columns) == list(drawn.columns)
    assert drawn["adjusted_survival"].between(0, 1).all()


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All three endpoints and response labels; everybody progresses halfway, and the deciding scan is on day 40 or 90."""
    folder = tmp_path_factory.mktemp("wide")
    tables = write_study(folder)
    one = tables["followup"]
    halfway = one.assign(endpoint="rwpfs", exit_days=one["entry_days"] + (one["exit_days"] - one["entry_days"] + 1) // 2, event=True)
    tables["followup"] = pd.concat([one, halfway.iloc[:-25]])
    labels = one[["case_id"]].assign(definition="strict", responder=tables["predictions"]["score"].gt(0.5), window_end_days=120)
    labels["scan_days"] = [[40] if number % 2 else [90] for number in range(N)]
    labels.astype({"responder": "boolean"}).to_parquet(folder / "cases" / "labels.parquet")
    write_tables(folder, tables)
    block = {"landmarks": [60, 120], "response_label": "strict", "groups": "tertiles", "minimum_events_shown": 10, "minimum_group": 5}
    assert survival(folder, "--settings", json.dumps({"survival": block})) == 0
    return folder / "survival"


def test_each_endpoint_has_its_results_and_its_counts_and_the_first_is_the_headline(wide: Path) -> None:
    result = json.loads((wide / "survival.json").read_text())
    assert result["endpoint"] == "overall_survival"
    progression, next_treatment = result["further_endpoints"]
    assert (progression["endpoint"], progression["counts"]["cases_without_follow_up"]) == ("progression_free_survival", 25)
    assert (next_treatment["regimens"], next_treatment["counts"]["cases_without_follow_up"]) == ([], N)
    assert progression["regimens"][0]["events"] > result["regimens"][0]["events"]
    table = pd.read_csv(wide / "endpoints.csv")
    assert table.groupby("endpoint")["regimen"].apply(set).to_dict() == {
        name: {"a", "b", "all"} for name in ("overall_survival", "progression_free_survival")
    }
    counts = pd.read_csv(wide / "counts.csv").pivot(index="what", columns="endpoint", values="cases")
    assert counts.loc["analysed", "progression_free_survival"] == N - 25
    curves = pd.read_parquet(wide / "all_curves.parquet")
    assert {"overall_survival", "progression_free_survival"} == set(curves["endpoint"])
    assert set(pd.read_parquet(wide / "curves.parquet")["score_group"]) == {"high", "low"}


def test_landmarks_count_who_was_over_and_whose_label_a_later_scan_decides(wide: Path) -> None:
    tests = pd.read_csv(wide / "group_tests.csv")
    mine = tests[(tests["endpoint"] == "overall_survival") & (tests["regimen"] == "all")].set_index(["grouping", "landmark_days"])
    early, late = mine.loc[("response", 60)], mine.loc[("response", 120)]
    assert early["cases"] + early["label_unknown_at_landmark"] + early["over_before_landmark"] == N
    # On day 60 only every second label is known; on day 120 every one.
    assert early["label_unknown_at_landmark"] > N / 3
    assert late["label_unknown_at_landmark"] == 0
    assert late["over_before_landmark"] > early["over_before_landmark"] > 0
    groups = pd.read_csv(wide / "groups.csv")
    at = groups[(groups["endpoint"] == "overall_survival") & (groups["grouping"] == "response") & (groups["landmark_days"] == 120)]
    assert set(at["score_group"]) == {"response", "no response"}
    assert at[at["regimen"] == "all"].set_index("score_group").loc["no response", "hazard_ratio"] > 1
    assert not ((groups["grouping"] == "response") & groups["landmark_days"].isna()).any()
    # Time starts at the landmark: who has lived to it has survival 1 there.
    curves = pd.read_parquet(wide / "all_curves.parquet")
    begun = curves[curves["landmark_days"].notna()].groupby(["regimen", "endpoint", "grouping", "landmark_days"])["from_months"].min()
    assert (begun < 6).all()


def test_tertiles_keep_the_middle_and_the_ratio_stays_that_of_the_halves(study: Path, wide: Path) -> None:
    halves, thirds = (pd.read_csv(folder / "regimens.csv") for folder in (study / "survival", wide))
    assert halves["hazard_ratio"].tolist() == thirds["hazard_ratio"].tolist()
    groups = pd.read_csv(wide / "groups.csv")
    mine = groups[(groups["endpoint"] == "overall_survival") & (groups["regimen"] == "all") & groups["landmark_days"].isna()]
    assert mine["score_group"].tolist() == ["high", "middle", "low"]
    assert mine["cases"].sum() == N


def test_every_curve_test_and_shape_names_its_endpoint(wide: Path) -> None:
    for name in ("endpoints", "counts", "groups", "group_tests", "survival_at", "at_risk", "shape"):
        table = pd.read_csv(wide / f"{name}.csv")
        assert table["endpoint"].notna().all()
        assert len(table)


def test_a_diagnosis_anchor_needs_its_day(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    tables = write_study(tmp_path)
    assert survival(tmp_path, "--settings", '{"survival": {"anchor": "diagnosis"}}') == 2
    assert "cases.parquet, column diagnosis_day: expected this column" in capsys.readouterr().err
    days = pd.array([None, *tables["cases"]["index_day"].iloc[1:] - 30], dtype="Int32")
    tables["cases"]["diagnosis_day"] = days
    write_tables(tmp_path, tables)
    assert survival(tmp_path, "--settings", '{"survival": {"anchor": "diagnosis"}}') == 0
    result = json.loads((tmp_path / "survival" / "survival.json").read_text())
    assert result["counts"]["cases_without_anchor"] == 1
    assert result["anchor"] == "diagnosis"
    assert all(row["delayed_entry_cases"] == row["cases"] for row in result["cancer_types"])
