"""Text tasks in one command, after a finished run: what runs, that it is whole, and exactly what a change of their settings reruns."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.report.jobs import NOT_MEASURED, job_rows

from .finished_run import FinishedRun, changed, count

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small-run")]

CAPS = {"heldout_folds": 1, "max_training_cases": 40, "max_heldout_cases": 12, "layout": "compact", "bootstrap": 50}
MODALITY = CAPS | {"choices": "scored", "strategy": "raft", "max_answer_tokens": 4}
SMALL = {
    "tasks": {
        "modality": MODALITY,
        "mine": {"kind": "file", "file": "mine.jsonl", "parts": "from_file", "max_answer_tokens": 4, "bootstrap": 50},
    },
    "task_training": {"epochs": 1, "learning_rate": 1.0e-3},
}
OF_FILE = {"task_cases": 1, "task_prompts": 1, "task_split": 1, "task_baselines": 1, "task_train": 1, "task_infer": 2, "task_scores": 1}
OF_COURSES = {
    "task_courses": 1,
    "task_cases": 1,
    "task_folds": 1,
    "task_evidence": 1,
    "task_lookahead": 1,
    "task_prompts": 1,
    "task_split": 1,
}
OF_MODALITY = OF_COURSES | {"task_baselines": 1, "task_train_raft": 1, "task_infer": 2, "task_choices": 2, "task_scores": 1}
LAST = {"task_scores": 1, "report": 1}


def added(*parts: dict[str, int]) -> dict[str, int]:
    """Jobs of all parts together."""
    return {rule: sum(part.get(rule, 0) for part in parts) for rule in {rule: None for part in parts for rule in part}}


@pytest.fixture(scope="module")
def asked(finished_run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """The finished small run with two tasks on top, run: one on the twin's courses with a head over choices, one of a file."""
    folder = tmp_path_factory.mktemp("tasks")
    run = finished_run.copy(folder / "copy")
    rows = [
        {"instruction": "Which side?", "input": f"case {n}", "output": "left" if n % 2 else "right", "patient": f"p{n}"}
        | {"part": "heldout" if n < 5 else "train", "choices": ["left", "right"]}
        for n in range(20)
    ]
    (run.run / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run.setting(**SMALL)
    assert count(run.jobs()) == added(OF_MODALITY, OF_FILE, {"report": 1}), "what is finished must not run again"
    done = run.execute("--quiet", "all")
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return run


def test_everything_is_current_and_verifies(asked: FinishedRun) -> None:
    assert asked.jobs() == []
    done = asked.oncoraft("verify", "results")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_job_that_left_a_result_was_measured(asked: FinishedRun) -> None:
    assert NOT_MEASURED not in {row["kind"] for row in job_rows(asked.results)}


def test_every_answerer_is_measured_on_the_same_cases_and_the_report_shows_them(asked: FinishedRun) -> None:
    home = asked.results / "tiny/tasks"
    told = {name: json.loads((home / name / "scores/metrics.json").read_text()) for name in ("modality", "mine")}
    answerers = {name: {row["answerer"] for row in one["records"]} for name, one in told.items()}
    baselines = {"majority", "by_site", "tfidf", "neighbour"}
    assert answerers["mine"] == {"base", "tuned"} | baselines
    assert answerers["modality"] == {"base", "tuned", "base_choice", "tuned_choice", "tuned_head", "oracle"} | baselines
    assert {row["n"] for row in told["modality"]["records"]} == {12}
    assert {row["n"] for row in told["mine"]["records"]} == {5}
    assert set(pd.read_csv(home / "modality/scores/tests.csv")["first"]) == {"tuned"}
    assert {"choice_head.pt", "choices.json", "adapter_model.safetensors"} <= {path.name for path in (home / "modality/fold-0").iterdir()}
    page = (asked.results / "report/index.html").read_text()
    assert "Radiation modality" in page
    assert "tuned model, head over choices" in page


def test_a_setting_of_a_task_reruns_the_steps_that_read_it_and_what_follows(asked: FinishedRun, tmp_path: Path) -> None:
    def of_modality(**settings: object) -> dict[str, int]:
        return changed(asked, tmp_path, tasks={"modality": MODALITY | settings})

    assert of_modality(bootstrap=60) == LAST
    assert of_modality(max_answer_tokens=5) == {"task_infer": 2, **LAST}
    assert of_modality(choices="trie") == {"task_choices": 2, **LAST}
    after_training = {"task_infer": 1, "task_choices": 1, **LAST}
    assert of_modality(head_weight=2.0) == {"task_train_raft": 1, **after_training}
    both = {"task_infer": 2, "task_choices": 2, **LAST}
    assert of_modality(max_training_cases=30) == {"task_split": 1, "task_baselines": 1, "task_train_raft": 1, **both}
    assert of_modality(layout="statements") == {"task_prompts": 1, "task_split": 1, "task_baselines": 1, "task_train_raft": 1, **both}
    learning = changed(asked, tmp_path, task_training={"epochs": 1, "learning_rate": 2.0e-3})
    assert learning == {"task_train": 1, "task_train_raft": 1, "task_infer": 2, "task_choices": 1, "task_scores": 2, "report": 1}


def test_a_task_that_is_added_runs_its_own_jobs_and_the_report_even_where_it_takes_evidence_of_another(
    asked: FinishedRun, tmp_path: Path
) -> None:
    of_new = {rule: 1 for rule in OF_COURSES if rule != "task_courses"} | {"task_baselines": 1, "task_train": 1, "task_infer": 2, **LAST}
    assert changed(asked, tmp_path, tasks={"radiation_regimen": CAPS}) == of_new
    # Of a code the law of the twin is asked too, a table of its own; that of courses stands beside them.
    assert changed(asked, tmp_path, tasks={"codes": CAPS | {"kind": "icd10"}}) == of_new | {"task_law": 1}


@pytest.mark.parametrize(
    ("path", "jobs"),
    [
        ("tiny/tasks/modality/fold-0/choice_head.pt", {"task_train_raft": 1, "task_infer": 1, "task_choices": 1, **LAST}),
        ("tiny/tasks/mine/scores/answers.jsonl", LAST),
        ("tasks/modality/lookahead.json", {"task_lookahead": 1, "task_train_raft": 1, "task_infer": 1, "task_choices": 1, **LAST}),
    ],
)
def test_a_file_that_is_deleted_is_made_again_with_what_follows_from_it(
    asked: FinishedRun, tmp_path: Path, path: str, jobs: dict[str, int]
) -> None:
    run = asked.copy(tmp_path / "copy")
    run.overlays = asked.overlays
    (run.results / path).unlink()
    assert count(run.jobs()) == jobs


def test_the_groups_file_is_an_input_by_its_content(asked: FinishedRun, tmp_path: Path) -> None:
    run = asked.copy(tmp_path / "copy")
    run.overlays = asked.overlays
    file = run.run / "mine.jsonl"
    file.write_text(file.read_text().replace("case 7", "case seven"))
    assert count(run.jobs()) == OF_FILE | {"report": 1}
