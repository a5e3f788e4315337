"""What jobs took is counted with those whose cost is not known."""

from __future__ import annotations

from pathlib import Path

from oncoraft.report.jobs import NOT_MEASURED, job_rows


def finished(results: Path, *manifests: str) -> None:
    """Manifests of jobs that ended."""
    for name in manifests:
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_text("{}")


def measured(results: Path, name: str, line: str = "60\t0:01:00\t1024\t30") -> None:
    """A job's benchmark, as the engine writes it."""
    path = results / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\tcpu_time\n{line}\n")


def test_a_job_that_outlived_its_engine_counts_and_its_cost_is_not_known(tmp_path: Path) -> None:
    finished(tmp_path, *(f"tiny/raft/kfold/fold-{fold}/manifest.json" for fold in range(3)), "cases/folds.parquet.manifest.json")
    measured(tmp_path, "tiny/raft/kfold/benchmarks/train-2.tsv")
    measured(tmp_path, "benchmarks/folds.tsv", "0.4\t0:00:00\tNA\t-")
    train, folds, unseen = job_rows(tmp_path)
    assert train == {"kind": "train", "jobs": 1, "minutes": 1.0, "processor_minutes": 0.5, "memory_gib": 1.0}
    assert (folds["kind"], folds["jobs"], folds["processor_minutes"]) == ("folds", 1, 0.0)
    assert unseen == {"kind": NOT_MEASURED, "jobs": 2, "minutes": None, "processor_minutes": None, "memory_gib": None}


def test_where_every_job_was_measured_there_is_no_such_row(tmp_path: Path) -> None:
    finished(tmp_path, "cases/folds.parquet.manifest.json")
    measured(tmp_path, "benchmarks/folds.tsv")
    assert [row["kind"] for row in job_rows(tmp_path)] == ["folds"]


def test_the_report_and_what_is_half_written_are_no_jobs(tmp_path: Path) -> None:
    finished(tmp_path, "report/manifest.json", ".partial-x/manifest.json", "tiny/.state/manifest.json")
    measured(tmp_path, "benchmarks/report.tsv")
    assert job_rows(tmp_path) == []
