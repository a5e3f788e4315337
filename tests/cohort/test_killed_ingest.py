"""Killed at any moment, ingestion leaves no tables, the old ones whole, or the new ones whole; the next call tidies up."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from oncoraft.cli import main
from oncoraft.foundation.provenance import file_digest

KILLS = 20


def digests(folder: Path) -> dict[str, str]:
    return {path.name: file_digest(path) for path in sorted(folder.iterdir()) if path.name != "manifest.json" and path.name[0] != "."}


def is_whole(tables: Path) -> bool:
    """Whether every table that the manifest names is there as it was written."""
    outputs = json.loads((tables / "manifest.json").read_text())["outputs"]
    return {name: record["sha256"] if isinstance(record, dict) else record for name, record in outputs.items()} == digests(tables)


@pytest.mark.slow
def test_ingestion_killed_twenty_times_leaves_nothing_or_tables_that_are_whole(tmp_path: Path) -> None:
    draw, study, tables = Random(3), tmp_path / "study", tmp_path / "tables"
    assert main(["twin", "--patients", "300", "--seed", "5", "--processes", "1", "--out", str(study)]) == 0
    words = [sys.executable, "-m", "oncoraft", "ingest", str(study), "--out", str(tables)]
    started = time.monotonic()
    subprocess.run([*words[:-1], str(tmp_path / "calm")], check=True, capture_output=True)
    lasts, struck = time.monotonic() - started, 0
    (changed,) = study.glob("data_timeline_mmr.txt")
    versions, told = [changed.read_bytes()], []
    versions.append(versions[0] + b"\nP-0000001\t1\t\tPATHOLOGY\tMMR (IHC)\tTRUE")
    for number in range(KILLS):
        changed.write_bytes(versions[number % 2])  # old and new tables differ
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as step:
            time.sleep(draw.uniform(0.3, 1.0) * lasts)
            struck += step.poll() is None
            step.send_signal(signal.SIGKILL)
        told.append("absent" if not (tables / "manifest.json").exists() else "whole" if is_whole(tables) else "torn")
        if number == KILLS // 4:
            subprocess.run(words, check=True, capture_output=True)
    assert set(told) <= {"absent", "whole"}, told
    assert "whole" in told
    assert struck >= KILLS // 2
    subprocess.run(words, check=True, capture_output=True)
    assert is_whole(tables)
    assert not list(tables.glob(".*"))
