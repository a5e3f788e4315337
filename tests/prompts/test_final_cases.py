"""The training file of a final model: everybody with a label, whoever a fold would hold out or keep for tuning."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.models.cases import read_rows
from oncoraft.prompts.export_jsonl import main as export_jsonl
from oncoraft.prompts.final_cases import main as final_cases


def written(home: Path, labelled: int) -> list[str]:
    """Thirty cases of thirty patients, so many of them with a label; what makes a file of them."""
    ids = [f"c{number:02d}" for number in range(30)]
    pd.DataFrame({"case_id": ids, "patient_id": [f"p{one}" for one in ids]}).to_parquet(home / "cases.parquet")
    has = [number < labelled for number in range(30)]
    labels = {"definition": "strict", "category": ["PR" if one else "NE" for one in has], "score": [0.7 if one else None for one in has]}
    pd.DataFrame({"case_id": ids, **labels, "responder": pd.array([True if one else None for one in has], dtype="boolean")}).to_parquet(
        home / "labels.parquet"
    )
    prompts = [{"case_id": one, "instruction": "i", "input": "x", "prompt_tokens": 2, "cut": []} for one in ids]
    (home / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in prompts))
    (home / "rationales.jsonl").write_text("".join(json.dumps({"case_id": one, "rationale": "Why."}) + "\n" for one in ids))
    return [str(home / "prompts.jsonl"), str(home / "rationales.jsonl"), str(home), "--out", str(home / "train.jsonl")]


def rows(home: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (home / "train.jsonl").read_text().splitlines()]


def test_everybody_with_a_label_trains_and_nobody_is_held_out(tmp_path: Path) -> None:
    assert final_cases(written(tmp_path, 28)) == 0
    found = rows(tmp_path)
    assert [row["case_id"] for row in found] == [f"c{number:02d}" for number in range(28)]
    assert {row["fold"] for row in found} == {-1}
    assert all(row["output"] for row in found)
    counts = json.loads((tmp_path / "train.jsonl.manifest.json").read_text())["counts"]
    assert counts == {"cases": 28, "labelled": 28, "patients": 28}


def test_lines_that_refer_to_their_prompts_are_the_published_ones_again_with_them(tmp_path: Path) -> None:
    words = written(tmp_path, 28)
    assert final_cases(words) == 0
    published, told = (tmp_path / "train.jsonl").read_bytes(), read_rows(tmp_path / "train.jsonl")
    assert final_cases([*words, "--settings", json.dumps({"split": {"texts": "referred"}})]) == 0
    assert read_rows(tmp_path / "train.jsonl") == told
    assert not any("input" in row for row in rows(tmp_path))
    assert export_jsonl([str(tmp_path / "train.jsonl"), "--out", str(tmp_path / "published.jsonl")]) == 0
    assert (tmp_path / "published.jsonl").read_bytes() == published


def test_a_cap_on_training_cases_holds_here_too_and_a_higher_one_takes_nobody_away(tmp_path: Path) -> None:
    kept = []
    for cap in (20, 25):
        assert final_cases([*written(tmp_path, 28), "--settings", json.dumps({"split": {"max_training_cases": cap}})]) == 0
        kept.append({row["case_id"] for row in rows(tmp_path)})
    assert [len(one) for one in kept] == [20, 25]
    assert kept[0] < kept[1]


def test_a_cohort_without_a_label_ends_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected at least one case with a label and a rationale"):
        final_cases(written(tmp_path, 0))
