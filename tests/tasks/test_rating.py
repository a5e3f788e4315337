"""Rating sheets: nothing tells whose an answer is, and nothing is unblinded before the filled sheets are read."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.tasks.rate import main
from oncoraft.tasks.ratings import agreement_of
from tests.prompts.referring import refer

CASES = [f"P{number}_0" for number in range(12)]


def lines(path: Path, rows: list[dict[str, object]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """A sheet of ten cases: base and tuned answers mixed with the reference; where the tuned model is right it equals the reference."""
    known = [
        {
            "case_id": case,
            "patient_id": case[:-2],
            "instruction": "Which dose?",
            "input": f"Case <{case}>",
            "output": "50 Gy in 25 fractions",
        }
        for case in CASES
    ]
    base = [{"case_id": case, "rationale": f"=SUM({number})"} for number, case in enumerate(CASES)]
    tuned = [
        {"case_id": case, "rationale": "50 Gy in 25 fractions" if number % 2 else "60 Gy in 30 fractions"}
        for number, case in enumerate(CASES)
    ]
    made = ["--prompts", lines(tmp_path / "prompts.jsonl", known), "--answers", f"base={lines(tmp_path / 'base.jsonl', base)}"]
    made += [f"tuned={lines(tmp_path / 'tuned.jsonl', tuned)}", "--cases", "10", "--out", str(tmp_path / "sheet")]
    assert main(["--make", *made]) == 0
    return tmp_path


def items(sheet: Path) -> list[dict[str, str]]:
    with (sheet / "sheet/sheet.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def filled(sheet: Path, name: str, judge: object, drop_zeros: bool = True) -> str:
    """The sheet as a rater's spreadsheet would save it."""
    rows = items(sheet)
    with (sheet / name).open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        for row in rows:
            item = row["item"].lstrip("0") if drop_zeros else row["item"]
            writer.writerow(row | {"item": item} | judge(row["answer"]))  # type: ignore[operator]
    return str(sheet / name)


def strict(answer: str) -> dict[str, str]:
    return {"acceptable": "yes" if answer.startswith("50 Gy") else "no", "grade": "as is" if answer.startswith("50 Gy") else "unacceptable"}


def lenient(answer: str) -> dict[str, str]:
    return {"acceptable": "no" if "SUM" in answer else "Yes", "grade": "" if "SUM" in answer else "minor change"}


def test_cases_that_refer_to_their_prompts_make_the_same_sheet(sheet: Path) -> None:
    (sheet / "other").mkdir()
    asked = refer(Path(shutil.copy(sheet / "prompts.jsonl", sheet / "other" / "heldout.jsonl")))
    words = ["--prompts", str(asked), "--answers", *(f"{name}={sheet / name}.jsonl" for name in ("base", "tuned"))]
    assert main(["--make", *words, "--cases", "10", "--out", str(sheet / "again")]) == 0
    for name in ("sheet.csv", "sheet.html", "key.json"):
        assert (sheet / "again" / name).read_bytes() == (sheet / "sheet" / name).read_bytes()


def test_a_sheet_mixes_the_sources_and_names_none(sheet: Path) -> None:
    key = json.loads((sheet / "sheet/key.json").read_text())
    assert len(key["items"]) == len(items(sheet))
    assert {source for item in key["items"].values() for source in item["sources"]} == {"base", "tuned", "reference"}
    for name in ("sheet.csv", "sheet.html"):
        text = (sheet / "sheet" / name).read_text()
        assert not any(word in text for word in ("tuned", "reference", "P1_0,", "case_id", "patient"))
    order = [key["items"][row["item"]]["sources"][0] for row in items(sheet)]
    assert order != sorted(order)


def test_an_answer_that_two_sources_gave_stands_once_and_counts_for_both(sheet: Path) -> None:
    key = json.loads((sheet / "sheet/key.json").read_text())
    shared = [item for item in key["items"].values() if item["sources"] == ["tuned", "reference"]]
    assert shared
    assert len(key["items"]) == 3 * 10 - len(shared)


def test_rationales_of_response_stand_without_the_score_that_a_model_alone_writes_in_front(tmp_path: Path) -> None:
    known = [{"case_id": case, "instruction": "How likely?", "input": case} for case in CASES]
    model = [
        {"case_id": case, "rationale": f"Score: 0.{number}950\nReasoning:\nECOG 1 promises good tolerance."}
        for number, case in enumerate(CASES)
    ]
    teacher = [{"case_id": case, "rationale": "Stage 4 disease is hard to clear."} for case in CASES]
    made = ["--prompts", lines(tmp_path / "heldout.jsonl", known), "--answers", f"raft={lines(tmp_path / 'predictions.jsonl', model)}"]
    made += [f"reference={lines(tmp_path / 'rationales.jsonl', teacher)}", "--cases", "5", "--out", str(tmp_path / "sheet")]
    assert main(["--make", *made]) == 0
    assert {row["answer"] for row in items(tmp_path)} == {"ECOG 1 promises good tolerance.", "Stage 4 disease is hard to clear."}
    assert "Score" not in (tmp_path / "sheet/sheet.html").read_text()


def test_the_page_needs_no_network_escapes_the_case_and_is_no_formula_in_a_spreadsheet(sheet: Path) -> None:
    page = (sheet / "sheet/sheet.html").read_text()
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "Case &lt;P" in page
    assert all(not row["answer"].startswith("=") for row in items(sheet))


def test_filled_sheets_are_unblinded_and_measured(sheet: Path) -> None:
    read = [
        "--read",
        filled(sheet, "ab.csv", strict),
        filled(sheet, "cd.csv", lenient, drop_zeros=False),
        "--key",
        str(sheet / "sheet/key.json"),
    ]
    assert main([*read, "--out", str(sheet / "ratings")]) == 0
    found = json.loads((sheet / "ratings/ratings.json").read_text())
    by = {row["source"]: row for row in found["sources"]}
    assert by["reference"]["acceptable"] == 1
    assert by["base"]["acceptable"] == 0
    key = json.loads((sheet / "sheet/key.json").read_text())
    right = sum("tuned" in one["sources"] and "reference" in one["sources"] for one in key["items"].values())
    assert by["tuned"]["acceptable"] == pytest.approx((right + (10 - right) / 2) / 10)
    assert by["tuned"]["lower"] <= by["tuned"]["acceptable"] <= by["tuned"]["upper"]
    assert {row["cases"] for row in found["sources"]} == {10}
    test = next(row for row in found["tests"] if (row["greater"], row["than"]) == ("tuned", "base"))
    assert test["p"] == pytest.approx(2**-10)
    agreed = found["agreement"]
    assert agreed["acceptable"]["share_of_agreeing_pairs"] == pytest.approx(1 - (10 - right) / len(key["items"]))
    assert agreed["grade"]["missing"] == 10  # the lenient rater gave no grade where there was nothing to grade


def test_where_only_one_word_was_used_a_coefficient_is_not_defined_and_said_so() -> None:
    found = agreement_of([["yes", "yes"], ["yes", "yes"]], ("yes", "no"), False)
    assert found["fleiss"] is None
    assert found["share_of_agreeing_pairs"] == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("acceptable,", "good,", 1), "line 1, column acceptable: expected this column"),
        (lambda text: text.replace(",yes,", ",perhaps,", 1), "column acceptable: expected one of yes, no, or nothing, found 'perhaps'"),
        (lambda text: text.replace("\ns", "\nt", 1), "column sheet: expected a row of sheet s"),
        (lambda text: text + text.splitlines()[-1] + "\n", "column item: expected each item of the sheet once"),
        (
            lambda text: text.replace("yes", "").replace(",no,", ",,").replace("as is", "").replace("unacceptable", ""),
            "expected at least one rating",
        ),
    ],
)
def test_a_sheet_that_was_filled_wrongly_is_one_line(sheet: Path, change: object, said: str) -> None:
    flat = lambda answer: strict(answer)  # noqa: E731
    path = Path(filled(sheet, "ab.csv", flat))
    path.write_text(change(path.read_text().replace("\r\n", "\n")))  # type: ignore[operator]
    with pytest.raises(InputError, match=said):
        main(["--read", str(path), "--key", str(sheet / "sheet/key.json"), "--out", str(sheet / "ratings")])
    assert not (sheet / "ratings").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--make"], "--make: expected --prompts and --answers"),
        (["--make", "--prompts", "prompts.jsonl", "--answers", "base"], "--answers: expected name=FILE"),
        (["--read", "ab.csv"], "--read: expected --key"),
    ],
)
def test_arguments_that_are_missing_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str) -> None:
    monkeypatch.chdir(tmp_path)
    lines(tmp_path / "prompts.jsonl", [{"case_id": "a", "instruction": "b", "input": "c"}])
    (tmp_path / "ab.csv").write_text("sheet\n")
    with pytest.raises(InputError, match=said):
        main([*arguments, "--out", str(tmp_path / "out")])


def test_a_sheet_that_a_spreadsheet_saved_with_semicolons_is_read_as_one_with_commas(sheet: Path) -> None:
    plain = Path(filled(sheet, "ab.csv", strict))
    with plain.open(newline="") as stream:
        rows = list(csv.reader(stream))
    with (sheet / "cd.csv").open("w", newline="", encoding="utf-8-sig") as stream:
        csv.writer(stream, delimiter=";").writerows([*rows, [""] * len(rows[0])])
    key = str(sheet / "sheet/key.json")
    told = []
    for name in ("ab", "cd"):
        assert main(["--read", str(sheet / f"{name}.csv"), "--key", key, "--out", str(sheet / name)]) == 0
        told.append((sheet / name / "ratings.csv").read_text())
    assert told[0] == told[1]


def test_a_raters_file_that_is_given_twice_under_two_names_is_said(sheet: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = [filled(sheet, name, judge) for name, judge in (("ab.csv", strict), ("cd.csv", lenient), ("ab (1).csv", strict))]
    assert main(["--read", *files, "--key", str(sheet / "sheet/key.json"), "--out", str(sheet / "ratings")]) == 0
    assert json.loads((sheet / "ratings/ratings.json").read_text())["raters_of_equal_files"] == [["ab", "ab (1)"]]
    assert "equal byte for byte" in caplog.text


def test_a_case_that_two_files_of_one_source_answer_is_refused(sheet: Path) -> None:
    again = lines(sheet / "again.jsonl", [{"case_id": CASES[0], "rationale": "8 Gy in 1 fraction"}])
    made = ["--prompts", str(sheet / "prompts.jsonl"), "--answers", f"base={sheet / 'base.jsonl'}", f"base={again}"]
    with pytest.raises(InputError, match=r"again\.jsonl, column case_id: expected each case of base in one of its files, found 'P0_0'"):
        main(["--make", *made, "--out", str(sheet / "other")])


def test_an_output_that_is_blank_or_no_text_is_no_reference(tmp_path: Path) -> None:
    known = [
        {"case_id": case, "instruction": "Which?", "input": case, "output": output}
        for case, output in zip(CASES, [" ", 3, "50 Gy in 25 fractions"])
    ]
    answers = lines(tmp_path / "base.jsonl", [{"case_id": case, "answer": "8 Gy in 1 fraction"} for case in CASES])
    made = ["--prompts", lines(tmp_path / "prompts.jsonl", known), "--answers", f"base={answers}", "--out", str(tmp_path / "sheet")]
    assert main(["--make", *made]) == 0
    assert {row["case"] for row in items(tmp_path)} == {CASES[2]}
