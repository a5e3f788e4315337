"""Single cells in one command, after a finished run: what runs, that it is whole, and exactly what a change reruns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from transformers import BertConfig, BertForMaskedLM

from .finished_run import FinishedRun, changed, count

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small-run")]

BLOOD: dict[str, Any] = {
    "twin": {"data_sets": 2, "donors": 10, "null_donors": 4, "cells": 8, "genes": 300},
    "columns": {"time": "timepoint", "doublet": "doublet"},
    "times": ["before"],
    "genes_shown": 12,
    "designs": {"pooled_by_donor": 2},
    "max_training_cases": 40,
    "max_heldout_cases": 20,
    "variable_genes": 50,
    "bootstrap": 50,
    "marker_genes": 2,
    "marker_cases": 5,
}
FIRST = {"cell_twin": 1, "cell_cases": 1, "cell_folds": 1, "cell_prompts": 1, "cell_split": 2, "cell_expression": 1, "cell_baselines": 1}
MARKED = {"cell_infer_removals": 1, "cell_markers": 1}
LAST = {"cell_scores": 1, "report": 1}
TRAINED = {"cell_train": 2, "cell_infer": 2, **MARKED, **LAST}
OF_BLOOD = FIRST | TRAINED | {"cell_removals": 1}
RUN = "tiny/cells/blood/raft/pooled_by_donor"


@pytest.fixture(scope="module")
def celled(finished_run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """The finished small run with a small cohort of cells on top, run."""
    run = finished_run.copy(tmp_path_factory.mktemp("cells") / "copy")
    run.setting(cells={"blood": BLOOD}, cell_training={"epochs": 1, "learning_rate": 1.0e-3})
    assert count(run.jobs()) == OF_BLOOD, "what is finished must not run again"
    done = run.execute("--quiet", "all")
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return run


def test_everything_is_current_and_verifies(celled: FinishedRun) -> None:
    assert celled.jobs() == []
    done = celled.oncoraft("verify", "results")
    assert done.returncode == 0, done.stdout + done.stderr


def test_models_and_baselines_are_measured_and_the_report_shows_them(celled: FinishedRun) -> None:
    told = json.loads((celled.results / "cells/blood/pooled_by_donor/scores/metrics.json").read_text())
    assert {"tiny/raft", "logistic_regression", "data_set_prior", "oracle"} <= {row["predictor"] for row in told["records"]}
    assert set(pd.read_csv(celled.results / RUN / "markers.csv")["gene"]) <= set(
        (celled.results / "cells/blood/cases/genes.txt").read_text().split()
    )
    assert "Single cells" in (celled.results / "report/index.html").read_text()


def test_a_setting_of_cells_reruns_the_steps_that_read_it_and_what_follows(celled: FinishedRun, tmp_path: Path) -> None:
    def of_blood(**settings: object) -> dict[str, int]:
        return changed(celled, tmp_path, cells={"blood": BLOOD | settings})

    assert of_blood(bootstrap=60) == {"cell_scores": 1, "cell_markers": 1, "report": 1}
    assert of_blood(marker_genes=3) == {"cell_removals": 1, **MARKED, "report": 1}
    assert of_blood(variable_genes=60) == {"cell_expression": 1, "cell_baselines": 1, **LAST}
    assert of_blood(max_training_cases=30) == {"cell_split": 2, "cell_removals": 1, **TRAINED}
    assert of_blood(token_budget=700) == {"cell_prompts": 1, "cell_split": 2, "cell_removals": 1, **TRAINED}
    assert of_blood(twin=BLOOD["twin"] | {"seed": 8}) == OF_BLOOD
    learning = changed(celled, tmp_path, cell_training={"epochs": 1, "learning_rate": 2.0e-3})
    assert learning == TRAINED
    assert not [rule for rule in changed(celled, tmp_path, training={"learning_rate": 2.0e-3}) if rule.startswith("cell_")]


def test_a_design_or_a_cohort_that_is_added_runs_its_own_jobs_and_the_report(celled: FinishedRun, tmp_path: Path) -> None:
    designs = changed(celled, tmp_path, cells={"blood": BLOOD | {"designs": {"pooled_by_donor": 2, "leave_dataset_out": 2}}})
    # One table of folds holds every design, so that what stands on it follows; cases, prompts and expression know of no design.
    twice = {rule: 2 * jobs for rule, jobs in TRAINED.items() if rule in {"cell_train", "cell_infer", "cell_scores"}}
    assert designs == TRAINED | twice | {"cell_folds": 1, "cell_split": 4, "cell_baselines": 2, "cell_removals": 1}
    assert changed(celled, tmp_path, cells={"second": BLOOD}) == OF_BLOOD


@pytest.mark.parametrize(
    ("path", "jobs"),
    [
        (f"{RUN}/fold-0/score_head.pt", {"cell_train": 1, "cell_infer": 1, **MARKED, **LAST}),
        (f"{RUN}/markers.csv", {"cell_markers": 1, "report": 1}),
        ("cells/blood/expression/map.csv", {"cell_expression": 1, "cell_baselines": 1, **LAST}),
        ("cells/blood/audit.json", {"cell_prompts": 1, "cell_split": 2, "cell_removals": 1, **TRAINED}),
    ],
)
def test_a_file_that_is_deleted_is_made_again_with_what_follows_from_it(
    celled: FinishedRun, tmp_path: Path, path: str, jobs: dict[str, int]
) -> None:
    run = celled.copy(tmp_path / "copy")
    run.overlays = celled.overlays
    (run.results / path).unlink()
    assert count(run.jobs()) == jobs


@pytest.mark.parametrize(
    ("file", "jobs"),
    [
        ("cells/markers.py", {"cell_markers": 1, "report": 1}),
        ("cells/twin_law.py", OF_BLOOD),
        ("training/cell_model.py", {}),  # no model of cells is asked for
    ],
)
def test_an_edit_of_one_steps_code_runs_that_step_and_what_follows(
    celled: FinishedRun, tmp_path: Path, file: str, jobs: dict[str, int]
) -> None:
    run = celled.copy(tmp_path / "copy")
    run.overlays = celled.overlays
    run.edit(file)
    assert count(run.jobs()) == jobs


def test_a_groups_own_files_are_inputs_by_their_content_and_a_model_of_cells_leaves_no_state(celled: FinishedRun, tmp_path: Path) -> None:
    run = celled.copy(tmp_path / "copy")
    run.overlays = celled.overlays
    torch.manual_seed(5)
    genes = (run.results / "cells/blood/cases/genes.txt").read_text().split()
    size = {"vocab_size": len(genes) + 3, "hidden_size": 16, "intermediate_size": 32, "max_position_embeddings": 16}
    BertForMaskedLM(BertConfig(**size, num_hidden_layers=1, num_attention_heads=2)).save_pretrained(run.run / "former")
    vocabulary = {"<pad>": 0, "<cls>": 1, "<eos>": 2} | {gene: 3 + place for place, gene in enumerate(genes)}
    (run.run / "tokens.json").write_text(json.dumps(vocabulary))
    twin = run.results / "cells/blood/twin/files"
    for number in (1, 2):
        (run.run / f"{number}.h5ad").write_bytes((twin / f"twin-{number}.h5ad").read_bytes())
    own = {name: value for name, value in BLOOD.items() if name != "twin"}
    own |= {"files": ["1.h5ad", "2.h5ad"], "strategies": [], "cell_models": ["former"], "cell_strategies": ["frozen"]}
    run.setting(
        cells={"own": own},
        cell_models={"former": {"path": "former", "vocabulary": "tokens.json", "gpus": 0}},
        strategies={"raft": {}, "frozen": {"adapter": False, "language_model_weight": 0}},
    )
    of_cells = {rule: jobs for rule, jobs in count(run.jobs()).items() if rule.startswith("cell_")}
    assert of_cells == {rule: jobs for rule, jobs in FIRST.items() if rule != "cell_twin"} | {"cell_model": 2, "cell_scores": 1}
    scores = "results/small/cells/own/pooled_by_donor/scores/metrics.json"
    done = run.execute(scores, "--quiet", "all")
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert "former/frozen" in {row["predictor"] for row in json.loads((run.run / scores).read_text())["records"]}
    home = run.results / "former/cells/own/frozen/pooled_by_donor"
    assert not list((home / "state").rglob("*.pt"))
    assert run.jobs(scores) == []
    (run.run / "tokens.json").write_text(json.dumps(vocabulary | {"UNHEARD": 3}))
    assert count(run.jobs(scores)) == {"cell_model": 2, "cell_scores": 1}
    file, other = run.run / "1.h5ad", run.run / "2.h5ad"
    file.write_bytes(other.read_bytes())
    assert count(run.jobs(scores))["cell_cases"] == 1
