"""Final models by the digest of their configuration, probes that change nothing of other strategies, and pooled designs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.planning.plan import Plan

MODELS: dict[str, Any] = {"models": {"tiny": {"build": {}}}}
BPC = {"bpc": {"role": "validate", "reader": "genie_bpc"}}
PROBE = {"adapter": False, "language_model_weight": 0, "probe": "end_of_prompt"}


def name(**values: Any) -> str:
    return Plan(MODELS | {"final": {"strategies": ["raft"]}} | values).final_name("tiny", "raft")


def test_equal_configurations_give_equal_names_and_what_changes_the_model_another() -> None:
    assert name() == name(evaluation={"bootstrap": 300}, cohorts=BPC)
    others = [
        name(training={"epochs": 2}),
        name(labels={"window_days": 150}),
        name(cohort="other"),
        name(strategies={"raft": {"score_loss": "mse"}}),
        name(pretraining={"patients": 300}),
    ]
    assert len({name(), *others}) == 6


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"final": {"strategies": ["rft"]}}, "final.strategies: expected supervised strategies that train, raft, found 'rft'"),
        (
            {"final": {"strategies": ["p"]}, "strategies": {"raft": {}, "p": PROBE}},
            "final.strategies: expected supervised strategies that train, raft",
        ),
        ({"strategies": {"p": PROBE | {"adapter": True}}}, "probe: expected adapter: false"),
        ({"strategies": {"p": PROBE | {"score_weight": 0}}}, "probe: expected score_weight above 0"),
        ({"strategies": {"p": PROBE | {"probe": "middle"}}}, "strategies.p.probe"),
        ({"pooling": {"designs": ["kfold"]}}, "pooling.designs: expected a cohort of role validate to pool with"),
        ({"pooling": {"designs": ["kfold", "kfold"]}, "cohorts": BPC}, "pooling: designs: expected each design once"),
        ({"cohorts": {"pooled": BPC["bpc"]}}, "cohorts.pooled: 'pooled' is the name of all cohorts together"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Plan(MODELS | values)
    assert message in str(caught.value)


def test_that_probes_exist_changes_no_setting_of_a_strategy_without_one() -> None:
    """Its rules then stand, and so do the models that were trained before."""
    alone = json.loads(Plan(MODELS).settings("train", model="tiny", strategy="raft"))["strategy"]
    assert "probe" not in alone
    told = json.loads(Plan(MODELS | {"strategies": {"p": PROBE}}).settings("probe", strategy="p"))["strategy"]
    assert told["probe"] == "end_of_prompt"


def test_where_texts_lie_names_no_other_final_model_and_changes_no_setting_where_they_are_copied() -> None:
    assert name(split={"texts": "referred"}) == name()
    assert name(split={"max_training_cases": 100}) != name()
    told = [json.loads(Plan(MODELS | {"split": {"texts": texts}}).settings("split"))["split"] for texts in ("copied", "referred")]
    assert told[0] == json.loads(Plan(MODELS).settings("split"))["split"] == {"max_training_cases": None, "control_seed": 59}
    assert told[1] == told[0] | {"texts": "referred"}
    assert "split" not in json.loads(Plan(MODELS).settings("train", model="tiny", strategy="raft"))


def test_a_pooled_cohort_has_a_fold_a_cohort_and_no_truth() -> None:
    plan = Plan(MODELS | {"cohorts": BPC, "pooling": {"designs": ["leave_cohort_out"]}})
    assert plan.cohorts[-1] == "pooled"
    assert list(plan.folds("leave_cohort_out")) == [0, 1]
    assert not plan.has_truth("pooled")
    assert plan.designs() == ["kfold", "leave_cohort_out"]
