"""The text model finds a label that is told, finds none that is not, and learns nothing from held-out or tuning patients."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import write_jsonl
from oncoraft.prompts.leakage import gather, judge, leakage, main

NUMBER = 240
NAMES = [f"c{place:03}" for place in range(NUMBER)]
DRAW = np.random.default_rng(8)
RESPONDER = DRAW.integers(0, 2, NUMBER).astype(bool)
NOISE = [" ".join(DRAW.choice(["lung", "liver", "bone", "brain", "node"], 6)) for _ in NAMES]


def study(rationales: list[str]) -> pd.DataFrame:
    labels = pd.DataFrame({"case_id": NAMES, "responder": RESPONDER.astype(object)})
    folds = pd.DataFrame({"case_id": NAMES, "fold": np.arange(NUMBER) % 3, "is_tuning": np.arange(NUMBER) % 10 == 0})
    prompts = [{"case_id": name, "input": text} for name, text in zip(NAMES, NOISE)]
    return gather(prompts, [{"case_id": name, "rationale": text} for name, text in zip(NAMES, rationales)], labels, folds)


def test_a_teacher_that_tells_the_label_is_seen_with_its_words() -> None:
    told = [f"{text} and so {'benefit' if yes else 'failure'} will follow" for text, yes in zip(NOISE, RESPONDER)]
    report = leakage(study(told))
    assert report["auroc_rationale"] > 0.99
    assert abs(report["auroc_prompt"] - 0.5) < 0.12  # noise; the standard error of an AUROC is about 0.065 for 40 and 40
    assert "benefit" in " ".join(report["words_for_response"])
    assert "failure" in " ".join(report["words_against_response"])
    assert report["folds_judged"] == 3
    assert [found["held_out"] for found in report["folds"]] == [80, 80, 80]
    assert [found["train"] for found in report["folds"]] == [144, 144, 144]  # 160 less 16 tuning patients


def test_equal_texts_differ_by_nothing() -> None:
    assert leakage(study(NOISE))["difference"] == pytest.approx(0.0, abs=1e-12)


def test_nothing_is_learned_from_held_out_or_tuning_patients() -> None:
    told = [f"{text} {'yes' if yes else 'no'}" for text, yes in zip(NOISE, RESPONDER)]
    frame = study(told)
    secret = [f"{text} mark{int(yes)}" for text, yes in zip(frame["prompt"], frame["responder"])]
    outside = (frame["fold"] == 0) | frame["is_tuning"]
    marked = frame.assign(rationale=np.where(outside, secret, frame["prompt"]))
    found = judge(marked, 0)
    assert found is not None
    assert abs(found["auroc_rationale"] - found["auroc_prompt"]) < 0.02  # a mark that training never saw tells nothing
    assert not any("mark" in word for word in found["weights"])


def test_folds_without_enough_of_a_class_are_counted_and_none_at_all_is_told() -> None:
    frame = study(NOISE)
    few = frame.assign(responder=frame["responder"] & (frame["fold"] != 1))
    assert leakage(few)["folds_too_small"] == 1
    none = leakage(frame.assign(responder=False))
    assert none["not_estimated"].startswith("no fold has 10 responders and 10 others")
    assert (none["auroc_rationale"], none["folds_judged"]) == (None, 0)


def test_a_fold_that_only_ever_trains_is_not_judged() -> None:
    frame = study(NOISE)
    report = leakage(frame.assign(fold=frame["fold"].map({0: 0, 1: -1, 2: -1})))
    assert [found["fold"] for found in report["folds"]] == [0]
    assert (report["folds_judged"], report["folds_too_small"]) == (1, 0)


def test_the_command_writes_its_report(tmp_path: Path) -> None:
    labels = pd.DataFrame({"case_id": NAMES, "definition": "strict", "responder": RESPONDER})
    labels.to_parquet(tmp_path / "labels.parquet")
    folds = pd.DataFrame({"case_id": NAMES, "design": "kfold", "fold": np.arange(NUMBER) % 3, "is_tuning": False})
    folds.to_parquet(tmp_path / "folds.parquet")
    write_jsonl(tmp_path / "p.jsonl", [{"case_id": name, "input": text} for name, text in zip(NAMES, NOISE)])
    write_jsonl(tmp_path / "r.jsonl", [{"case_id": name, "rationale": text} for name, text in zip(NAMES[:200], NOISE)])
    arguments = [str(tmp_path / "p.jsonl"), str(tmp_path / "r.jsonl"), str(tmp_path), "--out", str(tmp_path / "leakage.json")]
    assert main([*arguments, "--settings", '{"audit": {"text_model_cases": 150}}']) == 0
    report = json.loads((tmp_path / "leakage.json").read_text())
    assert (report["cases"], report["cases_with_rationale"], report["design"]) == (150, 200, "kfold")
    assert (tmp_path / "leakage.json.manifest.json").exists()
    # Files in another order are read whole; they tell the same.
    write_jsonl(tmp_path / "p.jsonl", [{"case_id": name, "input": text} for name, text in zip(NAMES[::-1], NOISE[::-1])])
    assert main([*arguments[:-1], str(tmp_path / "again.json"), "--settings", '{"audit": {"text_model_cases": 150}}']) == 0
    assert json.loads((tmp_path / "again.json").read_text()) == report
    with pytest.raises(InputError, match="expected folds of this design, found 'panel'"):
        main([*arguments, "--design", "panel"])
