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
