"""No step touches a folder or a file that it did not write, whichever step it is and whatever its `--out` says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from oncoraft.foundation.provenance import file_digest
from oncoraft.planning.steps import STEPS
from tests.forked import oncoraft

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small-run")]
READERS = {"headline", "why", "verify", "predict", "page"}  # they print or serve, and write no file
Words = Callable[[Path, Path], list[object]]
TABLES, CASES, PROMPTS = "tables", "cases", "prompts"
FOLD, RUN, BASELINES = "tiny/prompts/kfold/fold-0", "tiny/raft/kfold", "baselines/kfold/predictions.parquet"
OF_CELLS = ["--settings", '{"cell_study": {}}']
OF_A_TASK = ["--settings", '{"task": {"kind": "icd10"}}']


def aligning(method: str) -> str:
    """Settings of a strategy that goes on from raft."""
    return json.dumps({"strategy": {"method": method, "from": "raft"}})


def of_a_fold(run: Path) -> list[object]:
    """A training file, its base model and a trained fold."""
    return [run / FOLD / "train.jsonl", "--base", run.parent / "pretraining/tiny/base", "--fold-model", run / RUN / "fold-0"]


# Step -> its arguments, from the results of a finished run and the path that it is told to write.
TO_A_FOLDER: dict[str, Words] = {
    "twin": lambda run, out: ["--patients", 60, "--out", out],
    "ingest": lambda run, out: [run / "study", "--out", out],
    "convert": lambda run, out: [run / "study", "--reader", "cbioportal", "--out", out],
    "overlap": lambda run, out: [run / TABLES, run.parent / "pretraining/tables", "--out", out],
    "export-meds": lambda run, out: [run / TABLES, run / CASES, "--out", out],
    "external": lambda run, out: [
        *(word for name in ("home", "away") for word in (f"--{name}", run / RUN / "predictions.jsonl", run / CASES, run / BASELINES)),
        "--out",
        out,
    ],
    "grid": lambda run, out: [run, "--home", run / RUN / "predictions.jsonl", "--out", out],
    "label-validity": lambda run, out: [
        *("--study", run / "study", "--matched", run / CASES / "cases.parquet"),
        *(word for name in ("second", "first") for word in (f"--{name}", run / TABLES, run / CASES)),
        *("--out", out),
    ],
    "pool": lambda run, out: [run, run.parent / "other", "--out", out],
    "probe": lambda run, out: [
        run / FOLD / "heldout.jsonl",
        *(word for name in ("train", "tuning") for word in (f"--{name}", run / FOLD / f"{name}.jsonl")),
        "--embeddings",
        run / PROMPTS / "evidence.parquet",
        "--out",
        out,
    ],
    "regimens": lambda run, out: [run / TABLES, "--out", out],
    "cases": lambda run, out: [run / TABLES, "--out", out],
    "base-model": lambda run, out: [
        run.parent / "pretraining/prompts/corpus.jsonl",
        "--out",
        out,
        "--settings",
        '{"model": {"build": {}}}',
    ],
    "train": lambda run, out: [
        run / FOLD / "train.jsonl",
        "--base",
        run.parent / "pretraining/tiny/base",
        "--out",
        out,
        "--state",
        out.parent / "state",
    ],
    "dpo": lambda run, out: [
        *of_a_fold(run),
        "--pairs",
        run / FOLD / "train.jsonl",
        "--out",
        out,
        "--state",
        out.parent / "state",
        "--settings",
        aligning("dpo"),
    ],
    "grpo": lambda run, out: [*of_a_fold(run), "--out", out, "--state", out.parent / "state", "--settings", aligning("grpo")],
    "control": lambda run, out: [
        "drug_only",
        run / CASES,
        *(word for name in ("train", "heldout", "tuning") for word in (f"--{name}", run / FOLD / f"{name}.jsonl")),
        "--evidence",
        run / PROMPTS / "evidence.parquet",
        "--tokenizer",
        run.parent / "pretraining/tiny/base",
        "--out",
        out,
    ],
    "export": lambda run, out: ["--run", run / RUN / "fold-0", "--out", out],
    "metrics": lambda run, out: [
        run / RUN / "predictions.jsonl",
        run / CASES,
        "--baselines",
        run / "baselines/kfold/predictions.parquet",
        "--out",
        out,
    ],
    "selection": lambda run, out: [run / CASES, run / PROMPTS / "evidence.parquet", "--out", out],
    "survival": lambda run, out: [run / RUN / "predictions.jsonl", run / CASES, run / PROMPTS / "evidence.parquet", "--out", out],
    "task-cases": lambda run, out: [run / TABLES, "--out", out, *OF_A_TASK],
    "task-scores": lambda run, out: [
        run / FOLD / "train.jsonl",
        *(word for name in ("base", "tuned", "baselines") for word in (f"--{name}", run / RUN / "predictions.jsonl")),
        "--out",
        out,
        *OF_A_TASK,
    ],
    "twin-cells": lambda run, out: ["--donors", 6, "--out", out],
    "cell-cases": lambda run, out: [run / TABLES, "--out", out, *OF_CELLS],
    "cell-expression": lambda run, out: [run / TABLES, "--cases", run / CASES, "--out", out, *OF_CELLS],
    "cell-model": lambda run, out: [
        run / FOLD / "train.jsonl",
        run / FOLD / "heldout.jsonl",
        "--out",
        out,
        "--state",
        out.parent / "state",
        "--settings",
        '{"cell_model": {"path": "m", "vocabulary": "v"}, "strategy": {"language_model_weight": 0}}',
    ],
    "cell-scores": lambda run, out: [
        run / CASES,
        "--design",
        "pooled_by_donor",
        "--baselines",
        run / BASELINES,
        "--out",
        out,
        *OF_CELLS,
    ],
    "rate": lambda run, out: [
        "--make",
        "--prompts",
        run / FOLD / "heldout.jsonl",
        "--answers",
        f"raft={run / RUN / 'predictions.jsonl'}",
        "--out",
        out,
    ],
}
TO_A_FILE: dict[str, Words] = {
    "final-cases": lambda run, out: [
        run / "tiny/prompts/prompts.jsonl",
        run / PROMPTS / "rationales.jsonl",
        run / CASES,
        "--out",
        out,
    ],
    "export-jsonl": lambda run, out: [run / FOLD / "train.jsonl", "--out", out],
    "pool-prompts": lambda run, out: [run / "tiny/prompts/prompts.jsonl", "--out", out],
    "embed": lambda run, out: [run / "tiny/prompts/prompts.jsonl", "--base", run.parent / "pretraining/tiny/base", "--out", out],
    "evidence": lambda run, out: [run / TABLES, run / CASES, "--out", out],
    "audit": lambda run, out: [run / TABLES, run / CASES, "--out", out, "--settings", '{"audit": {"cases": 3}}'],
    "rationales": lambda run, out: [run / PROMPTS / "evidence.parquet", run / CASES, "--out", out],
    "render": lambda run, out: [run / PROMPTS / "evidence.parquet", run / CASES, "--out", out],
    "prompts": lambda run, out: [run / TABLES, run / CASES, "--out", out],
    "split": lambda run, out: [run / "tiny/prompts/prompts.jsonl", run / PROMPTS / "rationales.jsonl", run / CASES, "--all", out],
    "tokens": lambda run, out: [
        run / "tiny/prompts/prompts.jsonl",
        run / PROMPTS / "rationales.jsonl",
        run / CASES,
        "--tokenizer",
        run.parent / "pretraining/tiny/base",
        "--out",
        out,
    ],
    "leakage": lambda run, out: [run / "tiny/prompts/prompts.jsonl", run / PROMPTS / "rationales.jsonl", run / CASES, "--out", out],
    "infer": lambda run, out: [
        run / FOLD / "heldout.jsonl",
        "--base",
        run.parent / "pretraining/tiny/base",
        "--fold-model",
        run / RUN / "fold-0",
        "--out",
        out,
    ],
    "preferences": lambda run, out: [*of_a_fold(run), "--out", out, "--settings", aligning("dpo")],
    "rewards": lambda run, out: [
        *(word for name in ("before", "after") for word in (f"--{name}", run / RUN / "predictions.jsonl")),
        "--heldout",
        run / FOLD / "heldout.jsonl",
        "--out",
        out,
        "--best",
        out.with_name("best.jsonl"),
    ],
    "recalibrate": lambda run, out: [*sorted((run / RUN / "fold-0/predictions").glob("tuning-?.jsonl")), "--fold", 0, "--out", out],
    "gather": lambda run, out: [
        *sorted((run / RUN).glob("fold-*/predictions/shard-?.jsonl")),
        "--heldout",
        *sorted((run / "tiny/prompts/kfold").glob("*/heldout.jsonl")),
        "--out",
        out,
    ],
    "average": lambda run, out: [
        "--fold",
        *sorted((run / RUN / "fold-0/predictions").glob("shard-?.jsonl")),
        "--heldout",
        run / FOLD / "heldout.jsonl",
        "--out",
        out,
    ],
    "mapping": lambda run, out: [run / TABLES, "--evidence", run / PROMPTS / "evidence.parquet", "--out", out],
    "outside-cases": lambda run, out: [run / "tiny/prompts/prompts.jsonl", run / CASES, "--out", out],
    "apply-baselines": lambda run, out: [
        *(word for name in ("first", "second") for word in (f"--{name}", run / CASES, run / PROMPTS / "evidence.parquet")),
        "--out",
        out,
        "--settings",
        '{"baselines": {"predictors": ["regimen_prior"]}}',
    ],
    "baselines": lambda run, out: [run / CASES, run / PROMPTS / "evidence.parquet", "--out", out],
    "compare": lambda run, out: [run / RUN / "predictions.jsonl", run / RUN / "predictions.jsonl", "--cases", run / CASES, "--out", out],
    "report": lambda run, out: [run, "--out", out],
    "task-courses": lambda run, out: [run / TABLES, "--out", out, "--truth", out.with_name("law.parquet")],
    "task-law": lambda run, out: [run / TABLES, "--out", out],
    "task-prompts": lambda run, out: [run / CASES, "--out", out, "--audit", out.with_name("searched.json"), *OF_A_TASK],
    "task-split": lambda run, out: [
        run / FOLD / "train.jsonl",
        "--fold",
        0,
        "--train",
        out,
        "--heldout",
        out.with_name("asked.jsonl"),
        *OF_A_TASK,
    ],
    "task-baselines": lambda run, out: [
        "--train",
        run / FOLD / "train.jsonl",
        "--heldout",
        run / FOLD / "heldout.jsonl",
        "--out",
        out,
        *OF_A_TASK,
    ],
    "cell-prompts": lambda run, out: [run / CASES, "--out", out, "--audit", out.with_name("searched.json"), *OF_CELLS],
    "cell-split": lambda run, out: [run / CASES, "--prompts", run / FOLD / "train.jsonl", "--all", out, *OF_CELLS],
    "cell-baselines": lambda run, out: [
        run / CASES,
        "--expression",
        run / BASELINES,
        "--design",
        "pooled_by_donor",
        "--out",
        out,
        *OF_CELLS,
    ],
    "cell-removals": lambda run, out: [run / FOLD / "heldout.jsonl", "--train", run / FOLD / "train.jsonl", "--out", out, *OF_CELLS],
    "cell-markers": lambda run, out: [run / FOLD / "heldout.jsonl", "--out", out, *OF_CELLS],
    "task-choices": lambda run, out: [
        run / FOLD / "heldout.jsonl",
        "--train",
        run / FOLD / "train.jsonl",
        "--base",
        run.parent / "pretraining/tiny/base",
        "--out",
        out,
    ],
}
# Steps that write beside their input: step -> arguments, from the run and the folder of cases; and the file.
BESIDE: dict[str, tuple[Words, str]] = {
    "labels": (lambda run, cases: [run / TABLES, cases], "labels.parquet"),
    "followup": (lambda run, cases: [run / TABLES, cases], "followup.parquet"),
    "folds": (lambda run, cases: [cases], "folds.parquet"),
    "outside-folds": (lambda run, cases: [cases], "folds.parquet"),
    "cell-folds": (lambda run, cases: [cases, *OF_CELLS], "folds.parquet"),
    "flow": (lambda run, cases: [run / TABLES, cases], "flow.json"),
    "label-truth": (lambda run, cases: [cases, "--truth", run / "truth.parquet"], "label_truth.json"),
}  # fmt: skip


def digest_of(folder: Path) -> dict[str, object]:
    return {path.relative_to(folder).as_posix(): file_digest(path) if path.is_file() else None for path in sorted(folder.rglob("*"))}


def called(step: str, words: list[object]) -> str:
    """What a step says that must refuse: status 2 and one line."""
    done = oncoraft(step, *words)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert len(lines) == 1
    assert done.stderr.rstrip().endswith(lines[0])
    return lines[0]


@pytest.fixture
def results(small_run: Path) -> Path:
    return small_run / "results" / "small"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder of other people's work, under the names that a step might take for its own."""
    folder = tmp_path / "theirs"
    for name in ("thesis.docx", "data/measured.csv", "predictions/by-hand.xlsx", "models/base/config.json", "manifest.json", "x.parquet"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f'"years of work: {name}"')
    return folder


def test_every_step_that_writes_is_tried_here() -> None:
    assert {*TO_A_FOLDER, *TO_A_FILE, *BESIDE, "crate"} | READERS == set(STEPS)


@pytest.mark.parametrize("step", TO_A_FOLDER)
def test_a_folder_of_other_peoples_files_is_refused_and_left_alone(step: str, results: Path, theirs: Path) -> None:
    before = digest_of(theirs)
    said = called(step, TO_A_FOLDER[step](results, theirs))
    assert "expected an empty folder, or an earlier output of" in said
    assert str(theirs) in said
    assert digest_of(theirs) == before
    assert {path.name for path in theirs.parent.iterdir()} <= {"theirs", "state"}


@pytest.mark.parametrize("step", TO_A_FILE)
def test_a_file_of_other_people_is_refused_and_left_alone_and_so_is_a_folder_in_its_place(step: str, results: Path, theirs: Path) -> None:
    before = digest_of(theirs)
    assert "expected no file here, or an earlier output of" in called(step, TO_A_FILE[step](results, theirs / "thesis.docx"))
    assert "found a folder" in called(step, TO_A_FILE[step](results, theirs))
    assert digest_of(theirs.parent) == {"theirs": None, **{f"theirs/{name}": digest for name, digest in before.items()}}


@pytest.mark.parametrize("step", BESIDE)
def test_a_file_beside_the_cases_that_the_step_did_not_write_is_left_alone(step: str, results: Path, tmp_path: Path) -> None:
    words, name = BESIDE[step]
    cases = tmp_path / "cases"
    shutil.copytree(results / CASES, cases)
    (cases / f"{name}.manifest.json").unlink()
    before = digest_of(cases)
    assert f"{name}: expected no file here, or an earlier output of" in called(step, words(results, cases))
    assert digest_of(cases) == before


def test_the_folder_of_a_reports_data_that_is_somebody_elses_stays(results: Path, theirs: Path) -> None:
    (theirs / "manifest.json").unlink()
    before = digest_of(theirs)
    assert "such as measured.csv" in called("report", [results, "--out", theirs / "index.html"])
    assert digest_of(theirs) == before


def test_a_workflow_folder_that_no_crate_wrote_stays(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results, tmp_path / "small")
    (tmp_path / "small" / "_workflow").mkdir()
    (tmp_path / "small" / "_workflow" / "notes.txt").write_text("theirs")
    before = digest_of(tmp_path)
    assert "such as notes.txt" in called("crate", [tmp_path / "small"])
    assert digest_of(tmp_path) == before


@pytest.mark.parametrize("out", ["..", ".", "results/small", "results/small/tiny/raft/kfold/fold-0", "results"])
def test_an_output_that_is_an_input_or_holds_one_is_refused(out: str, small_run: Path, tmp_path: Path) -> None:
    shutil.copytree(small_run / "results" / "small" / RUN / "fold-0", tmp_path / "results/small" / RUN / "fold-0")
    before = digest_of(tmp_path)
    words = ["--run", tmp_path / "results/small" / RUN / "fold-0", "--out", out, "--base", small_run / "results/pretraining/tiny/base"]
    done = oncoraft("export", *words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "expected an output apart from the inputs" in done.stderr
    assert digest_of(tmp_path) == before


def test_what_a_step_wrote_by_hand_it_replaces_by_hand(results: Path, tmp_path: Path) -> None:
    for step, name in (
        ("ingest", "tables"),
        ("regimens", "cases"),
        ("evidence", "evidence.parquet"),
        ("metrics", "metrics"),
        ("report", "page/index.html"),
    ):
        words = (TO_A_FOLDER | TO_A_FILE)[step](results, tmp_path / name)
        for _ in range(2):
            done = oncoraft(step, *words)
            assert done.returncode == 0, done.stderr
