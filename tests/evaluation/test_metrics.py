"""The step refuses rows that would change numbers without a word, counts what is missing, and flags what a mean leaves out."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from oncoraft.evaluation.comparability import comparability_rows
from oncoraft.evaluation.compare import main as compare
from oncoraft.evaluation.metrics import main
from oncoraft.evaluation.records import Evaluable, difference_records, discrimination_records, verdict
from oncoraft.evaluation.subgroups import SMALLEST_EVENTS, evaluable_weights, subgroup_records
from oncoraft.foundation.errors import InputError
from tests.evaluation.conftest import Upstream

CASES = 240
SETTINGS = ["--settings", '{"evaluation": {"bootstrap": 100}, "labels": {}}']
Tables = dict[str, pd.DataFrame]


@pytest.fixture
def tables() -> Tables:
    """A small run of three folds: predictions, cases, labels (of two definitions), folds and one baseline."""
    draw = np.random.default_rng(4)
    number = np.arange(CASES)
    patient = np.array([f"{k // 2:04}" for k in number])  # digits alone: identifiers are text
    case_id = np.array([f"{p}_+{k}" for p, k in zip(patient, number)])
    fold = (number // 2) % 3
    responder = pd.array(draw.random(CASES) < 0.4, dtype="boolean")
    responder[::10] = pd.NA
    score = np.clip(0.3 * draw.random(CASES) + 0.4 * np.where(pd.isna(responder), 0, responder).astype(float), 0, 1)
    labels = pd.DataFrame({"case_id": case_id, "definition": "strict", "responder": responder, "is_immortal": number % 7 == 0})
    kinds = {"cancer_type": np.where(number % 4 < 2, "A", "B"), "regimen": np.where(number % 2, "x", "y"), "drug_class": "Chemo"}
    return {
        "predictions": pd.DataFrame({"case_id": case_id, "patient_id": patient, "fold": fold, "score": score, "score_from_text": None}),
        "cases": pd.DataFrame(
            {"case_id": case_id, "patient_id": patient, "index_day": number - 100, "line_of_therapy": 1 + number % 5, **kinds}
        ),
        "labels": pd.concat([labels, labels.assign(definition="oncoraft")]),
        "folds": pd.DataFrame({"case_id": case_id, "patient_id": patient, "design": "kfold", "fold": fold, "is_tuning": False}),
        "baselines": pd.DataFrame({"case_id": case_id, "fold": fold, "predictor": "regimen_prior", "score": draw.random(CASES)}),
    }


def write(tables: Tables, home: Path) -> list[str]:
    """The files of a run, and the arguments that measure it."""
    (home / "cases").mkdir(parents=True, exist_ok=True)
    for name in ("cases", "labels", "folds"):
        tables[name].to_parquet(home / "cases" / f"{name}.parquet")
    tables["baselines"].to_parquet(home / "baselines.parquet")
    rows = tables["predictions"].astype(object).where(tables["predictions"].notna(), None).to_dict("records")
    (home / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    out = ["--baselines", str(home / "baselines.parquet"), "--out", str(home / "metrics")]
    return [str(home / "predictions.jsonl"), str(home / "cases"), *out, *SETTINGS]


def changed(name: str, row: int, column: str, value: Any) -> Callable[[Tables], Tables]:
    """One cell of one table, another."""

    def change(tables: Tables) -> Tables:
        table = tables[name].reset_index(drop=True).astype({column: object})
        table.at[row, column] = value
        if name != "predictions" and column in ("score", "fold"):
            table[column] = pd.to_numeric(table[column])
        return tables | {name: table}

    return change


def doubled(name: str) -> Callable[[Tables], Tables]:
    """One row of one table, twice."""
    return lambda tables: tables | {name: pd.concat([tables[name], tables[name].iloc[[5]]], ignore_index=True)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (changed("predictions", 3, "score", None), "predictions.jsonl, line 4, column score: expected a number from 0 to 1"),
        (changed("predictions", 3, "score", float("inf")), "line 4, column score: expected a finite number"),
        (changed("predictions", 3, "score", 7.0), "line 4, column score: expected a number from 0 to 1"),
        (changed("predictions", 3, "score", -0.01), "line 4, column score: expected a number from 0 to 1"),
        (changed("predictions", 3, "score", "0.5"), "line 4, column score: expected a number from 0 to 1"),
        (changed("predictions", 3, "score", True), "line 4, column score: expected a number from 0 to 1"),
        (
            lambda tables: changed("predictions", 3, "probability", 1.2)(recalibrated(tables)),
            "line 4, column probability: expected a number from 0 to 1",
        ),
        (changed("predictions", 3, "score_from_text", 70), "line 4, column score_from_text: expected a number from 0 to 1"),
        (changed("predictions", 3, "case_id", "nobody_+1"), "line 4, column case_id: expected a case of"),
        (changed("predictions", 3, "case_id", None), "line 4, column case_id: expected text"),
        (changed("predictions", 3, "patient_id", "0099"), "line 4, column patient_id: expected '0001', the patient of 0001_+3"),
        (changed("predictions", 3, "patient_id", 1), "line 4, column patient_id: expected text"),
        (changed("predictions", 3, "fold", 0), "line 4, column fold: expected the fold that holds the case out"),
        (changed("cases", 3, "regimen", None), "cases.parquet, line 4, column regimen: expected a value"),
        (doubled("predictions"), f"line {CASES + 1}: expected one prediction a case, the first was line 6"),
        (doubled("cases"), "cases.parquet, column case_id: expected one row for each case_id"),
        (doubled("labels"), "labels.parquet, column case_id: expected one row for each case_id and definition"),
        (doubled("folds"), "folds.parquet, column case_id: expected one row for each case_id and design"),
        (doubled("baselines"), "baselines.parquet, column case_id: expected one row for each case_id and predictor"),
        (changed("baselines", 3, "score", np.nan), "baselines.parquet, column score: expected scores between 0 and 1"),
        (changed("baselines", 3, "score", 1.5), "baselines.parquet, column score: expected scores between 0 and 1"),
        (changed("baselines", 3, "fold", 0), "baselines.parquet, column fold: expected the fold of the prediction"),
        (lambda tables: tables | {"predictions": tables["predictions"].head(0)}, "expected at least one prediction"),
        (
            lambda tables: tables | {"labels": tables["labels"].head(CASES).assign(definition="other")},
            "labels.parquet, column definition: expected labels of",
        ),
        (lambda tables: tables | {"cases": tables["cases"].drop(columns="regimen")}, "cases.parquet, column regimen: expected this column"),
    ],
)
def test_a_row_that_would_change_numbers_unsaid_is_refused_with_its_place(
    change: Callable[[Tables], Tables], words: str, tables: Tables, tmp_path: Path
) -> None:
    arguments = write(change(tables), tmp_path)
    with pytest.raises(InputError) as refused:
        main(arguments)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "metrics" / "metrics.json").exists()


@pytest.mark.parametrize("name", ["baselines.parquet", "cases/labels.parquet", "evidence.parquet"])
@pytest.mark.parametrize(
    ("content", "words"),
    [(b"no table", "expected a Parquet file"), (b"", "expected a Parquet file"), (None, "expected a table of the steps")],
)
def test_a_file_that_is_no_table_is_refused_by_name(name: str, content: bytes | None, words: str, tables: Tables, tmp_path: Path) -> None:
    arguments = [*write(tables, tmp_path), "--evidence", str(tmp_path / "evidence.parquet")]
    tables["cases"].assign(field="sex", value="male", days_before_index=3, order=0).to_parquet(tmp_path / "evidence.parquet")
    path = tmp_path / name
    path.write_bytes(content) if content is not None else path.unlink()
    with pytest.raises(InputError, match=words) as refused:
        main(arguments)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "metrics").exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"case_id": "a"}'])
def test_a_line_that_is_no_prediction_is_refused(text: str, tables: Tables, tmp_path: Path) -> None:
    arguments = write(tables, tmp_path)
    (tmp_path / "predictions.jsonl").write_text(text + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"predictions\.jsonl, line 1"):
        main(arguments)


@pytest.mark.parametrize(
    ("responder", "why"), [(True, "all of them responders"), (False, "none of them responders"), (None, "no evaluable")]
)
def test_cases_of_one_class_give_a_record_that_says_why_there_is_no_area(
    responder: bool | None, why: str, tables: Tables, tmp_path: Path
) -> None:
    labels = tables["labels"].assign(responder=pd.array([responder] * len(tables["labels"]), dtype="boolean"))
    assert main(write(tables | {"labels": labels}, tmp_path)) == 0
    records = json.loads((tmp_path / "metrics" / "metrics.json").read_text())
    assert {row["estimate"] for row in records} == {None}
    (own,) = [row for row in records if (row["predictor"], row["scope"]) == ("model", "mean_of_folds")]
    assert why in own["flags"]
    assert why in json.loads((tmp_path / "metrics" / "verdict.json").read_text())["sentence"]


def test_what_is_missing_is_counted(tables: Tables, tmp_path: Path) -> None:
    tables["predictions"] = tables["predictions"].drop(index=[0, 1, 7])
    tables["baselines"] = tables["baselines"].drop(index=[12, 13])
    assert main(write(tables, tmp_path)) == 0
    counts = json.loads((tmp_path / "metrics" / "manifest.json").read_text())["counts"]
    assert (counts["predicted"], counts["held_out"], counts["without_prediction"]) == (CASES - 3, CASES, 3)
    assert counts["evaluable"] + counts["not_evaluable"] == counts["predicted"]
    assert counts["without_score"] == {"model": 0, "regimen_prior": 2}


def test_row_order_changes_no_number_and_a_rerun_changes_no_byte(tables: Tables, tmp_path: Path) -> None:
    assert main(write(tables, tmp_path / "one")) == 0
    assert main(write({name: table.sample(frac=1, random_state=1) for name, table in tables.items()}, tmp_path / "two")) == 0
    for path in (tmp_path / "one" / "metrics").glob("*"):
        if path.name != "manifest.json":
            assert path.read_bytes() == (tmp_path / "two" / "metrics" / path.name).read_bytes(), path.name


def test_the_number_of_threads_changes_no_byte(tables: Tables, tmp_path: Path) -> None:
    arguments = write(tables, tmp_path)
    for threads in ("1", "3"):
        alone = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        command = [sys.executable, "-m", "oncoraft", "metrics", *arguments, "--out", str(tmp_path / threads)]
        subprocess.run(command, env=os.environ | alone, check=True, capture_output=True)
    for path in (tmp_path / "1").glob("*"):
        if path.name != "manifest.json":
            assert path.read_bytes() == (tmp_path / "3" / path.name).read_bytes(), path.name


def recalibrated(tables: Tables) -> Tables:
    """The same run with what its folds' tuning patients made of the scores."""
    score = tables["predictions"]["score"]
    return tables | {"predictions": tables["predictions"].assign(probability=0.1 + 0.7 * score, threshold=0.25)}


def test_what_the_tuning_patients_made_of_the_scores_is_measured_beside_the_score_as_delivered(tables: Tables, tmp_path: Path) -> None:
    assert main(write(recalibrated(tables), tmp_path)) == 0
    records = json.loads((tmp_path / "metrics" / "metrics.json").read_text())
    rows = {(row["predictor"], row["metric"], row["scope"]): row for row in records if row["group"] is None}
    judged = tables["labels"].query("definition == 'strict'")["responder"]
    known = judged.notna().to_numpy()
    score, y = tables["predictions"]["score"].to_numpy()[known], judged[known].to_numpy(float)
    assert rows["model", "brier", "as_delivered"]["estimate"] == pytest.approx(np.mean((score - y) ** 2))
    found = rows["model", "brier", "recalibrated"]
    assert found["estimate"] == pytest.approx(np.mean((0.1 + 0.7 * score - y) ** 2))
    assert found["lower"] < found["estimate"] < found["upper"]
    assert "on the tuning patients of each fold" in found["method"]
    # A baseline has no tuning scores; the difference takes both in the same way.
    assert "of the other folds" in rows["regimen_prior", "brier", "recalibrated"]["method"]
    assert "both recalibrated" in rows["model", "brier_difference", "recalibrated"]["method"]
    table = pd.read_csv(tmp_path / "metrics" / "comparability.csv").set_index(["predictor", "rule", "measure"])
    row = table.loc[("model", "Youden's, from the tuning patients", "recall")]
    assert (row["lowest_threshold"], row["highest_threshold"]) == (0.25, 0.25)
    assert row["estimate"] == pytest.approx(np.mean(score[y == 1] >= 0.25))
    curve = pd.read_csv(tmp_path / "metrics" / "calibration.csv").query("predictor == 'model'")
    assert curve["probability"].to_numpy() == pytest.approx(0.1 + 0.7 * curve["score"])


def test_a_fold_without_a_recalibration_leaves_all_folds_to_the_other_folds(tables: Tables, tmp_path: Path) -> None:
    tables = recalibrated(tables)
    tables["predictions"].loc[tables["predictions"]["fold"] == 1, ["probability", "threshold"]] = np.nan
    assert main(write(tables, tmp_path)) == 0
    records = json.loads((tmp_path / "metrics" / "metrics.json").read_text())
    told = [row["method"] for row in records if (row["predictor"], row["metric"], row["scope"]) == ("model", "brier", "recalibrated")]
    assert "no tuning scores being at hand" in told[0]
    rules = set(pd.read_csv(tmp_path / "metrics" / "comparability.csv")["rule"])
    assert rules == {"fixed at 0.5", "Youden's, from the other folds"}


def test_every_headline_number_has_an_interval_and_the_verdict_names_the_best_baseline(tables: Tables, tmp_path: Path) -> None:
    assert main(write(tables, tmp_path)) == 0
    records = json.loads((tmp_path / "metrics" / "metrics.json").read_text())
    wanted = {("auroc", "mean_of_folds"), ("auprc", "mean_of_folds"), ("auroc_within_regimen", "mean_of_folds"), ("auroc", "pooled")}
    wanted |= {(name, scope) for name in ("brier", "log_loss", "e50", "scaled_brier") for scope in ("as_delivered", "recalibrated")}
    told = {(row["metric"], row["scope"]): row for row in records if row["predictor"] == "regimen_prior" and row["group"] is None}
    assert all(
        told[one]["lower"] <= told[one]["estimate"] <= told[one]["upper"]
        for one in wanted - {("e50", s) for s in ("as_delivered", "recalibrated")}
    )
    found = json.loads((tmp_path / "metrics" / "verdict.json").read_text())
    assert found["best_baseline"] == "regimen_prior"
    assert found["beats"]["auroc_difference"]["answer"] == "yes"
    definitions = pd.read_csv(tmp_path / "metrics" / "definitions.csv")
    assert set(definitions["label"]) == {"strict", "oncoraft"}
    comparability = pd.read_csv(tmp_path / "metrics" / "comparability.csv")
    assert set(comparability["measure"]) == {"accuracy", "precision", "recall", "specificity", "f1"}
    distribution = pd.read_csv(tmp_path / "metrics" / "distribution.csv")
    assert distribution.groupby("predictor")[["responders", "others"]].sum().sum(axis=1).eq(told["auroc", "pooled"]["n"]).all()


def test_a_precision_that_some_resamples_have_no_case_for_says_of_how_many_its_interval_is() -> None:
    score, data = evaluable(60, 1)
    # One case alone reaches the threshold: a resample without it calls nobody, and nothing is divided.
    score = np.where(np.arange(60) == np.argmax(score * data.positive), 0.9, 0.1)
    rows = {row["measure"]: row for row in comparability_rows("model", score, data) if row["rule"] == "fixed at 0.5"}
    told = re.fullmatch(r"interval of the (\d+) of (\d+) resamples that have a value", rows["precision"]["flags"])
    assert told
    assert 0.5 < int(told[1]) / int(told[2]) < 0.8
    assert {row["flags"] for name, row in rows.items() if name in {"accuracy", "recall", "specificity", "f1"}} == {""}


def evaluable(cases: int, folds: int, seed: int = 0, **columns: Any) -> tuple[np.ndarray, Evaluable]:
    """A score that is worth something, and its cases."""
    draw = np.random.default_rng(seed)
    score, fold = draw.random(cases), np.arange(cases) % folds
    positive = draw.random(cases) < 0.2 + 0.5 * score
    kinds = {"patient_id": np.arange(cases).astype(str), "cancer_type": "A", "regimen": "x", "drug_class": "C", "line_of_therapy": 1}
    frame = pd.DataFrame(kinds | {"index_day": 0, "is_immortal": False} | columns)
    return score, Evaluable(frame, positive, fold, draw.poisson(1, (100, cases)).astype(np.int16), "strict", 0.95)


@pytest.mark.parametrize("responds", [True, False])
def test_a_fold_of_one_class_is_left_out_of_every_mean_alike_and_said(responds: bool) -> None:
    score, data = evaluable(600, 3)
    alone = replace(data, positive=np.where(data.fold == 2, responds, data.positive), known={})
    rest = data.fold != 2
    others = Evaluable(data.frame[rest], data.positive[rest], data.fold[rest], data.weights[:, rest], "strict", 0.95)
    found, wanted = (
        {row["metric"]: row for row in discrimination_records("model", s, d) if row["scope"] == "mean_of_folds"}
        for s, d in ((score, alone), (score[rest], others))
    )
    for metric, row in found.items():
        assert (row["estimate"], row["n"], row["events"]) == pytest.approx(
            tuple(wanted[metric][key] for key in ("estimate", "n", "events"))
        )
        assert "fold 2" in row["flags"]


def test_pooled_far_from_the_mean_is_flagged_for_every_predictor() -> None:
    score, data = evaluable(600, 3)
    shifted = score / 3 + data.fold / 3
    flags = {row["scope"]: row["flags"] for row in discrimination_records("any_baseline", shifted, data) if row["metric"] == "auroc"}
    assert "pooled differs" in flags["pooled"]


def test_a_small_subgroup_is_named_and_its_number_kept_back() -> None:
    score, data = evaluable(300, 3, index_day=np.where(np.arange(300) < 15, -5, 5), gene_panel=None)
    rows = {row["group"]: row for row in subgroup_records("model", score, data)}
    small, large = rows["era: index before sequencing"], rows["era: index on or after sequencing"]
    assert (small["estimate"], small["events"], "suppressed" in small["flags"]) == (None, None, True)
    assert large["events"] >= SMALLEST_EVENTS
    assert large["lower"] < large["estimate"] < large["upper"]
    assert rows["panel: unknown"]["estimate"] == pytest.approx(rows["A"]["estimate"])


def test_a_difference_is_of_common_cases_and_has_the_sign_of_the_better_model() -> None:
    score, data = evaluable(800, 3)
    noise = np.random.default_rng(1).random(800)
    noise[::5] = np.nan
    rows = {row["metric"]: row for row in difference_records("tfidf_logistic", score, noise, data)}
    assert rows["auroc_difference"]["estimate"] > 0 > rows["brier_difference"]["estimate"]
    assert rows["auroc_difference"]["n"] == int((~np.isnan(noise)).sum())


def test_without_a_baseline_the_verdict_says_so() -> None:
    assert verdict([])["best_baseline"] is None


def test_cases_that_are_rarely_judged_weigh_more(upstream: Upstream) -> None:
    from oncoraft.covariates import clinical_covariates

    table = clinical_covariates(upstream.cases, upstream.evidence)
    table = table.assign(fold=np.arange(len(table)) % 3)
    likely = table["sex"].eq("male").to_numpy()
    weight = evaluable_weights(table, np.random.default_rng(0).random(len(table)) < np.where(likely, 0.9, 0.3))
    assert weight[~likely].mean() > 1.5 * weight[likely].mean()
    assert weight.min() >= 1


def test_the_workflows_own_files_give_subgroups_of_the_evidence(upstream: Upstream, tmp_path: Path) -> None:
    folds = pd.read_parquet(upstream.cases_folder / "folds.parquet").query("design == 'kfold'")
    draw = np.random.default_rng(6)
    rows = folds[["case_id", "patient_id", "fold"]].assign(score=draw.random(len(folds)), score_from_text=None)
    lines = "".join(json.dumps(row) + "\n" for row in rows.to_dict("records"))
    (tmp_path / "predictions.jsonl").write_text(lines, encoding="utf-8")
    rows[["case_id", "fold"]].assign(predictor="regimen_prior", score=draw.random(len(folds))).to_parquet(tmp_path / "baselines.parquet")
    arguments = [str(tmp_path / "predictions.jsonl"), str(upstream.cases_folder), "--baselines", str(tmp_path / "baselines.parquet")]
    assert main([*arguments, "--evidence", str(upstream.evidence_file), "--out", str(tmp_path / "metrics"), *SETTINGS]) == 0
    records = json.loads((tmp_path / "metrics" / "metrics.json").read_text())
    groups = {row["group"] for row in records if row["scope"] == "subgroup"}
    assert {"sex: female", "sex: male", "era: index before sequencing", "immortal window: no"} <= groups
    assert any(group.startswith("race: ") for group in groups)
    assert any(group.startswith("age: ") for group in groups)
    assert any(row["scope"] == "inverse_probability_weighted" for row in records)


def test_runs_are_compared_on_common_cases_with_a_q_for_every_pair(tables: Tables, tmp_path: Path) -> None:
    draw, runs = np.random.default_rng(9), []
    for strategy in ("raft", "lm_only", "frozen"):
        home = tmp_path / "tiny" / strategy / "kfold"
        arguments = write(tables | {"predictions": tables["predictions"].drop(index=[0] if strategy == "raft" else [])}, home)
        runs.append(str(home))
        tables["predictions"] = tables["predictions"].assign(score=draw.random(CASES))
    assert compare([*runs, "--cases", arguments[1], "--out", str(tmp_path / "comparison.json"), *SETTINGS]) == 0
    pairs = json.loads((tmp_path / "comparison.json").read_text())
    assert [(pair["first"], pair["second"]) for pair in pairs] == [
        ("tiny/raft", "tiny/lm_only"),
        ("tiny/raft", "tiny/frozen"),
        ("tiny/lm_only", "tiny/frozen"),
    ]
    assert pairs[0]["bootstrap_q"] < 0.05 < pairs[2]["bootstrap_q"]
    assert pairs[0]["delong_q"] < 0.05 < pairs[2]["delong_q"]
    assert {row["metric"] for row in pairs[0]["differences"]} >= {"auroc", "auprc", "auroc_within_regimen", "brier", "log_loss"}
    assert {pair["recalibration"][:4] for pair in pairs} == {"both"}
    assert all(abs(pair["score_rank_correlation"]) < 0.3 for pair in pairs)
    with pytest.raises(InputError, match="two runs or more"):
        compare([runs[0], runs[0], "--cases", arguments[1], "--out", str(tmp_path / "comparison.json")])


def test_runs_with_tuning_patients_are_compared_by_their_own_probabilities_and_thresholds(tables: Tables, tmp_path: Path) -> None:
    homes = [tmp_path / "tiny" / strategy / "kfold" for strategy in ("raft", "zero-shot")]
    first = recalibrated(tables)
    arguments = write(first, homes[0])
    other = first["predictions"].assign(score=np.random.default_rng(3).random(CASES), probability=0.4, threshold=0.6)
    write(first | {"predictions": other}, homes[1])
    assert compare([*map(str, homes), "--cases", arguments[1], "--out", str(tmp_path / "comparison.json"), *SETTINGS]) == 0
    (pair,) = json.loads((tmp_path / "comparison.json").read_text())
    assert pair["mcnemar_threshold"] == "Youden's, from the tuning patients"
    assert pair["recalibration"] == "recalibrated by a logistic regression on the tuning patients of each fold"
    assert pair["wilcoxon_p"] < 0.05
    brier = next(row for row in pair["differences"] if row["metric"] == "brier")
    rate = tables["labels"].query("definition == 'strict'")["responder"].dropna().astype(float)
    assert brier["second"] == pytest.approx(np.mean((0.4 - rate) ** 2))
