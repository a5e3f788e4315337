"""The command line's edge: paths without a name, pipes, inputs as outputs, a full disk, and an end that comes from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.cli import main
from oncoraft.planning.edge import run
from tests.forked import oncoraft

TWIN = ["twin", "--patients", "60", "--seed", "5", "--processes", "1"]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    lines = capsys.readouterr().err.strip().split("\n")
    assert sum(line.startswith("error: ") for line in lines) == 1
    return lines[-1]


@pytest.mark.parametrize("out", [".", "..", "below/.."])
def test_a_path_without_a_name_of_its_own_is_refused_in_one_line(
    out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "work" / "below").mkdir(parents=True)
    (tmp_path / "work" / "notes.txt").write_text("theirs")
    monkeypatch.chdir(tmp_path / "work")
    assert main([*TWIN, "--out", out]) == 2
    assert "such as" in said(capsys)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["below", "notes.txt", "work"]


@pytest.mark.parametrize(
    "words",
    [
        ["evidence", "{pipe}", "cases", "--out", "e.parquet"],
        ["gather", "{pipe}", "--heldout", "h.jsonl", "--out", "p.jsonl"],
        ["gather", "s.jsonl", "--heldout", "{pipe}", "--out", "p.jsonl"],
        ["predict", "--model", "m", "--case", "{pipe}"],
        ["predict", "--model", "m", "--case", os.devnull],
        ["twin", "--out", "study", "--config", "{pipe}"],
    ],
)
def test_a_pipe_or_device_as_an_input_is_refused_and_not_waited_for(words: list[str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = oncoraft(*(word.format(pipe=tmp_path / "pipe") for word in words), cwd=tmp_path, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "a pipe" in done.stderr or "a device" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.parametrize("name", ["meta_study.txt", "data_clinical_patient.txt", "data_sv.txt", "meta_sv.txt"])
def test_a_pipe_in_a_study_never_makes_ingestion_wait(name: str, tmp_path: Path) -> None:
    assert main([*TWIN, "--out", str(tmp_path / "study")]) == 0
    (tmp_path / "study" / name).unlink()
    os.mkfifo(tmp_path / "study" / name)
    command = [sys.executable, "-m", "oncoraft", "ingest", str(tmp_path / "study"), "--out", str(tmp_path / "tables")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == (2 if name.startswith("data_") else 0), done.stderr
    if done.returncode:
        assert f"{name}: expected the table" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("signal_sent", [signal.SIGTERM, signal.SIGINT])
def test_a_step_that_is_stopped_leaves_nothing_half_written(signal_sent: signal.Signals, tmp_path: Path) -> None:
    words = ["twin", "--patients", "20000", "--processes", "1", "--out", str(tmp_path / "out" / "study")]
    command = [sys.executable, "-m", "oncoraft", *words]
    # Tests that run in the background of a shell inherit an ignored SIGINT, which Python then leaves ignored.
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    ) as step:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("out/.partial-*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        step.send_signal(signal_sent)
        _, error = step.communicate(timeout=60)
    assert step.returncode == 128 + signal_sent
    assert error.rstrip().endswith(f"error: stopped by {signal_sent.name}; nothing half-written was kept")
    assert "Traceback" not in error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            OSError(28, "No space left on device", "/data/x.pt"),
            "error: /data/x.pt: expected to be able to read or write it (No space left on device)",
        ),
        (
            PermissionError(13, "Permission denied", "/data/in"),
            "error: /data/in: expected to be able to read or write it (Permission denied)",
        ),
        (OSError(30, "Read-only file system"), "error: expected to be able to read or write it (Read-only file system)"),
    ],
)
def test_a_disk_that_refuses_anywhere_in_a_step_is_one_line(error: OSError, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    def step(_: Sequence[str] | None) -> int:
        raise error

    assert run(step) == 2
    assert said(capsys) == line


def test_a_defect_keeps_its_traceback() -> None:
    def step(_: Sequence[str] | None) -> int:
        raise KeyError("a defect")

    with pytest.raises(KeyError):
        run(step)


def test_signals_are_as_before_once_a_step_has_ended() -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert run(lambda _: 0) == 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_output_over_an_input_is_refused_before_anything_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "data.txt").write_text("theirs")
    (tmp_path / "link").symlink_to(tmp_path / "study")
    for out in ("study", ".", "link", "study/../study"):
        assert main(["ingest", str(tmp_path / "study"), "--out", str(tmp_path / out)]) == 2
        assert "expected an output apart from the inputs" in said(capsys)
    assert (tmp_path / "study" / "data.txt").read_text() == "theirs"


@pytest.mark.parametrize(
    "words",
    [
        ["render", "{table}", "{cases}", "--out", "p.jsonl"],
        ["mapping", "tables", "--evidence", "{table}", "--out", "m.csv"],
        ["baselines", "{cases}", "{table}", "--out", "b.parquet"],
        ["rationales", "{table}", "{cases}", "--out", "r.jsonl"],
    ],
)
@pytest.mark.parametrize("content", [None, b"case_id,text\n", "other"])
def test_a_table_that_is_not_there_or_is_another_is_one_line(
    words: list[str], content: bytes | str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, cases = tmp_path / "evidence.parquet", tmp_path / "cases"
    cases.mkdir()
    named = {"case_id": ["p"], "patient_id": ["p"], "cancer_type": ["c"], "regimen": ["r"], "definition": ["strict"], "responder": [True]}
    for name in ("cases", "labels", "folds"):
        pd.DataFrame(named | {"design": ["kfold"], "fold": [0], "is_tuning": [False]}).to_parquet(cases / f"{name}.parquet")
    if isinstance(content, bytes):
        table.write_bytes(content)
    elif content:
        pd.DataFrame({"gene": ["KRAS"]}).to_parquet(table)
    assert main([word.format(table=table, cases=cases) for word in words]) == 2
    assert "evidence.parquet" in said(capsys)
