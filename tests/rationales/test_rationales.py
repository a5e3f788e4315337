"""The rationale step from files to file: every labelled case once, counted, reproducible, with falls back to the template."""

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oncoraft.foundation import ranges
from oncoraft.foundation.errors import InputError
from oncoraft.planning.config import Rationales
from oncoraft.planning.edge import run
from oncoraft.rationales import rationales
from oncoraft.rationales.rationales import Lessons, main
from oncoraft.verifiers import combine
from tests.rationales.cases_on_disk import write_cases


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def call(folder: Path, cases: int = 20, words: tuple[str, ...] = (), **settings: Any) -> tuple[int, Path]:
    evidence, labelled = write_cases(folder, cases)
    out = folder / "prompts" / "rationales.jsonl"
    given = json.dumps({"rationales": settings, "labels": {}})
    return run(main, [str(evidence), str(labelled), "--out", str(out), "--settings", given, *words]), out


def manifest(out: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(out.with_name(out.name + ".manifest.json").read_text(encoding="utf-8"))
    return record


def test_every_evaluable_case_gets_one_verified_rationale_and_the_manifest_tells_so(tmp_path: Path) -> None:
    status, out = call(tmp_path)
    rows = read(out)
    assert status == 0
    assert len(rows) == 16  # of 20 cases every fifth is not evaluable
    assert [row["case_id"] for row in rows] == sorted(row["case_id"] for row in rows)
    assert all(row["status"] == "accepted" and row["teacher"] == "template" and row["verifiers"]["factual"] == 1.0 for row in rows)
    for row in rows:
        for found in (found for spans in row["spans"].values() for found in spans):
            assert row["rationale"][found[0] : found[1]].strip()
    counts = manifest(out)["counts"]
    assert (counts["rationales"], counts["accepted"], counts["fallback"], counts["teacher_sees_label"]) == (16, 16, 0, True)
    assert "P-00" not in "".join(row["rationale"] for row in rows)


def test_equal_runs_are_byte_identical_and_another_seed_words_it_otherwise(tmp_path: Path) -> None:
    _, one = call(tmp_path / "one")
    _, two = call(tmp_path / "two")
    _, other = call(tmp_path / "other", seed=5)
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes() != other.read_bytes()


def test_a_teacher_that_does_not_see_the_label_writes_the_same_whatever_the_label(tmp_path: Path) -> None:
    status, out = call(tmp_path, sees_label=False)
    before = [row["rationale"] for row in read(out)]
    labels = pd.read_parquet(tmp_path / "cases" / "labels.parquet")
    labels["score"] = 1.0 - labels["score"]
    labels.to_parquet(tmp_path / "cases" / "labels.parquet", index=False)
    given = json.dumps({"rationales": {"sees_label": False}, "labels": {}})
    assert main([str(tmp_path / "evidence.parquet"), str(tmp_path / "cases"), "--out", str(out), "--settings", given]) == status == 0
    assert [row["rationale"] for row in read(out)] == before
    assert manifest(out)["counts"]["teacher_sees_label"] is False
    assert "consistency" not in read(out)[0]["verifiers"]


def test_the_label_decides_the_conclusion_when_it_is_seen(tmp_path: Path) -> None:
    _, out = call(tmp_path)
    labels = pd.read_parquet(tmp_path / "cases" / "labels.parquet").set_index("case_id")["score"]
    for row in read(out):
        last = row["rationale"].split(". ")[-1]
        assert ("unlikely" in last) == (labels[row["case_id"]] < 0.5), row


def test_what_no_rule_accepts_falls_back_and_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = rationales.TemplateTeacher.propose
    proposed = []

    def false(self, lessons, attempt):
        proposed.append(len(lessons))
        texts = own(self, lessons, attempt)
        return {case_id: text + " KRAS G13D is a good sign." for case_id, text in texts.items()}

    monkeypatch.setattr(rationales.TemplateTeacher, "propose", false)
    status, out = call(tmp_path, samples=2)
    counts = manifest(out)["counts"]
    assert status == 0
    assert proposed[:2] == [16, 16]  # every case was tried twice
    assert counts["fallback"] == 16
    assert counts["rejected_by"]["factual"] == counts["proposed"] == 32
    assert all(row["status"] == "fallback" and "KRAS G13D is" not in row["rationale"] for row in read(out))
    assert counts["fallback_below_the_rule"] == 0


def test_the_file_teacher_is_held_to_the_same_rule(tmp_path: Path) -> None:
    _, own = call(tmp_path / "own")
    texts = {row["case_id"]: row["rationale"] for row in read(own)}
    cases = sorted(texts)
    swapped = texts | {cases[0]: texts[cases[3]], cases[1]: ""}
    lines = [json.dumps({"case_id": case_id, "rationale": text}) for case_id, text in swapped.items() if case_id != cases[2]]
    given = tmp_path / "given.jsonl"
    given.write_text("\n".join([*lines, json.dumps({"case_id": "elsewhere", "rationale": "x"})]) + "\n", encoding="utf-8")
    status, out = call(tmp_path, teacher="file", file=str(given))
    counts = manifest(out)["counts"]
    assert status == 0
    assert (counts["fallback"], counts["fallback_missing"], counts["cases_of_the_file_not_needed"]) == (3, 1, 1)
    assert counts["accepted"] == 13
    assert {row["case_id"] for row in read(out) if row["status"] == "fallback"} == set(cases[:3])
    assert any("given.jsonl" in name for name in manifest(out)["inputs"])
    status, out = call(tmp_path / "refused", teacher="file", file=str(given), missing="refuse")
    assert status == 2
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{\n", r"line 1: expected a JSON object"),
        ('{"case_id": "a"}\n', r"line 1, column rationale: expected this key"),
        ('{"case_id": 3, "rationale": "b"}\n', r"line 1, column case_id: expected text"),
        (
            '\n{"case_id": "a", "rationale": "b"}\n{"case_id": "a", "rationale": "c"}\n',
            r"line 3: expected each case once, the first time was line 2, found 'a'",
        ),
        ("[1]\n", r"line 1: expected a JSON object"),
    ],
)
def test_a_bad_file_of_rationales_is_named_by_line_and_nothing_is_written(tmp_path: Path, capsys, text: str, message: str) -> None:
    given = tmp_path / "given.jsonl"
    given.write_text(text, encoding="utf-8")
    status, out = call(tmp_path, teacher="file", file=str(given))
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert status == 2
    assert error.startswith("error: ")
    assert pytest.importorskip("re").search(message, error)
    assert not out.exists()
    assert not list(tmp_path.rglob(".partial-*"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"teacher": "file"}, "give rationales.file"),
        ({"teacher": "endpoint"}, "give rationales.endpoint_url and rationales.endpoint_model"),
        ({"teacher": "endpoint", "endpoint_url": "https://me:secret@host/v1", "endpoint_model": "m"}, "endpoint_url"),
        ({"weights": {"factual": 0}}, "one of them above 0"),
        ({"weights": {"wit": 1}}, "weights"),
        ({"minimum": {"factual": 1.5}}, "minimum"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_one_line(tmp_path: Path, capsys, settings: dict[str, Any], message: str) -> None:
    status, out = call(tmp_path, **settings)
    assert status == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
    assert not out.exists()


def test_a_labelled_case_without_evidence_is_refused(tmp_path: Path, capsys) -> None:
    evidence, cases = write_cases(tmp_path, 5)
    frame = pd.read_parquet(evidence)
    frame[frame["case_id"] != "P-0000001_+10"].to_parquet(evidence, index=False)
    assert run(main, [str(evidence), str(cases), "--out", str(tmp_path / "out.jsonl")]) == 2
    assert "the first P-0000001_+10" in capsys.readouterr().err


def test_the_defaults_of_the_configuration_are_those_of_the_verifiers() -> None:
    block = Rationales()
    assert (block.weights, block.minimum, block.threshold) == (combine.WEIGHTS, combine.MINIMUM, combine.THRESHOLD)


def test_how_many_patients_are_in_a_range_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written, told = set(), set()
    for patients in (1, 7, 10**9):
        monkeypatch.setattr(ranges, "PATIENTS", patients)
        status, out = call(tmp_path)
        assert status == 0
        written.add(out.read_bytes())
        told.add(out.with_name(out.name + ".manifest.json").read_bytes())
    assert len(written) == len(told) == 1
    assert len(read(out)) == 16


def test_cases_without_evidence_are_counted_over_all_ranges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(ranges, "PATIENTS", 2)
    evidence, labelled = write_cases(tmp_path, 20)
    rows = pd.read_parquet(evidence)
    rows[~rows["case_id"].isin(["P-0000001_+10", "P-0000012_+120"])].to_parquet(evidence, index=False)
    assert run(main, [str(evidence), str(labelled), "--out", str(tmp_path / "rationales.jsonl")]) == 2
    assert "2 have none, the first P-0000001_+10" in capsys.readouterr().err


@pytest.mark.parametrize("teacher", ["template", "file"])
def test_how_many_processes_write_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, teacher: str) -> None:
    given = tmp_path / "given.jsonl"
    lines = [{"case_id": f"P-{number:07d}_+{10 * number}", "rationale": "It helps."} for number in range(0, 24, 3)]
    given.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    monkeypatch.setattr(ranges, "PATIENTS", 6)
    written, told = set(), set()
    for processes in ("1", "2", "3"):
        status, out = call(tmp_path, words=("--processes", processes), teacher=teacher, file=str(given) if teacher == "file" else None)
        assert status == 0
        written.add(out.read_bytes())
        told.add(out.with_name(out.name + ".manifest.json").read_bytes())
    assert len(written) == len(told) == 1
    assert len(read(out)) == 16


def test_ranges_are_of_one_size_and_as_many_for_each_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence, labelled = write_cases(tmp_path, 30)
    monkeypatch.setattr(ranges, "PATIENTS", 10)
    lessons = Lessons(argparse.Namespace(evidence=evidence, cases=labelled), "strict", True)
    parts = {processes: lessons.labels_of_ranges(processes) for processes in (1, 2, 3, 40)}
    assert {processes: [part.num_rows for part in some] for processes, some in parts.items()} == {
        1: [5, 5, 5, 5, 4],
        2: [4] * 6,
        3: [4] * 6,
        40: [1] * 24,
    }
    for some in parts.values():
        assert [case for part in some for case in part["case_id"].to_pylist()] == lessons.labels["case_id"].to_pylist()


def test_a_score_that_is_no_number_makes_no_case_evaluable(tmp_path: Path) -> None:
    evidence, labelled = write_cases(tmp_path, 5)
    path = labelled / "labels.parquet"
    labels = pq.read_table(path)
    scores = pa.array([1.0, float("nan"), 0.3, None, None])
    pq.write_table(labels.set_column(labels.schema.get_field_index("score"), "score", scores), path)
    lessons = Lessons(argparse.Namespace(evidence=evidence, cases=labelled), "strict", True)
    assert lessons.labels["score"].to_pylist() == [1.0, 0.3]


@pytest.mark.parametrize("sees_label", [True, False])
def test_a_case_with_two_labels_is_refused_and_one_without_a_category_is_not_evaluable(tmp_path: Path, sees_label: bool) -> None:
    evidence, labelled = write_cases(tmp_path, 5)
    given, path = argparse.Namespace(evidence=evidence, cases=labelled), labelled / "labels.parquet"
    labels = pd.read_parquet(path)
    labels.assign(category=None).to_parquet(path)
    assert Lessons(given, "strict", sees_label).labels.num_rows == 0
    pd.concat([labels, labels.head(1)]).to_parquet(path)
    with pytest.raises(InputError, match=r"labels.parquet, column case_id: expected one label of a case .* found 'P-0000000_\+0'"):
        Lessons(given, "strict", sees_label)


def test_text_that_is_no_unicode_is_named_by_its_row_whoever_wrote_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(ranges, "PATIENTS", 6)
    evidence, labelled = write_cases(tmp_path, 20)
    out = tmp_path / "rationales.jsonl"
    own = rationales.TemplateTeacher.propose

    def broken(self, lessons, attempt):
        return {case_id: f"{text} \ud800" if case_id.endswith("+130") else text for case_id, text in own(self, lessons, attempt).items()}

    monkeypatch.setattr(rationales.TemplateTeacher, "propose", broken)
    settings = json.dumps({"rationales": {"minimum": {}, "threshold": 0.0}, "labels": {}})
    assert run(main, [str(evidence), str(labelled), "--out", str(out), "--settings", settings]) == 2
    # Of the thirteen cases before it two are not evaluable.
    assert capsys.readouterr().err.strip().splitlines()[-1:] == [
        "error: row 12, case P-0000013_+130, rationale: expected text in Unicode, found half of a surrogate pair, \\ud800"
    ]
    assert not out.exists()


def test_no_process_at_all_is_refused(tmp_path: Path, capsys) -> None:
    status, out = call(tmp_path, words=("--processes", "0"))
    assert status == 2
    assert "--processes: expected 1 or more, found 0" in capsys.readouterr().err
    assert not out.exists()
