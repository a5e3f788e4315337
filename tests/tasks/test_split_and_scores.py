"""From prompts to scores: no patient on both sides, baselines on the same rows, answers paired case by case."""

import json
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.tasks import baselines, scores, split
from oncoraft.tasks.baselines import answered
from oncoraft.tasks.registry import task_of
from oncoraft.tasks.split import fold_parts, folds_of_file

from .cohort import settings

SITES = {"lung": "C34.9", "breast": "C50.9", "prostate": "C61"}


def prompts(patients: int = 40, cases: int = 2) -> list[dict[str, object]]:
    rows = []
    for patient in range(patients):
        site = list(SITES)[patient % 3]
        for case in range(cases):
            known = {"case_id": f"P{patient:02d}_{case}", "patient_id": f"P{patient:02d}", "site": site, "instruction": "Which code?"}
            rows.append(known | {"input": f"Primary site: {site}\nAge {20 + patient}", "output": SITES[site]})
    return rows


def test_no_patient_is_on_both_sides_and_held_out_rows_carry_no_answer() -> None:
    rows = prompts()
    fold_of = {str(row["case_id"]): int(str(row["patient_id"])[1:]) % 3 for row in rows}
    train, held = fold_parts(rows, fold_of, 1, None, None, 7)
    assert not {row["patient_id"] for row in train} & {row["patient_id"] for row in held}
    assert len(train) + len(held) == len(rows)
    assert {row["output"] for row in held} == {""}
    fewer, _ = fold_parts(rows, fold_of, 1, 20, None, 7)
    more, _ = fold_parts(rows, fold_of, 1, 30, None, 7)
    assert {row["case_id"] for row in fewer} < {row["case_id"] for row in more}


def test_a_patient_whom_folds_hold_on_both_sides_cannot_pass() -> None:
    rows = prompts(3)
    fold_of = {str(row["case_id"]): number % 2 for number, row in enumerate(rows)}
    with pytest.raises(AssertionError, match="on both sides"):
        fold_parts(rows, fold_of, 0, None, None, 7)


def test_a_case_without_a_fold_and_an_empty_side_are_told() -> None:
    rows = prompts(3)
    with pytest.raises(InputError, match="expected a fold of every case; 6 have none"):
        fold_parts(rows, {}, 0, None, None, 7)
    with pytest.raises(InputError, match="at least one case held out in fold 4"):
        fold_parts(rows, {str(row["case_id"]): 0 for row in rows}, 4, None, None, 7)


def test_a_files_own_parts_are_kept() -> None:
    rows = [{"case_id": "A_1", "part": "heldout"}, {"case_id": "B_2", "part": "train"}]
    assert folds_of_file(rows) == {"A_1": 0, "B_2": -1}


def test_baselines_know_what_they_say_they_know() -> None:
    rows = prompts()
    found = answered(rows[:60], rows[60:], 1)
    right = [row["output"] for row in rows[60:]]
    assert set(found["majority"]) == {"C34.9"}
    assert found["by_site"] == right
    assert found["tfidf"] == right
    assert found["neighbour"] == right


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A task of one fold with answers: the base writes nonsense, the tuned model is wrong about prostate alone."""
    rows = prompts()
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    folds = [{"case_id": row["case_id"], "design": "kfold", "fold": int(str(row["patient_id"])[1:]) % 2} for row in rows]
    pd.DataFrame(folds).to_parquet(tmp_path / "folds.parquet")
    fold = ["--train", str(tmp_path / "fold/train.jsonl"), "--heldout", str(tmp_path / "fold/heldout.jsonl")]
    assert (
        split.main([str(tmp_path / "prompts.jsonl"), "--folds", str(tmp_path / "folds.parquet"), "--fold", "0", *fold, *settings("icd10")])
        == 0
    )
    assert baselines.main([*fold, "--out", str(tmp_path / "baselines.jsonl"), *settings("icd10")]) == 0
    held = [json.loads(line) for line in (tmp_path / "fold/heldout.jsonl").read_text().splitlines()]
    for name, answer in (
        ("base", lambda row: "who knows"),
        ("tuned", lambda row: "C62.9" if row["site"] == "prostate" else SITES[row["site"]]),
    ):
        (tmp_path / f"{name}.jsonl").write_text(
            "".join(json.dumps({"case_id": row["case_id"], "rationale": answer(row)}) + "\n" for row in held)
        )
    return tmp_path


def scored(folder: Path, *truth: str) -> int:
    given = [f"--{name}" if flag else str(folder / f"{name}.jsonl") for name in ("base", "tuned", "baselines") for flag in (True, False)]
    return scores.main([str(folder / "prompts.jsonl"), *given, *truth, "--out", str(folder / "scores"), *settings("icd10")])


def test_answers_are_measured_on_the_same_cases_with_their_denominators(finished: Path) -> None:
    assert scored(finished) == 0
    told = json.loads((finished / "scores/metrics.json").read_text())
    by = {(row["answerer"], row["measure"]): row for row in told["records"]}
    held = sum(1 for _ in (finished / "base.jsonl").open())
    assert {row["n"] for row in told["records"]} == {held}
    assert by["base", "code"]["estimate"] == 0
    assert by["base", "code"]["unread"] == held
    assert by["tuned", "code"]["estimate"] == pytest.approx(by["tuned", "recall_micro"]["estimate"])
    assert 0.6 < by["tuned", "code"]["estimate"] < 0.75
    assert by["tuned", "category (three characters)"]["estimate"] == by["tuned", "code"]["estimate"]  # C62 is another category than C61
    tests = pd.read_csv(finished / "scores/tests.csv").set_index(["second", "measure"])
    row = tests.loc[("base", "code")]
    assert (row["patients"], row["negative"], row["test"]) == (held / 2, 0, "sign test")
    assert row["p"] == pytest.approx(0.5 ** row["positive"])
    assert tests.loc[("tfidf", "code"), "p"] > 0.9  # the tuned model is not better than what is right


def test_the_share_of_a_law_is_told_of_every_answerer_and_of_none_without_a_law(finished: Path) -> None:
    scored(finished)
    assert scores.SHARE not in {row["measure"] for row in json.loads((finished / "scores/metrics.json").read_text())["records"]}
    # The law is wrong about breast, as the tuned model about prostate.
    known = [json.loads(line) for line in (finished / "prompts.jsonl").read_text().splitlines()]
    law = [
        {
            "patient_id": row["patient_id"],
            "start_day": int(row["case_id"].rpartition("_")[2]),
            "icd10": "C61" if row["site"] == "breast" else row["output"],
        }
        for row in known
    ]
    pd.DataFrame(law).to_parquet(finished / "law.parquet")
    assert scored(finished, "--truth", str(finished / "law.parquet")) == 0
    by = {(row["answerer"], row["measure"]): row for row in json.loads((finished / "scores/metrics.json").read_text())["records"]}
    told = {name: row for (name, measure), row in by.items() if measure == scores.SHARE}
    assert set(told) == {name for name, measure in by if measure == "code"} - {"oracle"}
    assert by["oracle", "code"]["estimate"] < 1
    for name, row in told.items():
        assert row["estimate"] == pytest.approx(by[name, "code"]["estimate"] / by["oracle", "code"]["estimate"])
        assert row["lower"] <= row["estimate"] <= row["upper"]
    assert told["base"]["estimate"] == 0
    assert told["tfidf"]["estimate"] > 1  # this law is none that answers were drawn by


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[1:], "expected an answer of every held-out case; 1 have none"),
        (lambda lines: [*lines, lines[0].replace("P00_0", "P99_9")], "column case_id: expected a held-out case of the task, found 'P99_9'"),
        (lambda lines: [lines[0].replace('"who knows"', "null"), *lines[1:]], "line 1, column rationale: expected a written answer"),
    ],
)
def test_answers_of_other_cases_or_none_are_one_line(finished: Path, change: object, said: str) -> None:
    file = finished / "base.jsonl"
    file.write_text("\n".join(change(file.read_text().splitlines())) + "\n")  # type: ignore[operator]
    with pytest.raises(InputError, match=said):
        scored(finished)
    assert not (finished / "scores").exists()


def test_a_right_answer_that_its_own_parser_cannot_read_is_an_error_and_no_zero() -> None:
    with pytest.raises(InputError, match="expected right answers that its parser reads, found 'lung'"):
        scores.measured(task_of("icd10"), ["lung"], ["C34.9"])


def test_the_law_of_a_twin_is_found_by_patient_and_day_and_one_that_says_nothing_of_a_case_is_an_error(tmp_path: Path) -> None:
    law = pd.DataFrame({"patient_id": ["P-1", "P-1", "P-2"], "start_day": [84, -25, 0], "icd10": ["C61", "C34.1", None]})
    law.to_parquet(tmp_path / "law.parquet")
    rows = [{"case_id": "P-1_+84", "patient_id": "P-1"}, {"case_id": "P-1_-25", "patient_id": "P-1"}]
    assert scores.oracle_answers(tmp_path / "law.parquet", "icd10", rows) == ["C61", "C34.1"]
    assert scores.oracle_answers(tmp_path / "law.parquet", "modality", rows) is None
    with pytest.raises(InputError, match=r"expected a truth of every case; 1 have none, the first, found 'P-2_\+0'"):
        scores.oracle_answers(tmp_path / "law.parquet", "icd10", [*rows, {"case_id": "P-2_+0", "patient_id": "P-2"}])
