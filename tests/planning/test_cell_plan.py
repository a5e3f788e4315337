"""Single-cell cohorts in the configuration: what is refused, and what each rule is told to depend on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.planning.config import CellStudy
from oncoraft.planning.plan import Plan
from oncoraft.planning.steps import STEPS


def plan_of(**blocks: Any) -> Plan:
    return Plan({"models": {"tiny": {"build": {}}}} | blocks)


@pytest.mark.parametrize(
    ("study", "said"),
    [
        ({"designs": {"by_cell": 3}}, "cells.lung.designs.by_cell"),
        ({"designs": {"pooled_by_donor": 1}}, "designs.pooled_by_donor: expected 2 to 50 folds, found 1"),
        ({"model_designs": ["leave_drug_out"], "designs": {"pooled_by_donor": 3}}, "model_designs: expected designs of `designs`"),
        ({"times": ["before"]}, "times: expected columns.time beside it"),
        ({"unit": "donor"}, "designs.pooled_by_cell: expected unit cell"),
        ({"models": ["large"]}, "cells.lung.models: expected one of tiny, found 'large'"),
        ({"strategies": ["sft"]}, "cells.lung.strategies: expected one of raft, found 'sft'"),
        ({"files": ["a{b}.h5ad"]}, "expected a path without braces"),
        ({"matrix": "layer"}, "cells.lung.matrix"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_in_one_line(study: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        plan_of(cells={"lung": study})
    assert said in str(caught.value)


def test_a_negative_control_is_not_learned_by_on_cells() -> None:
    with pytest.raises(InputError, match="expected a supervised strategy of its own model"):
        plan_of(cells={"lung": {"strategies": ["shuffled"]}}, strategies={"shuffled": {"control": "permuted_labels"}})


def test_a_change_reaches_the_rules_that_read_it_and_no_others() -> None:
    def changed(**study: Any) -> set[str]:
        steps = (
            "twin-cells",
            "cell-cases",
            "cell-folds",
            "cell-prompts",
            "cell-split",
            "cell-expression",
            "cell-baselines",
            "cell-scores",
            "cell-removals",
        )
        one, other = (plan_of(cells={"lung": values}) for values in ({}, study))
        return {step for step in steps if one.cells.settings(step, "lung", "demo") != other.cells.settings(step, "lung", "demo")}

    assert changed(bootstrap=50) == {"cell-scores"}
    assert changed(token_budget=100) == {"cell-prompts"}
    assert changed(max_heldout_cases=50) == {"cell-split"}
    assert changed(marker_genes=3) == {"cell-removals"}
    assert changed(variable_genes=77) == {"cell-expression", "cell-baselines"}
    assert changed(strategies=("raft",), models=("tiny",)) == set()
    assert changed(twin={"donors": 9}) == {"twin-cells"}
    assert changed(designs={"pooled_by_donor": 3}) == {"cell-folds", "cell-baselines"}
    assert "twin-cells" not in changed(genes_shown=12)


@pytest.mark.parametrize("study", [{}, {"unit": "donor", "designs": {"leave_dataset_out": 3}, "model_designs": ["leave_dataset_out"]}])
def test_what_a_step_is_told_is_a_whole_block_of_settings(study: dict[str, Any]) -> None:
    plan = plan_of(cells={"lung": study})
    for step in [name for name, one in STEPS.items() if "cell_study" in one.blocks]:
        told = json.loads(plan.cells.settings(step, "lung", "demo"))["cell_study"]
        assert CellStudy.model_validate(told).unit == (study.get("unit", "cell") if step != "twin-cells" else "cell")


def test_files_that_are_not_there_are_named_before_anything_runs() -> None:
    plan = plan_of(cells={"lung": {"files": ["lung.h5ad"], "gene_table": "ids.csv"}})
    assert plan.missing() == [f"{file}: no such file (configuration block `cells` or `cell_models`)" for file in ("lung.h5ad", "ids.csv")]
    assert plan.cells.data_files("demo", "lung") == ["lung.h5ad"]
    assert not plan.cells.is_twin("lung")


def test_a_tiny_model_reads_cells_of_another_population_first_where_that_is_asked() -> None:
    plan = plan_of(cells={"lung": {"pretraining": {"seed": 9, "donors": 12}}, "other": {}})
    assert (plan.cells.has_own_base("tiny", "lung"), plan.cells.has_own_base("tiny", "other")) == (True, False)
    first, own = (json.loads(plan.cells.settings("twin-cells", "lung", cohort))["cell_study"]["twin"] for cohort in ("pretraining", "demo"))
    assert (first["seed"], first["donors"]) == (9, 12)
    assert own["seed"] != 9
    real = plan_of(cells={"lung": {"files": ["a.h5ad"], "matrix": "raw", "genes_shown": 40, "pretraining": {"donors": 12}}})
    first = json.loads(real.cells.settings("cell-cases", "lung", "pretraining"))["cell_study"]
    assert (first["files"], first["matrix"], first["columns"]["time"], first["genes_shown"]) == ([], "X", "timepoint", 40)
    built = json.loads(plan.cells.settings("base-model", "lung", model="tiny"))["model"]["build"]
    assert built["hidden_size"] == 64
    assert plan.cells.with_own_base() == "lung"


def test_marker_genes_are_asked_of_the_first_strategy_with_a_score_head() -> None:
    strategies = {"zero": {"language_model_weight": 0, "score_weight": 0}, "raft": {}}
    plan = plan_of(cells={"lung": {"strategies": ["zero", "raft"]}}, strategies=strategies)
    assert plan.cells.marked("lung") == ("tiny", "raft", "pooled_by_donor")
    assert plan_of(cells={"lung": {"strategies": ["zero"]}}, strategies=strategies).cells.marked("lung") is None
    assert plan_of(cells={"lung": {"marker_genes": 0}}).cells.marked("lung") is None


def test_without_cohorts_of_cells_the_wildcards_match_nothing() -> None:
    assert plan_of().cells.patterns() == dict.fromkeys(("cells", "cell_design", "cell_model"), "(?!)")


def test_no_example_is_shown_where_it_could_be_of_the_donor_who_is_asked_about() -> None:
    strategies = {"raft": {}, "few": {"language_model_weight": 0, "score_weight": 0, "examples": 4}}
    plan = plan_of(cells={"lung": {"strategies": ["raft", "few"]}}, strategies=strategies)
    assert set(plan.cells.runs("lung", "demo", "pooled_by_donor")) == {"tiny/raft", "tiny/few"}
    assert set(plan.cells.runs("lung", "demo", "pooled_by_cell")) == {"tiny/raft"}


def test_models_of_cells_are_judged_beside_language_models_and_their_files_decide_reruns() -> None:
    strategies = {"raft": {}, "frozen": {"adapter": False, "language_model_weight": 0}}
    blocks = {"strategies": strategies, "cell_models": {"former": {"path": "former", "vocabulary": "tokens.json"}}}
    plan = plan_of(cells={"lung": {"cell_models": ["former"], "cell_strategies": ["frozen"]}}, **blocks)
    assert set(plan.cells.runs("lung", "demo", "leave_dataset_out")) == {"tiny/raft", "former/frozen"}
    assert plan.cells.model_files("former") == ["former/config.json", "tokens.json"]
    assert len(plan.missing()) == 2
    with pytest.raises(InputError, match="expected language_model_weight 0 and a score loss, found 'raft'"):
        plan_of(cells={"lung": {"cell_models": ["former"], "cell_strategies": ["raft"]}}, **blocks)
    with pytest.raises(InputError, match="cell_models: expected cell_strategies beside it"):
        plan_of(cells={"lung": {"cell_models": ["former"]}}, **blocks)
