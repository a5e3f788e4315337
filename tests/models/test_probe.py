"""Linear probes: the penalty is chosen on tuning patients, what is written reads like any fold's, and nothing of a second cohort is learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from oncoraft.foundation.errors import InputError
from oncoraft.models.linear_probe import STRENGTHS, fitted, read_embeddings, read_probe
from oncoraft.models.probe import main as probe

WIDTH = 12
SETTINGS = json.dumps({"strategy": {"adapter": False, "language_model_weight": 0, "probe": "mean_of_prompt"}})


def world(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of which one direction tells the response, not surely."""
    draw = np.random.default_rng(seed)
    vectors = draw.normal(size=(count, WIDTH)) * np.arange(1, WIDTH + 1)
    return vectors, draw.uniform(size=count) < 1 / (1 + np.exp(-vectors[:, 2]))


def test_the_penalty_is_the_one_of_least_loss_on_tuning_cases_and_the_fit_is_that_of_the_library() -> None:
    (x, y), (z, told) = world(80, 1), world(60, 2)
    found = fitted(x, y, z, told, "end_of_prompt")
    mean, scale = x.mean(axis=0), x.std(axis=0)
    losses = {}
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=2000).fit((x - mean) / scale, y)
        losses[strength] = log_loss(told, model.predict_proba((z - mean) / scale)[:, 1])
    assert found.strength == min(losses, key=lambda strength: losses[strength])
    assert [row["log_loss"] for row in found.chosen] == pytest.approx(list(losses.values()))
    model = LogisticRegression(C=found.strength, max_iter=2000).fit((x - mean) / scale, y)
    assert found.logits(z) == pytest.approx(model.decision_function((z - mean) / scale))


def test_without_both_classes_among_tuning_patients_nothing_is_chosen_and_it_shows() -> None:
    x, y = world(80, 1)
    found = fitted(x, y, x[:3], np.ones(3, dtype=bool), "end_of_prompt")
    assert found.chosen == []
    assert found.strength == 1e-3


def written(home: Path, **labels: Any) -> list[str]:
    """A fold's files and embeddings of their cases."""
    x, y = world(130, 3)
    parts = {"train": range(80), "tuning": range(80, 110), "heldout": range(110, 130)}
    for name, numbers in parts.items():
        rows = [{"case_id": f"c{k}", "patient_id": f"p{k}", "fold": 1, "responder": labels.get(name, bool(y[k]))} for k in numbers]
        (home / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(x.astype(np.float32).ravel()), WIDTH)
    pq.write_table(pa.table({"case_id": [f"c{k}" for k in range(130)], "embedding": vectors}), home / "embeddings.parquet")
    words = [home / "heldout.jsonl", "--train", home / "train.jsonl", "--tuning", home / "tuning.jsonl"]
    words += ["--embeddings", home / "embeddings.parquet", "--shards", 2, "--out", home / "fold-1", "--settings", SETTINGS]
    return [str(word) for word in words]


def lines(home: Path, pattern: str) -> list[dict[str, Any]]:
    return [json.loads(line) for path in sorted(home.glob(pattern)) for line in path.read_text().splitlines()]


def test_shards_hold_every_case_once_in_the_form_of_inference(tmp_path: Path) -> None:
    assert probe(written(tmp_path)) == 0
    held, tuned = (lines(tmp_path, f"fold-1/predictions/{name}-*.jsonl") for name in ("shard", "tuning"))
    assert sorted(row["case_id"] for row in held) == sorted(f"c{k}" for k in range(110, 130))
    assert set(held[0]) == {"case_id", "patient_id", "fold", "logit", "score", "rationale", "score_from_text", "finish_reason"}
    assert all(isinstance(row["responder"], bool) for row in tuned)
    assert len(tuned) == 30
    assert (tmp_path / "fold-1" / "training_patients.txt").read_text().split() == sorted(f"p{k}" for k in range(80))
    kept = read_probe(tmp_path / "fold-1" / "probe.json")
    vectors = read_embeddings(tmp_path / "embeddings.parquet", [row["case_id"] for row in held])
    assert [row["logit"] for row in held] == pytest.approx(kept.logits(vectors))
    assert kept.read_at == "mean_of_prompt"


def test_held_out_labels_change_no_score(tmp_path: Path) -> None:
    found = []
    for name, label in (("one", True), ("other", False)):
        (tmp_path / name).mkdir()
        assert probe(written(tmp_path / name, heldout=label)) == 0
        found.append([row["logit"] for row in lines(tmp_path / name, "fold-1/predictions/shard-*.jsonl")])
    assert found[0] == found[1]


def test_an_earlier_fit_scores_another_cohort_alike(tmp_path: Path) -> None:
    assert probe(written(tmp_path)) == 0
    words = [tmp_path / "heldout.jsonl", "--fold-model", tmp_path / "fold-1", "--embeddings", tmp_path / "embeddings.parquet"]
    words += ["--shards", 2, "--out", tmp_path / "applied", "--settings", SETTINGS]
    assert probe([str(word) for word in words]) == 0
    assert lines(tmp_path, "applied/shard-*.jsonl") == lines(tmp_path, "fold-1/predictions/shard-*.jsonl")
    other = json.dumps({"strategy": {"adapter": False, "language_model_weight": 0, "probe": "end_of_prompt"}})
    with pytest.raises(InputError, match="expected a probe that reads at end_of_prompt, as the strategy says, found 'mean_of_prompt'"):
        probe([str(word) for word in [*words[:-1], other]])


def test_training_cases_of_one_class_and_cases_without_an_embedding_end_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected responders and non-responders; all 80 cases are of one class"):
        probe(written(tmp_path, train=True))
    with pytest.raises(InputError, match="expected an embedding of every case; 1 have none, the first, found 'x'"):
        read_embeddings(tmp_path / "embeddings.parquet", ["c1", "x"])


def test_a_tuning_patient_who_trains_is_refused(tmp_path: Path) -> None:
    words = written(tmp_path)
    path = tmp_path / "tuning.jsonl"
    path.write_text(path.read_text().replace('"p80"', '"p3"'))
    with pytest.raises(InputError, match="expected tuning patients who neither train nor are held out, found 'p3'"):
        probe(words)
