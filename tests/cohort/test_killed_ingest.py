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
            is_at_work = step.poll() is None
            step.send_signal(signal.SIGKILL)
        struck += is_at_work
        # A machine that was busy when the calm run was timed is quicker now: the next blow falls earlier.
        lasts *= 1.0 if is_at_work else 0.8
        told.append("absent" if not (tables / "manifest.json").exists() else "whole" if is_whole(tables) else "torn")
        if number == KILLS // 4:
            subprocess.run(words, check=True, capture_output=True)
    assert set(told) <= {"absent", "whole"}, told
    assert "whole" in told
    assert struck >= KILLS // 2
    subprocess.run(words, check=True, capture_output=True)
    assert is_whole(tables)
    assert not list(tables.glob(".*"))


# Ends the process without a word in place of a rename, after as many of them as are allowed.
DYING = """
import os, sys
left = iter(range(int(sys.argv[1])))
def dying(real):
    return lambda *names: real(*names) if next(left, None) is not None else os._exit(9)
os.rename, os.replace = dying(os.rename), dying(os.replace)
from oncoraft.cli import main
sys.exit(main(sys.argv[2:]))
"""


def test_ingestion_killed_between_any_two_renames_leaves_no_mixture_and_the_next_call_tidies_up(tmp_path: Path) -> None:
    study, tables = tmp_path / "study", tmp_path / "tables"
    assert main(["twin", "--patients", "50", "--seed", "5", "--processes", "1", "--out", str(study)]) == 0
    words = ["ingest", str(study), "--out", str(tables)]
    assert main(words) == 0
    for allowed in range(10):
        before = digests(tables)
        with (study / "data_timeline_mmr.txt").open("ab") as stream:
            stream.write(f"\nP-0000001\t{allowed}\t\tPATHOLOGY\tMMR (IHC)\tTRUE".encode())
        status = subprocess.run([sys.executable, "-c", DYING, str(allowed), *words], capture_output=True).returncode
        # The folder stands under its own name, or whole beside it.
        left = [path for path in (tables, *tmp_path.glob(".previous-*")) if path.exists()]
        assert left
        assert all(is_whole(path) for path in left)
        assert main(words) == 0
        assert is_whole(tables)
        assert digests(tables) != before
        assert not [path.name for path in tmp_path.iterdir() if path.name[0] == "."]
        if status == 0:
            break
    assert (status, allowed) == (0, 2), "two renames: the old folder aside, the new one into its place"
