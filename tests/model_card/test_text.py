"""The model card: the hub can read its metadata, its numbers are the run's, and what is not known is not made up."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from oncoraft.foundation.errors import InputError
from oncoraft.model_card.card import TWIN, Card, base_name, licence_of, read_card
from oncoraft.model_card.text import NOT_EVALUATED, SMALLEST, licence, model_card
from oncoraft.twin.meta import STUDY_ID


def record(metric: str, scope: str, estimate: float | None, **more: Any) -> dict[str, Any]:
    spread = {"lower": None, "upper": None} if estimate is None else {"lower": estimate - 0.1, "upper": estimate + 0.1}
    base = {"predictor": "model", "reference": None, "metric": metric, "scope": scope, "group": None, "estimate": estimate}
    return base | spread | {"n": 1234, "events": 456, "flags": ""} | more


METRICS = [
    record("auroc", "mean_of_folds", 0.7),
    record("auroc", "fold", 0.65, group="1"),
    record("auprc", "mean_of_folds", 0.5),
    record("brier", "as_delivered", 0.2),
    record("auroc_difference", "mean_of_folds", 0.03, reference="regimen_prior"),
    record("auroc", "cancer_type", 0.72, group="Lung | Cancer"),
    record("auroc", "subgroup", 0.69, group="sex: female", n=700, events=210),
    record("auroc", "subgroup", None, group="race: other", n=12, events=None),
]
TRAINED = {
    "settings": {
        "strategy": {"adapter": True, "language_model_weight": 1.0, "score_weight": 0.5, "score_loss": "bce"},
        "adapter": {"rank": 16, "alpha": 32.0, "target_modules": ["q_proj", "v_proj"]},
        "training": {"epochs": 3, "global_batch_size": 8, "learning_rate": 1e-5, "score_head_learning_rate": 3e-5, "seed": 37},
    },
    "counts": {"cases": 900, "patients": 500, "processes": 2},
    "versions": {"oncoraft": "0.1.0", "torch": "2.13.0"},
}
CHORD = {
    "identifier": "msk_chord_2024",
    "name": "MSK-CHORD (MSK, Nature 2024)",
    "release": "MSK-CHORD (msk_chord_2024): 22 of 24 files are known",
}
CARD = Card(
    "qwen3-8b raft kfold",
    "Qwen3-8B",
    study=CHORD,
    is_synthetic=False,
    metrics=METRICS,
    fold=1,
    training=TRAINED,
    tokens=123456,
    hours=1.5,
    definition="strict",
)


def read(card: Card) -> ModelCard:
    """As the hub's library reads it; metadata that it cannot parse are an error."""
    return ModelCard(model_card(card), ignore_metadata_errors=False)


PROBED = {
    "step": "probe",
    "settings": {
        "strategy": {"adapter": False, "language_model_weight": 0.0, "score_weight": 1.0, "score_loss": "bce", "probe": "end_of_prompt"}
    },
    "counts": {"cases": 1954, "training_cases": 900, "tuning_cases": 141, "strength": 0.001},
    "versions": {"oncoraft": "0.1.0"},
}


def test_a_linear_probe_is_told_as_what_it_is_and_not_as_a_fine_tuned_model() -> None:
    text = model_card(dataclasses.replace(CARD, training=PROBED, tokens=0, hours=0.0))
    assert "Qwen3-8B, frozen, and a logistic regression" in text
    assert "read at end of prompt" in text
    assert "C = 0.001, of least log loss on the 141 cases of the tuning patients" in text
    assert "900 cases" in text
    assert not [word for word in ("fine-tuned", "epochs", "score_head.pt", "processes") if word in text]
    assert ModelCard(text, ignore_metadata_errors=False).data.base_model == "Qwen3-8B"


def test_the_hub_reads_licence_base_data_and_results() -> None:
    data = read(CARD).data
    assert (data.license, data.base_model, data.library_name, data.pipeline_tag) == (
        "cc-by-nc-nd-4.0",
        "Qwen3-8B",
        "transformers",
        "text-generation",
    )
    assert data.datasets == ["msk_chord_2024"]
    assert {"oncology", "lora", "not-for-clinical-use"} <= set(data.tags)
    assert "synthetic-data" not in data.tags
    found = {one.metric_type: one.metric_value for one in data.eval_results}
    assert found == {"roc_auc": 0.7, "average_precision": 0.5, "brier_score": 0.2}
    assert {one.dataset_type for one in data.eval_results} == {"msk_chord_2024"}
    assert next(one.metric_args for one in data.eval_results if one.metric_type == "roc_auc")["lower"] == pytest.approx(0.6)


def test_numbers_carry_intervals_and_subgroups_no_counts() -> None:
    text = read(CARD).text
    assert "1,234 held-out cases, 456 of them responders" in text
    assert "| AUROC, mean of held-out folds | 0.700 (0.600 to 0.800) |" in text
    assert "| AUROC of this fold's own held-out cases | 0.650 (0.550 to 0.750) |" in text
    assert "| AUROC less that of regimen prior | 0.030" in text
    assert "| Lung \\| Cancer | 0.720" in text
    assert "| sex: female | 0.690" in text
    assert "| race: other | too few cases |" in text
    assert "210" not in text
    assert "123,456 tokens in 1.50 hours, 2 processes" in text
    assert "nothing derived from it may be passed on" in text


def test_small_counts_are_not_told() -> None:
    few = [row | {"events": SMALLEST - 1} if row["scope"] == "mean_of_folds" else row for row in METRICS]
    assert f"<{SMALLEST} of them responders" in read(dataclasses.replace(CARD, metrics=few)).text


def test_a_model_without_metrics_says_so_and_claims_nothing() -> None:
    card = read(dataclasses.replace(CARD, metrics=[]))
    assert NOT_EVALUATED in card.text
    assert card.data.eval_results is None
    assert "model-index" not in card.content


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"is_synthetic": None, "study": {}}, {"license": "other", "license_name": "not-known"}),
        (
            {"is_synthetic": False, "study": {"identifier": "own", "release": None}},
            {"license": "other", "license_name": "terms-of-the-study"},
        ),
        ({"is_synthetic": True, "study": {"identifier": TWIN}, "is_base_built": True}, {"license": "apache-2.0"}),
        ({"is_synthetic": True, "study": {"identifier": TWIN}, "base_licence": "llama3.1"}, {"license": "llama3.1"}),
        ({"is_synthetic": True, "study": {"identifier": TWIN}}, {"license": "other", "license_name": "terms-of-the-base-model"}),
    ],
)
def test_the_licence_is_that_of_what_binds_the_weights(more: dict[str, Any], said: dict[str, str]) -> None:
    card = dataclasses.replace(CARD, **more)
    assert licence(card) == said
    assert read(card).data.license == said["license"]


def test_text_of_a_study_is_no_markup() -> None:
    hostile = {"identifier": "x\n---\nlicense: mit", "name": "<script>alert(1)</script>", "release": "[a](javascript:x) `b`\n# c"}
    card = read(dataclasses.replace(CARD, study=hostile, definition="</p><b>", base="a/b<c"))
    assert card.data.license == "cc-by-nc-nd-4.0"
    assert "<script>" not in card.text
    assert not re.search(r"(?<!\\)\]\(javascript", card.text)
    assert "\n# c" not in card.text


def test_the_name_of_the_twin_is_the_one_that_it_writes() -> None:
    assert TWIN == STUDY_ID


def test_a_fold_that_stands_alone_is_told_by_what_is_there(tmp_path: Path) -> None:
    fold = tmp_path / "somebody" / "secret" / "fold-3"
    fold.mkdir(parents=True)
    (fold / "manifest.json").write_text(json.dumps({"inputs": {}, "settings": {}, "counts": {}}))
    card = read_card(fold.parent, 3, own=fold)
    assert (card.metrics, card.is_synthetic, card.fold) == ([], None, 3)
    assert not {"somebody", "secret"} & set(model_card(card).replace("/", " ").split())


def test_the_base_is_called_by_its_name_on_the_hub_and_its_licence_is_its_own_cards(tmp_path: Path) -> None:
    base = tmp_path / "Qwen3-8B"
    base.mkdir()
    (base / "config.json").write_text('{"_name_or_path": ""}')
    assert base_name(base, "other") == "Qwen3-8B"
    (base / "config.json").write_text('{"_name_or_path": "Qwen/Qwen3-8B"}')
    assert base_name(base, "other") == "Qwen/Qwen3-8B"
    assert licence_of(base) is None
    (base / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Qwen")
    assert licence_of(base) == "apache-2.0"
    (base / "README.md").write_text("---\nlicense: [a\n---\n")
    assert licence_of(base) is None


def test_a_torn_file_of_the_run_is_named(tmp_path: Path) -> None:
    run = tmp_path / "results" / "model" / "raft" / "kfold"
    (run / "metrics").mkdir(parents=True)
    (run / "metrics" / "metrics.json").write_text('[{"a": ')
    with pytest.raises(InputError, match=r"metrics\.json"):
        read_card(run)
