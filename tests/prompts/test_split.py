"""Fold files: patient-disjoint, without held-out answers, capped stably, in the published format."""

import json
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.foundation import ranges
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl, write_jsonl
from oncoraft.prompts.joined import join
from oncoraft.prompts.split import fold_parts, main

PEOPLE = [f"p{number:02}" for number in range(40)]
FOLDS = pd.DataFrame(
    {
        "case_id": PEOPLE,
        "patient_id": PEOPLE,
        "design": "kfold",
        "fold": [n % 4 for n in range(40)],
        "is_tuning": [n % 10 == 1 for n in range(40)],
    }
)


def test_training_and_held_out_rows_share_no_patient_and_the_cap_is_stable() -> None:
    frame = pd.DataFrame({"case_id": PEOPLE, "patient_id": PEOPLE, "output": ["x"] * 40})
    train, held_out = fold_parts(frame, FOLDS, "kfold", 0, None)
    assert len(held_out) == 10
    assert len(train) == 26  # 30 of other folds less the tuning patients 1, 11, 21 and 31
    assert set(held_out["output"]) == {""}
    capped, _ = fold_parts(frame.sample(frac=1, random_state=1), FOLDS, "kfold", 0, 20)
    again, _ = fold_parts(frame, FOLDS, "kfold", 0, 20)
    assert set(capped["case_id"]) == set(again["case_id"])
    with pytest.raises(InputError, match="expected a fold"):
        fold_parts(frame, FOLDS, "kfold", 9, None)


def test_tuning_rows_are_the_evaluable_cases_of_the_patients_kept_apart_and_of_nobody_else(files: list[str], tmp_path: Path) -> None:
    parts = {name: tmp_path / "fold" / f"{name}.jsonl" for name in ("train", "heldout", "tuning")}
    given = [part for name, path in parts.items() for part in (f"--{name}", str(path))]
    assert main([*files, "--fold", "0", *given]) == 0
    tuning = read_jsonl(parts["tuning"])
    kept_apart = {name for name, is_tuning, fold in zip(PEOPLE, FOLDS["is_tuning"], FOLDS["fold"]) if is_tuning and fold != 0}
    assert {row["patient_id"] for row in tuning} == {name for name in kept_apart if PEOPLE.index(name) % 4 != 2}  # those are not evaluable
    assert all(isinstance(row["responder"], bool) and row["output"] == "" for row in tuning)
    others = {row["patient_id"] for name in ("train", "heldout") for row in read_jsonl(parts[name])}
    assert not others & {row["patient_id"] for row in tuning}
    nobody = FOLDS.assign(is_tuning=False)
    nobody.to_parquet(tmp_path / "folds.parquet")
    assert main([*files, "--fold", "0", *given]) == 0
    assert parts["tuning"].read_text() == ""


def test_a_patient_in_two_folds_is_caught() -> None:
    frame = pd.DataFrame({"case_id": PEOPLE, "patient_id": ["same"] * 40, "output": ["x"] * 40})
    with pytest.raises(AssertionError, match="are in training and held out"):
        fold_parts(frame, FOLDS, "kfold", 0, None)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    cases = pd.DataFrame({"case_id": PEOPLE, "patient_id": PEOPLE, "index_day": 0, "cancer_type": "x", "line_of_therapy": 1})
    cases["agents"] = cases["agents_at_index"] = [["A"]] * 40
    cases.to_parquet(tmp_path / "cases.parquet")
    categories = ["PR", "PD", "NE", "SD"] * 10
    scores = {"PR": 0.7, "PD": 0.0, "SD": 0.3}
    labels = pd.DataFrame(
        {"case_id": PEOPLE, "definition": "strict", "category": categories, "score": [scores.get(word) for word in categories]}
    )
    labels["responder"] = [None if word == "NE" else word == "PR" for word in categories]
    labels.to_parquet(tmp_path / "labels.parquet")
    FOLDS.to_parquet(tmp_path / "folds.parquet")
    prompts = [
        {"case_id": name, "instruction": "Judge.", "input": "x", "output": "", "prompt_tokens": 4, "cut": ["race"]} for name in PEOPLE
    ]
    write_jsonl(tmp_path / "prompts.jsonl", prompts)
    write_jsonl(tmp_path / "rationales.jsonl", [{"case_id": name, "rationale": f"secret of {name}"} for name in PEOPLE])
    return [str(tmp_path / "prompts.jsonl"), str(tmp_path / "rationales.jsonl"), str(tmp_path)]


def test_rationales_of_held_out_patients_are_in_no_training_file(files: list[str], tmp_path: Path) -> None:
    for fold in range(4):
        train, held_out = tmp_path / f"{fold}" / "train.jsonl", tmp_path / f"{fold}" / "heldout.jsonl"
        assert main([*files, "--fold", str(fold), "--train", str(train), "--heldout", str(held_out)]) == 0
        kept_out = [row["case_id"] for row in read_jsonl(held_out)]
        assert all(f"secret of {name}" not in train.read_text() for name in kept_out)
        assert "secret" not in held_out.read_text()
        assert len(kept_out) == 10
        for row in read_jsonl(train):
            assert list(row)[:3] == ["instruction", "input", "output"]
            assert row["output"] == f"Score: {row['score']}\nReasoning:\nsecret of {row['case_id']}"
            assert row["category"] != "NE"
            assert row["fold"] == fold
            assert row["cut"] == ["race"]


def test_held_out_rows_keep_cases_that_cannot_be_judged(files: list[str], tmp_path: Path) -> None:
    train, held_out = tmp_path / "t.jsonl", tmp_path / "h.jsonl"
    main([*files, "--fold", "2", "--train", str(train), "--heldout", str(held_out)])
    rows = read_jsonl(held_out)
    assert {row["category"] for row in rows} == {"NE"}  # every fourth case is, and folds go round in four
    assert {row["score"] for row in rows} == {row["responder"] for row in rows} == {None}


def test_a_corpus_holds_every_labelled_case(files: list[str], tmp_path: Path) -> None:
    assert main([*files, "--all", str(tmp_path / "corpus.jsonl")]) == 0
    assert len(read_jsonl(tmp_path / "corpus.jsonl")) == 30


def test_a_rationale_of_no_case_and_a_missing_key_are_named(files: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected every rationale to belong to a case; 1 do not, the first, found 'zz'"):
        join([], [{"case_id": "zz", "rationale": ""}], pd.DataFrame({"case_id": [], "patient_id": []}), pd.DataFrame())
    Path(files[0]).write_text(json.dumps({"case_id": "p00"}) + "\n")
    with pytest.raises(InputError, match=r"prompts\.jsonl, line 1, column instruction: expected this key"):
        main([*files, "--all", str(tmp_path / "corpus.jsonl")])
    with pytest.raises(SystemExit) as caught:
        main([*files, "--fold", "0"])
    assert caught.value.code == 2


def test_a_cohort_without_labels_or_without_rationales_is_told_so_and_not_that_a_file_is_empty(files: list[str], tmp_path: Path) -> None:
    words = [*files, "--all", str(tmp_path / "corpus.jsonl")]
    write_jsonl(Path(files[1]), [])
    with pytest.raises(InputError, match=r"rationales\.jsonl: expected a rationale of at least one labelled case, found 'none of 30'"):
        main(words)
    labels = pd.read_parquet(tmp_path / "labels.parquet")
    labels.assign(category="NE", score=float("nan"), responder=None).to_parquet(tmp_path / "labels.parquet")
    with pytest.raises(InputError, match=r"labels\.parquet, column score: expected cases that definition 'strict' can judge.*'none of 40'"):
        main(words)
    assert not (tmp_path / "corpus.jsonl").exists()


def test_how_many_patients_are_in_a_range_and_how_the_files_are_ordered_changes_no_byte(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {name: tmp_path / "fold" / f"{name}.jsonl" for name in ("train", "heldout", "tuning")}
    given = [part for name, path in parts.items() for part in (f"--{name}", str(path))]
    written = set()
    for patients in (1, 7, 10**9):
        monkeypatch.setattr(ranges, "PATIENTS", patients)
        assert main([*files, "--fold", "0", *given]) == 0
        written.add(b"".join(path.read_bytes() for path in (*parts.values(), tmp_path / "fold" / "manifest.json")))
    assert len(written) == 1
    before = [path.read_bytes() for path in parts.values()]
    assert len(read_jsonl(parts["train"])) > 10
    for path in map(Path, files[:2]):
        write_jsonl(path, read_jsonl(path)[::-1])
    monkeypatch.setattr(ranges, "PATIENTS", 7)
    assert main([*files, "--fold", "0", *given]) == 0
    assert [path.read_bytes() for path in parts.values()] == before


def test_two_labels_of_a_case_by_one_definition_are_refused_in_one_line(files: list[str], tmp_path: Path) -> None:
    labels = pd.read_parquet(tmp_path / "labels.parquet")
    pd.concat([labels, labels.head(1)]).to_parquet(tmp_path / "labels.parquet")
    with pytest.raises(InputError, match=r"expected one label of a case by definition 'strict' \(1 too many\)"):
        main([*files, "--all", str(tmp_path / "all.jsonl")])
    assert not (tmp_path / "all.jsonl").exists()


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        ("folds", r"folds.parquet, column case_id: expected one fold of a case by design 'kfold' \(1 too many\), found 'p00'"),
        ("cases", "one row of a case"),
    ],
)
def test_a_case_that_stands_in_a_table_twice_is_refused_by_the_table_s_name(
    files: list[str], tmp_path: Path, table: str, wanted: str
) -> None:
    found = pd.read_parquet(tmp_path / f"{table}.parquet")
    pd.concat([found, found.head(1)]).to_parquet(tmp_path / f"{table}.parquet")
    with pytest.raises(InputError, match=wanted):
        main([*files, "--fold", "0", "--train", str(tmp_path / "train.jsonl"), "--heldout", str(tmp_path / "heldout.jsonl")])


def test_a_case_without_a_patient_is_refused_in_one_line(files: list[str], tmp_path: Path) -> None:
    cases = pd.read_parquet(tmp_path / "cases.parquet")
    cases.assign(patient_id=cases["patient_id"].astype(object).where(cases.index > 0, None)).to_parquet(tmp_path / "cases.parquet")
    with pytest.raises(
        InputError, match=r"cases.parquet, column patient_id: expected the patient of every case, found 'nothing in 1 rows'"
    ):
        main([*files, "--fold", "0", "--train", str(tmp_path / "train.jsonl"), "--heldout", str(tmp_path / "heldout.jsonl")])


@pytest.mark.parametrize("column", ["fold", "is_tuning"])
def test_a_case_whose_fold_is_not_said_is_not_silently_trained_on(files: list[str], tmp_path: Path, column: str) -> None:
    FOLDS.assign(**{column: FOLDS[column].astype(object).where(FOLDS.index > 0, None)}).to_parquet(tmp_path / "folds.parquet")
    with pytest.raises(InputError, match=f"folds.parquet, column {column}: expected it of every case"):
        main([*files, "--fold", "0", "--train", str(tmp_path / "train.jsonl"), "--heldout", str(tmp_path / "heldout.jsonl")])


def test_categories_that_are_all_missing_take_no_row_away(files: list[str], tmp_path: Path) -> None:
    assert main([*files, "--all", str(tmp_path / "some.jsonl")]) == 0
    pd.read_parquet(tmp_path / "labels.parquet").assign(category=None).to_parquet(tmp_path / "labels.parquet")
    assert main([*files, "--all", str(tmp_path / "none.jsonl")]) == 0
    without = [row | {"category": None} for row in read_jsonl(tmp_path / "some.jsonl")]
    assert read_jsonl(tmp_path / "none.jsonl") == without
