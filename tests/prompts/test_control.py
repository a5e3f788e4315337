"""A negative control changes what it is named for: labels within their regimen, all but the drugs, or the drugs alone."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.evidence.fields import FIELDS
from oncoraft.fold_files import write_fold_file
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl, write_jsonl
from oncoraft.prompts.control import LABEL, main, permuted, swapped
from oncoraft.prompts.export_jsonl import main as export_jsonl

DRUGS = ("afatinib", "docetaxel", "olaparib")
SETTINGS = ["--settings", '{"prompts": {"template": "full"}, "split": {}}']
PLACE = {field.name: place for place, field in enumerate(FIELDS)}
CANCER = {f"c{n:02}": "lung" if n < 20 else "breast" for n in range(40)}


def evidence_rows(case: str, number: int) -> list[dict]:
    told = {"drug": DRUGS[number % 3], "setting": "metastatic", "sex": "female", "line": str(1 + number % 2)}
    fields = {field.name: field for field in FIELDS}
    rows = [
        {"case_id": case, "section": fields[name].section, "field": name, "value": value, "text": f"{name} {value}"}
        | {"priority": fields[name].priority, "kind": fields[name].kind}
        for name, value in sorted(told.items(), key=lambda item: PLACE[item[0]])
    ]
    return [row | {"order": order, "days_before_index": None} for order, row in enumerate(rows)]


EVIDENCE = pd.DataFrame([row for number, case in enumerate(CANCER) for row in evidence_rows(case, number)])
EVIDENCE["days_before_index"] = EVIDENCE["days_before_index"].astype("Int32")


def fold_rows(cases: list[str]) -> list[dict]:
    return [
        {"instruction": "Judge.", "input": "all of it", "output": f"Score of {case}", "case_id": case, "patient_id": f"p{case}", "fold": 0}
        | {"category": "PR" if n % 4 else "PD", "score": 0.7 if n % 4 else 0.0, "responder": bool(n % 4), "prompt_tokens": 4, "cut": []}
        for n, case in enumerate(cases)
    ]


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    names = list(CANCER)
    cases = pd.DataFrame({"case_id": names, "patient_id": [f"p{case}" for case in names], "cancer_type": list(CANCER.values())})
    cases.assign(regimen=[DRUGS[n % 3] for n in range(40)]).to_parquet(tmp_path / "cases.parquet")
    EVIDENCE.to_parquet(tmp_path / "evidence.parquet")
    files = {"train": names[::2], "heldout": names[1::4], "tuning": names[3::4]}
    for name, members in files.items():
        write_jsonl(tmp_path / f"{name}.jsonl", fold_rows(members))
    paths = [part for name in files for part in (f"--{name}", str(tmp_path / f"{name}.jsonl"))]
    return [str(tmp_path), *paths, "--evidence", str(tmp_path / "evidence.parquet"), "--out", str(tmp_path / "out"), *SETTINGS]


def made(given: list[str], kind: str) -> tuple[dict[str, list[dict]], dict[str, list[dict]]]:
    assert main([kind, *given]) == 0
    home = Path(given[0])
    return tuple({name: read_jsonl(folder / f"{name}.jsonl") for name in ("train", "heldout", "tuning")} for folder in (home, home / "out"))


def test_labels_change_places_within_their_group_with_their_answers_and_whatever_the_order() -> None:
    rows = fold_rows(list(CANCER))
    group = {case: f"{cancer} {DRUGS[n % 3]}" for n, (case, cancer) in enumerate(CANCER.items())}
    found = permuted(rows, group, 5)
    assert [row["case_id"] for row in found] == list(CANCER)
    assert any(row["responder"] != before["responder"] for row, before in zip(found, rows, strict=True))
    for name in set(group.values()):
        before, after = (
            Counter(tuple(row[key] for key in LABEL) for row in part if group[row["case_id"]] == name) for part in (rows, found)
        )
        assert before == after
    again = permuted(rows[::-1], group, 5)[::-1]
    assert again == found
    assert permuted(rows, group, 6) != found


def test_permuted_labels_leave_prompts_tuning_and_held_out_cases_alone(given: list[str]) -> None:
    before, after = made(given, "permuted_labels")
    assert after["heldout"] == before["heldout"]
    assert after["tuning"] == before["tuning"]
    assert [row["input"] for row in after["train"]] == [row["input"] for row in before["train"]]
    counts = json.loads((Path(given[0]) / "out/manifest.json").read_text())["counts"]
    assert counts["labels_changed"] == sum(a["responder"] != b["responder"] for a, b in zip(before["train"], after["train"])) > 0


def test_a_prompt_of_drugs_alone_names_nothing_else_and_keeps_its_label(given: list[str]) -> None:
    before, after = made(given, "drug_only")
    for name, rows in after.items():
        for row, was in zip(rows, before[name], strict=True):
            number = list(CANCER).index(row["case_id"])
            assert f"Drug {DRUGS[number % 3]}" in row["input"]
            assert not any(word in row["input"] for word in ("female", "metastatic", "line"))
            assert [row[key] for key in LABEL] == [was[key] for key in LABEL]


def test_swapped_drugs_are_those_of_another_regimen_and_the_patient_stays(given: list[str]) -> None:
    before, after = made(given, "swapped_drugs")
    assert after["train"] == before["train"]
    for row in after["heldout"]:
        number = list(CANCER).index(row["case_id"])
        named = [drug for drug in DRUGS if f"Drug {drug}" in row["input"]]
        assert len(named) == 1
        assert named[0] != DRUGS[number % 3]
        assert "Sex female" in row["input"]
        assert f"Line {1 + number % 2}" in row["input"]


def test_swapped_evidence_reads_in_the_order_of_evidence_and_says_who_had_nobody_to_take_from() -> None:
    shuffled = EVIDENCE.sample(frac=1, random_state=3)
    found, alone = swapped(EVIDENCE, CANCER, 1)
    assert alone == 0
    assert found["field"].tolist() == EVIDENCE["field"].tolist()
    assert found["case_id"].tolist() == EVIDENCE["case_id"].tolist()
    assert swapped(shuffled, CANCER, 1)[0]["value"].tolist() == found["value"].tolist()
    _, alone = swapped(EVIDENCE[EVIDENCE["case_id"] == "c00"], CANCER, 1)
    assert alone == 1


@pytest.mark.parametrize(
    ("kind", "own"), [("permuted_labels", set()), ("drug_only", {"train", "heldout", "tuning"}), ("swapped_drugs", {"heldout"})]
)
def test_a_control_of_a_fold_that_refers_to_its_prompts_holds_those_alone_that_it_changes(
    given: list[str], kind: str, own: set[str]
) -> None:
    made(given, kind)
    home = Path(given[0])
    files = [home / "out" / f"{name}.jsonl" for name in ("train", "heldout", "tuning")]
    published = [file.read_bytes() for file in files]
    parts = {name: read_jsonl(home / f"{name}.jsonl") for name in ("train", "heldout", "tuning")}
    write_jsonl(home / "prompts.jsonl", [{"case_id": row["case_id"], **row} for rows in parts.values() for row in rows])
    for name, rows in parts.items():
        write_fold_file(home / f"{name}.jsonl", rows, home / "prompts.jsonl")
    made(given, kind)
    assert {file.stem for file in files if "input" in read_jsonl(file)[0]} == own
    for file, before in zip(files, published, strict=True):
        assert export_jsonl([str(file), "--out", str(home / "published" / file.name)]) == 0
        assert (home / "published" / file.name).read_bytes() == before


def test_a_case_without_a_drug_and_one_of_nobody_are_refused(given: list[str]) -> None:
    home = Path(given[0])
    without = EVIDENCE[~((EVIDENCE["case_id"] == "c01") & (EVIDENCE["field"] == "drug"))]
    without.to_parquet(home / "evidence.parquet")
    with pytest.raises(InputError, match="expected a drug of every case"):
        main(["drug_only", *given])
    write_jsonl(home / "train.jsonl", fold_rows(["nobody"]))
    with pytest.raises(InputError, match="expected cases of the cohort"):
        main(["permuted_labels", *given])
    assert not (home / "out").exists()
