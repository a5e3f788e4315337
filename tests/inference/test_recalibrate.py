"""From tuning cases to `predict`: scored beside the held-out cases, fitted whatever the shards, carried by gather, export and predict."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.inference import gather, predict, recalibrate
from oncoraft.models import export
from oncoraft.recalibration import Recalibration
from tests.inference.test_gather import prediction, write
from tests.inference.test_infer import inferred
from tests.models.tiny_folds import rows, write_rows


def tuning_rows(count: int = 60) -> list[dict]:
    """Tuning cases of fold 0 of whom those of a high logit mostly respond."""
    found = []
    for n in range(count):
        row = prediction(f"t{n:02}", logit=(n % 12) / 6 - 1) | {"patient_id": f"q{n // 2}", "responder": (n * 7) % 12 < n % 12}
        found.append(row)
    return found


def recalibrated(files: list[Path], out: Path, fold: int = 0) -> dict:
    assert recalibrate.main([*map(str, files), "--fold", str(fold), "--out", str(out)]) == 0
    return json.loads(out.read_text())


def test_tuning_cases_are_scored_as_the_held_out_ones_are_and_keep_their_labels(qwen3: Path, tmp_path: Path) -> None:
    tuning = [row | {"case_id": f"t{row['case_id']}", "patient_id": f"t{row['patient_id']}"} for row in rows(20)]
    file, out = write_rows(tmp_path / "tuning.jsonl", tuning), tmp_path / "tuned.jsonl"
    few = {"rationales": 2}
    found = inferred(qwen3, tmp_path / "shard.jsonl", "--tuning", str(file), "--tuning-out", str(out), inference=few)
    tuned = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["responder"] for row in tuned] == [row["responder"] for row in tuning]
    # Prompts are the same, so scores are.
    assert [row["score"] for row in tuned] == pytest.approx([row["score"] for row in found], abs=1e-5)
    assert {row["rationale"] for row in tuned} == {None}
    with pytest.raises(InputError, match="expected a patient who is not held out"):
        inferred(qwen3, tmp_path / "other.jsonl", "--tuning", str(qwen3 / "rows.jsonl"), "--tuning-out", str(tmp_path / "x.jsonl"))


def test_shards_and_their_order_change_no_byte(tmp_path: Path) -> None:
    tuning = tuning_rows()
    one = write(tmp_path / "one.jsonl", tuning)
    parts = [write(tmp_path / f"part-{k}.jsonl", tuning[k::3]) for k in (2, 0, 1)]
    empty = write(tmp_path / "empty.jsonl", [])
    recalibrated([one], tmp_path / "a.json")
    found = recalibrated([*parts, empty], tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert (found["state"], found["cases"], found["patients"]) == ("fitted", 60, 30)
    assert found["slope"] > 0
    assert recalibrated([empty], tmp_path / "c.json", 3)["fold"] == 3


def test_several_folds_at_once_are_each_as_alone(tmp_path: Path) -> None:
    files, alone = [], []
    for fold in (0, 1):
        rows = [row | {"fold": fold, "case_id": f"{row['case_id']}{fold}"} for row in tuning_rows(60 - 12 * fold)]
        files += [write(tmp_path / f"{fold}-{part}.jsonl", rows[part::2]) for part in (0, 1)]
        recalibrated(files[-2:], tmp_path / f"alone-{fold}.json", fold)
        alone.append((tmp_path / f"alone-{fold}.json").read_bytes())
    out = [tmp_path / f"fold-{fold}" / "recalibration.json" for fold in (1, 0)]
    given = [*map(str, files), "--fold", "1", "0", "--out", *map(str, out)]
    assert recalibrate.main(given) == 0
    assert [file.read_bytes() for file in out] == alone[::-1]
    told = json.loads((tmp_path / "recalibration.json.manifest.json").read_text())
    assert {Path(path).name for path in told["inputs"]} == {file.name for file in files}
    assert set(told["outputs"]) == {"fold-0/recalibration.json", "fold-1/recalibration.json"}
    assert told["counts"]["cases"] == 108
    for words in (["--fold", "1", "--out", *map(str, out)], ["--fold", "1", "1", "--out", *map(str, out)]):
        with pytest.raises(InputError, match="expected a file of its own for every --fold"):
            recalibrate.main([*map(str, files), *words])


def test_scores_that_fall_with_response_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recalibrated([write(tmp_path / "right.jsonl", tuning_rows())], tmp_path / "right.json")
    assert not [one for one in caplog.records if "does not rise" in one.message]
    turned = [row | {"responder": not row["responder"]} for row in tuning_rows()]
    assert recalibrated([write(tmp_path / "turned.jsonl", turned)], tmp_path / "turned.json")["slope"] == 0
    assert any(one.levelname == "WARNING" and "the score does not rise with response" in one.message for one in caplog.records)


def test_a_line_that_does_not_belong_is_refused(tmp_path: Path) -> None:
    for change, words in (
        ({"fold": 1}, "expected fold 0"),
        ({"responder": None}, "expected the label"),
        ({"case_id": "t00"}, "expected every case once"),
        ({"score": 0.9}, "expected the sigmoid"),
    ):
        tuning = tuning_rows()
        tuning[7] |= change
        with pytest.raises(InputError, match=words):
            recalibrated([write(tmp_path / "tuning.jsonl", tuning)], tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def test_gathered_lines_show_the_probability_of_their_own_fold(tmp_path: Path) -> None:
    shard = write(tmp_path / "s.jsonl", [prediction("a", 0, -1.0), prediction("b", 1, 2.0)])
    held_out = write(tmp_path / "h.jsonl", [{"case_id": "a", "fold": 0}, {"case_id": "b", "fold": 1}])
    made = {0: Recalibration(0, "fitted", 0.5, 0.8, 0.3, 60, 20, 30), 1: Recalibration(1, "too few", None, None, None, 4, 2, 4)}
    files = [tmp_path / f"{fold}.json" for fold in made]
    for file, one in zip(files, made.values(), strict=True):
        file.write_text(json.dumps(one._asdict()))
    given = [str(shard), "--heldout", str(held_out), "--out", str(tmp_path / "out.jsonl"), "--recalibration"]
    assert gather.main([*given, *map(str, files)]) == 0
    first, second = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines())
    assert first["probability"] == pytest.approx(1 / (1 + math.exp(-(0.5 - 0.8))))
    assert first["threshold"] == 0.3
    assert (second["probability"], second["threshold"]) == (None, None)
    assert {key: first[key] for key in prediction("a")} == json.loads(shard.read_text().splitlines()[0])
    with pytest.raises(InputError, match="expected a recalibration of fold 1"):
        gather.main([*given, str(files[0])])
    with pytest.raises(InputError, match="expected one recalibration a fold"):
        gather.main([*given, str(files[0]), str(files[0])])


def test_an_exported_fold_carries_it_and_predict_applies_it(qwen3: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = qwen3 / "fold" / "recalibration.json"
    recalibrated([write(tmp_path / "tuning.jsonl", tuning_rows())], kept)
    try:
        assert export.main(["--run", str(qwen3 / "fold"), "--out", str(tmp_path / "model")]) == 0
    finally:
        kept.unlink()
        kept.with_name("recalibration.json.manifest.json").unlink()
    told = json.loads((tmp_path / "model/recalibration.json").read_text())
    case = write_rows(tmp_path / "cases.jsonl", rows(6))
    given = ["--model", str(tmp_path / "model"), "--case", str(case), "--score-only", "--threads", "1"]
    capsys.readouterr()
    assert predict.main([*given, "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for row in found:
        assert row["probability"] == pytest.approx(1 / (1 + math.exp(-(told["intercept"] + told["slope"] * row["logit"]))), rel=1e-4)
        assert (row["threshold"], row["is_response"]) == (told["threshold"], row["score"] >= told["threshold"])
    assert predict.main(given) == 0
    assert f"Recalibrated Probability: {found[0]['probability']:.4f} (fitted on 60 tuning cases" in capsys.readouterr().out
    (tmp_path / "model/recalibration.json").write_text(json.dumps(told | {"threshold": 0.01}))
    with pytest.raises(InputError, match="expected the file that the manifest names"):
        predict.main(given)
