"""Text tasks in the configuration: what is refused, and what each rule is told to depend on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.planning.plan import Plan


def plan_of(**blocks: Any) -> Plan:
    return Plan({"models": {"tiny": {"build": {}}}} | blocks)


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ({"tasks": {"icd11": {}}}, "tasks.icd11.kind: expected one of drug_regimen, file, icd10"),
        ({"tasks": {"mine": {"kind": "file"}}}, "tasks.mine.file: expected a file just where the kind is file"),
        ({"tasks": {"icd10": {"file": "cases.csv"}}}, "tasks.icd10.file: expected a file just where the kind is file"),
        ({"tasks": {"icd10": {"parts": "from_file"}}}, "tasks.icd10.parts: expected by_patient"),
        ({"tasks": {"modality": {}}, "study": "study"}, "tasks.modality: expected radiation.courses"),
        ({"tasks": {"ICD": {}}}, "tasks.ICD"),
        ({"tasks": {"icd10": {"strategy": "raft"}}}, "tasks.icd10.strategy: expected choices scored or trie beside raft"),
        ({"tasks": {"icd10": {"heldout_folds": 6}}}, "tasks.icd10.heldout_folds: expected at most folds.folds, 5, found 6"),
        ({"strategies": {"odd": {"score_loss": "choices"}}}, "strategies.odd.score_loss: expected bce or mse"),
        ({"models": {"tasks": {"build": {}}}}, "'tasks' is the name of a results folder"),
        ({"tasks": {"mine": {"kind": "file", "file": "a{b}.csv"}}}, "tasks.mine.file: expected a path without braces"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(blocks: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said.replace(".", r"\.").replace("{", r"\{")):
        plan_of(**blocks)


def test_a_name_may_differ_from_its_kind() -> None:
    plan = plan_of(tasks={"codes": {"kind": "icd10"}, "radiation-start": {}})
    assert plan.tasks.task("codes").kind == "icd10"
    assert plan.tasks.task("radiation-start").kind == "radiation_start"
    assert (plan.tasks.names("tables"), plan.tasks.names("cohort"), plan.tasks.pattern("file")) == (["codes"], ["radiation-start"], "(?!)")


def test_folds_are_those_of_the_patients_hash_whatever_the_designs_of_response() -> None:
    plan = plan_of(tasks={"icd10": {}}, folds={"designs": ["kfold_stratified"], "folds": 4, "seed": 3})
    told = json.loads(plan.tasks.settings("folds", "icd10"))["folds"]
    assert (told["designs"], told["folds"], told["seed"]) == (["kfold"], 4, 3)
    assert list(plan.tasks.folds("icd10")) == [0, 1, 2, 3]


def test_a_file_with_parts_of_its_own_has_one_fold() -> None:
    plan = plan_of(tasks={"mine": {"kind": "file", "file": "cases.csv", "parts": "from_file"}})
    assert list(plan.tasks.folds("mine")) == [0]
    assert plan.missing() == ["cases.csv: no such file (configuration block `tasks` or `radiation`)"]


def test_each_rule_depends_on_its_own_task_and_nothing_of_the_others() -> None:
    one, other = (plan_of(tasks={"icd10": {"token_budget": budget}, "drug_regimen": {}}) for budget in (256, 512))
    assert one.tasks.settings("task-prompts", "icd10") != other.tasks.settings("task-prompts", "icd10")
    assert one.tasks.settings("task-prompts", "drug_regimen") == other.tasks.settings("task-prompts", "drug_regimen")
    assert one.tasks.settings("train", "icd10") == other.tasks.settings("train", "icd10")


def test_the_base_answers_untrained_and_the_tuned_model_learns_text_alone() -> None:
    plan = plan_of(tasks={"icd10": {"max_answer_tokens": 7}})
    base, tuned = (json.loads(plan.tasks.settings("infer", "icd10", answerer)) for answerer in ("base", "tuned"))
    assert (base["strategy"]["language_model_weight"], base["strategy"]["score_weight"]) == (0, 0)
    assert (tuned["strategy"]["language_model_weight"], tuned["strategy"]["score_weight"]) == (1, 0)
    assert (tuned["inference"]["temperature"], tuned["inference"]["max_new_tokens"], tuned["inference"]["rationales"]) == (0, 7, None)


def test_of_raft_training_and_choosing_know_the_head_and_writing_does_not() -> None:
    plan = plan_of(tasks={"icd10": {"strategy": "raft", "choices": "trie", "head_weight": 0.5}, "modality": {"choices": "scored"}})
    told = {
        step: json.loads(plan.tasks.settings(step, "icd10", answerer))["strategy"]
        for step, answerer in (("train", "tuned"), ("task-choices", "tuned"), ("infer", "tuned"))
    }
    assert [(one["score_weight"], one["score_loss"]) for one in told.values()] == [(0.5, "choices"), (0.5, "choices"), (0, "bce")]
    base = json.loads(plan.tasks.settings("task-choices", "icd10", "base"))["strategy"]
    assert (base["language_model_weight"], base["score_weight"]) == (0, 0)
    assert (plan.tasks.trained_by("raft"), plan.tasks.trained_by("lm_only")) == ("icd10", "modality")


def test_the_first_folds_alone_may_be_held_out() -> None:
    assert list(plan_of(tasks={"icd10": {"heldout_folds": 2}}).tasks.folds("icd10")) == [0, 1]


def test_the_tasks_adapter_is_that_of_response_unless_it_has_its_own() -> None:
    same, own = (plan_of(tasks={"icd10": {}}, adapter={"rank": 4}, task_adapter=one) for one in (None, {"rank": 8}))
    assert json.loads(same.tasks.settings("train", "icd10"))["adapter"]["rank"] == 4
    assert json.loads(own.tasks.settings("train", "icd10"))["adapter"]["rank"] == 8


def test_a_task_on_the_same_courses_takes_the_evidence_of_the_one_before_it_and_changes_nothing_of_that() -> None:
    plan = plan_of(tasks={"radiation_regimen": {}, "icd10": {}, "modality": {}})
    assert [plan.tasks.shares_evidence_of(name) for name in plan.tasks.names()] == [None, None, "radiation_regimen"]
    assert plan_of(tasks={"modality": {}}).tasks.shares_evidence_of("modality") is None


@pytest.mark.parametrize(
    ("setting", "value", "steps"),
    [
        ("bootstrap", 99, {"task-scores"}),
        ("token_budget", 99, {"task-prompts"}),
        ("max_heldout_cases", 9, {"task-split"}),
        ("horizon_days", 9, {"task-cases"}),
        ("choices", "scored", set()),
        ("seed", 9, {"task-split", "task-baselines", "task-scores"}),
    ],
)
def test_a_setting_of_a_task_is_told_to_the_steps_that_read_it_alone(setting: str, value: object, steps: set[str]) -> None:
    plain, changed = plan_of(tasks={"icd10": {}}), plan_of(tasks={"icd10": {setting: value}})
    asked = (
        "task-cases",
        "task-prompts",
        "task-split",
        "task-baselines",
        "task-scores",
        "folds",
        "evidence",
        "train",
        "infer",
        "task-choices",
    )
    assert {step for step in asked if plain.tasks.settings(step, "icd10") != changed.tasks.settings(step, "icd10")} == steps


def test_a_law_of_the_twin_stands_beside_the_tasks_that_it_draws_by_itself() -> None:
    plan = plan_of(tasks={name: {} for name in ("icd10", "drug_regimen", "radiation_start", "modality", "radiation_regimen")})
    assert [name for name in plan.tasks.names() if plan.tasks.has_law(name)] == ["icd10", "drug_regimen", "radiation_start"]
