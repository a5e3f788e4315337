"""The steps of a single-cell cohort on a small twin, one after the other, as the workflow calls them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from oncoraft.cells import baselines, expression, find_cases, folds, markers, prompts, removals, split, twin
from oncoraft.cells.prompts import context, fitting, sentence
from oncoraft.cells.removals import genes_in, without
from oncoraft.evaluation import cell_scores
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl, write_jsonl
from oncoraft.inference import infer
from oncoraft.models import tiny
from oncoraft.training import train
from tests.cells import made

STUDY = {
    "twin": {"data_sets": 2, "donors": 20, "null_donors": 8, "cells": 12, "genes": 400},
    "columns": {"time": "timepoint", "doublet": "doublet"},
    "times": ["before"],
    "genes_shown": 25,
    "designs": {"pooled_by_donor": 3, "pooled_by_cell": 3, "leave_dataset_out": 2},
    "variable_genes": 120,
    "bootstrap": 60,
    "marker_genes": 6,
    "marker_cases": 15,
}
SETTINGS = json.dumps({"cell_study": STUDY})


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A twin, its cases, folds, prompts, expression and baselines."""
    folder = tmp_path_factory.mktemp("cells")
    given = ["--settings", SETTINGS]
    assert twin.main(["--out", str(folder / "twin"), *given]) == 0
    assert find_cases.main([str(folder / "twin/files"), "--out", str(folder / "cases"), *given]) == 0
    assert folds.main([str(folder / "cases"), *given]) == 0
    assert prompts.main([str(folder / "cases"), "--out", str(folder / "prompts.jsonl"), "--audit", str(folder / "audit.json"), *given]) == 0
    assert expression.main([str(folder / "twin/files"), "--cases", str(folder / "cases"), "--out", str(folder / "expression"), *given]) == 0
    for design in STUDY["designs"]:
        words = [str(folder / "cases"), "--expression", str(folder / "expression/expression.npz"), "--design", design]
        words += ["--truth", str(folder / "twin/truth.parquet"), "--out", str(folder / f"{design}.parquet")]
        assert baselines.main([*words, *given]) == 0
    return folder


def written(home: Path, design: str, fold: int, out: Path) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    words = [str(home / "cases"), "--prompts", str(home / "prompts.jsonl"), "--design", design, "--fold", str(fold)]
    words += ["--train", str(out / "train.jsonl"), "--heldout", str(out / "heldout.jsonl"), "--settings", SETTINGS]
    assert split.main(words) == 0
    return read_jsonl(out / "train.jsonl"), read_jsonl(out / "heldout.jsonl")


def test_the_twin_is_the_same_to_the_byte_and_its_files_are_as_anndata_writes_them(home: Path, tmp_path: Path) -> None:
    assert twin.main(["--out", str(tmp_path / "twin"), "--settings", SETTINGS]) == 0
    for path in sorted((home / "twin").rglob("*.*")):
        assert path.read_bytes() == (tmp_path / "twin" / path.relative_to(home / "twin")).read_bytes()
    data = anndata.read_h5ad(home / "twin/files/twin-1.h5ad")
    assert isinstance(data.obs["drug"].dtype, pd.CategoricalDtype)
    assert (data.X.data == np.rint(data.X.data)).all()


def test_every_cell_is_analysed_or_left_out_for_a_reason(home: Path) -> None:
    flow = json.loads((home / "cases/flow.json").read_text())
    steps = {row["step"]: row["cells"] for row in flow["steps"]}
    cells = sum(anndata.read_h5ad(path, backed="r").n_obs for path in sorted((home / "twin/files").iterdir()))
    assert steps.pop("cells in the files") == cells
    assert steps.pop("cells analysed") == cells + sum(steps.values()) == flow["cases"]
    assert {"sampled at another time", "called a doublet", "fewer genes than minimum_genes"} <= set(steps)


def test_a_prompt_names_drug_mechanism_tissue_cancer_and_genes_but_neither_donor_nor_data_set(home: Path) -> None:
    cases = pd.read_parquet(home / "cases/cases.parquet").set_index("case_id")
    for row in read_jsonl(home / "prompts.jsonl")[:50]:
        case = cases.loc[row["case_id"]]
        assert f"Drug: {case['drug']}" in row["input"]
        assert f"Tissue: {case['tissue']}.\nCancer: {case['cancer']}." in row["input"]
        assert case["data_set"] not in row["input"]
        assert case["patient_id"].partition("/")[2] not in row["input"]
        genes = genes_in(row["input"])
        assert len(genes) == len(set(genes)) == 25
        assert not any(name.startswith(("MT-", "RPL", "RPS")) for name in genes)
    assert "Blocks" in context("bortezomib", "bortezomib", "blood", "Leukemia")


def test_a_sentence_is_the_cells_own_most_expressed_genes(home: Path) -> None:
    data = anndata.read_h5ad(home / "twin/files/twin-2.h5ad")
    row = next(one for one in read_jsonl(home / "prompts.jsonl") if one["case_id"].startswith("twin-2:"))
    counts = dict(zip(data.var_names, np.asarray(data[row["case_id"].partition(":")[2]].X.todense()).ravel()))
    wanted = sorted((-count, name) for name, count in counts.items() if count and not name.startswith(("MT-", "RPL", "RPS")))[:25]
    assert genes_in(row["input"]) == [name for _, name in wanted]


def test_the_last_genes_are_cut_first_where_the_budget_is_short() -> None:
    genes = [f"GENE{number}" for number in range(200)]
    kept = fitting(genes, "Drug: x.", "Judge.", 100)
    assert kept == genes[: len(kept)]
    assert 0 < len(kept) < 200
    assert len("Judge.\n\nDrug: x.\n" + sentence(kept) + "\n\nAnswer:\n") <= 300


def test_a_word_of_the_response_in_a_prompt_ends_the_step(home: Path, tmp_path: Path) -> None:
    cases = pd.read_parquet(home / "cases/cases.parquet").assign(tissue="resistant tumour")
    for name in ("sentences.parquet", "genes.txt"):
        (tmp_path / name).write_bytes((home / "cases" / name).read_bytes())
    cases.to_parquet(tmp_path / "cases.parquet")
    words = [str(tmp_path), "--out", str(tmp_path / "p.jsonl"), "--audit", str(tmp_path / "a.json"), "--settings", SETTINGS]
    with pytest.raises(InputError, match="expected nothing of the response in the prompt, found 'resistant'"):
        prompts.main(words)
    assert not (tmp_path / "p.jsonl").exists()


@pytest.mark.parametrize("design", sorted(STUDY["designs"]))
def test_donors_are_apart_in_the_files_that_models_read_unless_the_design_leaks(home: Path, tmp_path: Path, design: str) -> None:
    learned, held = written(home, design, 0, tmp_path)
    shared = {row["patient_id"] for row in learned} & {row["patient_id"] for row in held}
    assert bool(shared) == (design == "pooled_by_cell")
    assert not {"responder", "score"} & set(held[0])
    assert all(row["output"] == "" for row in held)
    assert {row["output"][:10] for row in learned} == {"Score: 1.0", "Score: 0.0"}


def test_what_the_twin_builds_in_is_found(home: Path) -> None:
    """By donor a regression is far above the prior, by cell far above by donor, and the donor's own mean knows all there and nothing here."""
    cases = pd.read_parquet(home / "cases/cases.parquet").set_index("case_id")
    responder = cases["responder"]

    def area(design: str, name: str, only: pd.Series | None = None) -> float:
        table = pd.read_parquet(home / f"{design}.parquet")
        table = table if only is None else table[table["case_id"].map(only)]
        return float(np.mean([roc_auc_score(responder[part["case_id"]], part[name]) for _, part in table.groupby("fold")]))

    assert area("pooled_by_donor", "logistic_regression") > area("pooled_by_donor", "data_set_prior") + 0.05
    assert area("pooled_by_cell", "boosted_trees") > area("pooled_by_donor", "boosted_trees") + 0.05
    # A donor under a null drug may have cells in one fold alone, whom nobody knows.
    folds_of = (
        pd.read_parquet(home / "pooled_by_cell.parquet").set_index("case_id")["fold"].groupby(cases["patient_id"]).transform("nunique")
    )
    assert area("pooled_by_cell", "donor_mean", folds_of > 1) == 1.0
    assert area("pooled_by_donor", "donor_mean") == 0.5
    assert area("leave_dataset_out", "data_set_prior") == 0.5


def test_scores_hold_every_denominator_and_the_difference_is_on_the_same_cases(home: Path, tmp_path: Path) -> None:
    table = pd.read_parquet(home / "pooled_by_donor.parquet")
    cases = pd.read_parquet(home / "cases/cases.parquet").set_index("case_id")
    some = table.iloc[::2]
    rows = [
        {"case_id": one, "patient_id": cases.loc[one, "patient_id"], "fold": int(fold), "score": float(score)}
        for one, fold, score in zip(some["case_id"], some["fold"], some["logistic_regression"])
    ]
    write_jsonl(tmp_path / "run.jsonl", rows)
    words = [str(home / "cases"), "--design", "pooled_by_donor", "--baselines", str(home / "pooled_by_donor.parquet")]
    words += ["--run", "tiny/raft", str(tmp_path / "run.jsonl"), "--out", str(tmp_path / "scores"), "--settings", SETTINGS]
    assert cell_scores.main(words) == 0
    told = json.loads((tmp_path / "scores/metrics.json").read_text())
    found = {(row["predictor"], row["metric"], row["scope"], row["group"]): row for row in told["records"]}
    model, regression = (found[name, "auroc", "mean_of_folds", None] for name in ("tiny/raft", "logistic_regression"))
    assert (model["n"], regression["n"]) == (len(some), len(table))
    folds_of = some.groupby("fold")
    by_hand = np.mean([roc_auc_score(cases.loc[part["case_id"], "responder"], part["logistic_regression"]) for _, part in folds_of])
    assert model["estimate"] == pytest.approx(by_hand)
    assert model["lower"] < model["estimate"] < model["upper"]
    assert found["tiny/raft", "auroc_difference", "mean_of_folds", None]["n"] == len(some)
    assert ("signature", "f1", "mean_of_folds", None) not in found
    levels = [row for row in told["records"] if row["scope"] == "data_set" and row["predictor"] == "oracle"]
    assert sum(row["n"] for row in levels) == len(table)


def test_predictions_of_another_fold_are_refused(home: Path, tmp_path: Path) -> None:
    table = pd.read_parquet(home / "pooled_by_donor.parquet").iloc[0]
    patient = pd.read_parquet(home / "cases/cases.parquet").set_index("case_id").loc[table["case_id"], "patient_id"]
    write_jsonl(
        tmp_path / "run.jsonl", [{"case_id": table["case_id"], "patient_id": patient, "fold": int(table["fold"]) + 1, "score": 0.5}]
    )
    words = [str(home / "cases"), "--design", "pooled_by_donor", "--baselines", str(home / "pooled_by_donor.parquet")]
    with pytest.raises(InputError, match="expected predictions by the fold that holds the case out"):
        cell_scores.main([*words, "--run", "m/s", str(tmp_path / "run.jsonl"), "--out", str(tmp_path / "scores"), "--settings", SETTINGS])


def test_a_gene_that_a_score_counts_is_the_one_that_moves_it(home: Path, tmp_path: Path) -> None:
    learned, held = written(home, "pooled_by_donor", 0, tmp_path)
    words = [str(tmp_path / "heldout.jsonl"), "--train", str(tmp_path / "train.jsonl"), "--out", str(tmp_path / "removals.jsonl")]
    assert removals.main([*words, "--settings", SETTINGS]) == 0
    rows = read_jsonl(tmp_path / "removals.jsonl")
    genes = Counter(row["case_id"].partition("#without-")[2] for row in rows)
    assert genes.pop("") == 15
    wanted = genes.most_common(1)[0][0]
    for row in rows:
        row["score"] = 0.7 if wanted in genes_in(row["input"]) else 0.4
    write_jsonl(tmp_path / "scored.jsonl", rows)
    assert markers.main([str(tmp_path / "scored.jsonl"), "--out", str(tmp_path / "markers.csv"), "--settings", SETTINGS]) == 0
    table = pd.read_csv(tmp_path / "markers.csv")
    assert table.iloc[0]["gene"] == wanted
    assert table.iloc[0]["change"] == pytest.approx(np.log(0.4 / 0.6) - np.log(0.7 / 0.3))
    assert (table["change"].iloc[1:] == 0).all()
    assert not {row["case_id"] for row in held} - {row["case_id"] for row in read_jsonl(home / "prompts.jsonl")}
    assert learned


def test_a_gene_is_taken_out_and_the_rest_stays() -> None:
    row = {"case_id": "c", "input": "Drug: x.\nGenes: A, AB, B"}
    assert without(row, "A") == {"case_id": "c#without-A", "input": "Drug: x.\nGenes: AB, B"}
    assert genes_in("Genes: ") == []


def test_a_real_file_is_taken_by_declaration_without_regimen_or_tissue(tmp_path: Path) -> None:
    path = made.write(tmp_path / "one.h5ad")
    settings = json.dumps(
        {"cell_study": {"minimum_genes": 1, "maximum_mitochondrial": 1, "columns": {"regimen": None, "tissue": None, "cancer": None}}}
    )
    assert find_cases.main([str(path), "--out", str(tmp_path / "cases"), "--settings", settings]) == 0
    cases = pd.read_parquet(tmp_path / "cases/cases.parquet")
    assert (set(cases["tissue"]), set(cases["therapy_class"])) == ({"not stated"}, {"Chemo", "Targeted"})


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["raft", "zero_shot", "few_shot"])
def test_the_engine_of_treatment_cases_trains_on_cells_and_scores_them_also_without_training(
    home: Path, tmp_path: Path, kind: str, tiny_base: Path
) -> None:
    _, held = written(home, "pooled_by_donor", 0, tmp_path)
    weight = 1.0 if kind == "raft" else 0.0
    strategy = {"language_model_weight": weight, "score_weight": weight, "examples": 2 if kind == "few_shot" else 0}
    out = tmp_path / "fold/predictions/heldout.jsonl"
    words = [str(tmp_path / "heldout.jsonl"), "--base", str(tiny_base), "--out", str(out), "--threads", "1"]
    if kind == "raft":
        settings = json.dumps({"strategy": strategy, "adapter": {"rank": 4}, "training": {"epochs": 1}})
        given = [
            str(tmp_path / "train.jsonl"),
            "--base",
            str(tiny_base),
            "--out",
            str(tmp_path / "fold"),
            "--state",
            str(tmp_path / "state"),
        ]
        assert train.main([*given, "--threads", "1", "--settings", settings]) == 0
        words += ["--fold-model", str(tmp_path / "fold")]
    if kind == "few_shot":
        words += ["--examples", str(tmp_path / "train.jsonl")]
    assert infer.main([*words, "--settings", json.dumps({"strategy": strategy, "inference": {"rationales": 0, "score_only": True}})]) == 0
    rows = read_jsonl(out)
    assert {row["case_id"] for row in rows} == {row["case_id"] for row in held}
    if kind == "raft":
        # Training a fold again leaves the predictions beside it alone.
        assert train.main([*given, "--threads", "1", "--settings", settings]) == 0
        assert out.is_file()
    assert all(0 <= row["score"] <= 1 for row in rows)


@pytest.fixture(scope="session")
def tiny_base(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that has hardly read the twin's prompts and answers."""
    folder = tmp_path_factory.mktemp("base")
    words = [str(home / "cases"), "--prompts", str(home / "prompts.jsonl"), "--all", str(folder / "corpus.jsonl"), "--settings", SETTINGS]
    assert split.main(words) == 0
    build = {"hidden_size": 32, "layers": 1, "heads": 2, "key_value_heads": 1, "intermediate_size": 32, "vocabulary_size": 400, "steps": 3}
    settings = json.dumps({"model": {"build": build | {"batch_size": 4}}})
    assert tiny.main([str(folder / "corpus.jsonl"), "--out", str(folder / "base"), "--threads", "1", "--settings", settings]) == 0
    return folder / "base"
